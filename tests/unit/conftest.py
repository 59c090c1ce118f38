# SPDX-License-Identifier: GPL-2.0-or-later
"""What several files of tests share."""

from __future__ import annotations

import pytest
from plugin_session import HERE, ROOT, TARGETS, Run


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}:{HERE}")
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    pytester.makeconftest(TARGETS)
    return Run(pytester, monkeypatch)
