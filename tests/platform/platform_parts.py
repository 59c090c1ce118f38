# SPDX-License-Identifier: GPL-2.0-or-later
"""What a machine for these tests is made of."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Parts:
    """The argv prefix that starts QEMU, and the plugin under test."""

    qemu: tuple[str, ...]
    plugin: Path
