# SPDX-License-Identifier: GPL-2.0-or-later
"""A spawner of Avocado's that cannot work is refused before anything is built."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import ConfigError, ProvisionError
from harness.nightly.spawner import check_spawner, settings_of


def podman(folder: Path, script: str) -> dict[str, object]:
    """Avocado's settings with a podman that does what ``script`` says."""
    path = folder / "podman"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return {"spawner.podman.bin": str(path), "spawner.podman.image": "an-image"}


def test_one_that_avocado_does_not_have() -> None:
    with pytest.raises(ConfigError) as raised:
        check_spawner("remote", {})
    assert "use one of: lxc, podman, process" in raised.value.remedy


def test_processes_need_nothing() -> None:
    check_spawner("process", {})


def test_podman_is_not_there(tmp_path: Path) -> None:
    settings = {**podman(tmp_path, ""), "spawner.podman.bin": str(tmp_path / "nowhere")}
    with pytest.raises(ProvisionError, match="nowhere") as raised:
        check_spawner("podman", settings)
    assert "apt-get install podman" in raised.value.remedy


OLD = "echo podman version 2.2.1"
NEW = '[ "$1" = --version ] && { echo podman version 4.3.1; exit; }'


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (f"{NEW}; echo a word; echo no such image >&2; exit 125", "an-image: no such image"),
        (f"{NEW}; exit 1", "exit code 1"),
        (OLD, "podman"),
    ],
    ids=["no image", "silent", "old"],
)
def test_podman_cannot_run_this_environment(tmp_path: Path, script: str, said: str) -> None:
    with pytest.raises(ProvisionError) as raised:
        check_spawner("podman", podman(tmp_path, script))
    assert said in raised.value.what
    assert raised.value.remedy


def test_podman_that_runs_it(tmp_path: Path) -> None:
    check_spawner("podman", podman(tmp_path, f"{NEW}; echo $@ | grep -q an-image"))


def test_settings_are_read(tmp_path: Path) -> None:
    file = tmp_path / "avocado.conf"
    file.write_text("[spawner.podman]\nimage = mine:1\n")
    assert settings_of(file)["spawner.podman.image"] == "mine:1"


@pytest.mark.parametrize("text", [None, "no section\n", "[spawner.podman]\nno value\n"])
def test_a_file_that_is_none_of_settings(tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "avocado.conf"
    if text is not None:
        file.write_text(text)
    with pytest.raises(ConfigError, match="--avocado"):
        settings_of(file)
