# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import shutil

import pytest
from platform_parts import Parts
from walking import CROSS, Walker, build


@pytest.fixture(scope="session")
def walker(parts: Parts, tmp_path_factory: pytest.TempPathFactory) -> Walker:
    if shutil.which(f"{CROSS}gcc") is None:
        pytest.skip(f"no {CROSS}gcc (gcc-aarch64-linux-gnu)")
    out = tmp_path_factory.mktemp("walk")
    return Walker(parts.qemu, build(out), out)
