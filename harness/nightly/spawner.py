# SPDX-License-Identifier: GPL-2.0-or-later
"""Avocado's spawners: is the one that was asked for there, and can it work here?"""

from __future__ import annotations

import configparser
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from harness.errors import ConfigError, ProvisionError

NEEDS: Final = {
    "podman": "install podman, 3.0 or newer: apt-get install podman",
    "lxc": "install LXC and its Python module `lxc` into .venv",
}
REMOTE: Final = "remote is .venv/bin/pip install avocado-framework-plugin-spawner-remote"
START_SECONDS: Final = 300  # an image may have to be fetched


def settings_of(file: Path | None) -> dict[str, Any]:
    """Avocado's settings, with those of a file in its own form (``[spawner.podman]``, ...).

    ConfigError: the file cannot be read.
    """
    from avocado.core.settings import SettingsError, settings  # noqa: PLC0415 (heavy)

    if file is not None:
        try:
            file.read_text()
            settings.process_config_path(str(file))
            settings.merge_with_configs()
        except (OSError, ValueError, SyntaxError, SettingsError, configparser.Error) as e:
            said = " ".join(str(e).split())
            raise ConfigError(f"--avocado {file}: {said}", "docs/ci.md has an example") from None
    found: dict[str, Any] = settings.as_dict()
    return found


def check_spawner(name: str, settings: dict[str, Any]) -> None:
    """ConfigError: Avocado has no such spawner.  ProvisionError: it cannot work here."""
    from avocado.core.dispatcher import SpawnerDispatcher  # noqa: PLC0415 (heavy)

    spawners = {each.name: each.obj for each in SpawnerDispatcher(settings)}
    if name not in spawners:
        said = f"use one of: {', '.join(sorted(spawners))}; {REMOTE}"
        raise ConfigError(f"--spawner {name}: this Avocado has no such spawner", said)
    try:
        works, why = spawners[name].is_operational(), "Avocado says that it does not work here"
    except (OSError, AttributeError) as e:  # so Avocado meets no podman, and one that is too old
        works, why = False, str(e)
    if not works:
        raise ProvisionError(f"--spawner {name}: {why}", NEEDS.get(name, "see docs/ci.md"))
    if name == "podman":
        check_image(settings["spawner.podman.bin"], settings["spawner.podman.image"])


def check_image(podman: str, image: str) -> None:
    """ProvisionError: no container of it starts, or this environment is not in it."""
    entry = json.dumps([sys.executable, "-c", "import harness"])
    argv = [podman, "run", "--rm", f"--entrypoint={entry}", image]
    try:
        done = subprocess.run(
            argv, capture_output=True, text=True, timeout=START_SECONDS, check=False
        )
        words = done.stderr.strip().rpartition("\n")[2] or f"exit code {done.returncode}"
        said = words if done.returncode else ""
    except (OSError, subprocess.TimeoutExpired) as e:
        said = str(e)
    if said:
        raise ProvisionError(
            f"--spawner podman: {sys.executable} does not run in image {image}: {said}",
            "spawner.podman.image (--avocado FILE) must have this project and its .venv at the "
            "same path: docs/ci.md",
        )
