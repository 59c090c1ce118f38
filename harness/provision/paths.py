# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the project's own sources and the user's cache are."""

from __future__ import annotations

import os
from pathlib import Path

import harness


def project_root() -> Path:
    """The folder with images.yaml, guest/, kernel/, qemu_plugin/: a checkout, or the wheel's."""
    package = Path(harness.__file__).resolve().parent
    packaged = package / "_sources"
    return packaged if packaged.is_dir() else package.parent


def default_images() -> Path:
    """The project's own images.yaml."""
    return project_root() / "images.yaml"


def default_cache() -> Path:
    """GICV5_CACHE, or the user's cache folder."""
    if chosen := os.environ.get("GICV5_CACHE"):
        return Path(chosen).expanduser().absolute()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "gicv5"
