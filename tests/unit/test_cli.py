# SPDX-License-Identifier: GPL-2.0-or-later
"""The `gicv5` command: exit codes, messages, and what it would run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from harness import cli
from harness.commands import checks, run
from harness.errors import ConfigError, ProvisionError
from harness.provision import Artifact, Kernel, Provisioner, Qemu, default_images, project_root

IMAGES = """\
apt: {suites: [s]}
qemu:
  min_version: "11.1"
  default: [here]
  named:
    here: {path: gicv5-no-such-qemu}
config: c
run: [one, two]
kernels:
  one: {image: Image, note: text}
  two: {like: one, cmdline: a=b, expect: {accessors: true, late_writes: exposed}}
"""


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GICV5_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("GICV5_DEBUG", raising=False)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    file = tmp_path / "images.yaml"
    file.write_text(IMAGES)
    return file


@pytest.fixture
def provisioned(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every kernel is at once there, except that `two` is not if it is called broken."""
    nothing = Artifact(Path("/nowhere"), "0")

    def kernel(_self: Provisioner, name: str) -> Kernel:
        if name == "broken":
            raise ProvisionError("make failed", "read the log")
        return Kernel(name, Path("/nowhere"), "7", "0", "test")

    monkeypatch.setattr(Provisioner, "qemu", lambda _s, _n=None: Qemu((), "11.1", "0", "test"))
    monkeypatch.setattr(Provisioner, "kernel", kernel)
    for part in ("plugin", "guest"):
        monkeypatch.setattr(Provisioner, part, lambda _s: nothing)
    monkeypatch.setattr(Provisioner, "initramfs", lambda _s, _k, _e=None: nothing)


Calls = list[list[str]]


@pytest.fixture
def children(monkeypatch: pytest.MonkeyPatch) -> Callable[[Sequence[int]], Calls]:
    """Replaces child processes: gives the exit codes to use, gets the calls."""

    def use(codes: Sequence[int]) -> Calls:
        calls: Calls = []

        def child(argv: Sequence[str], cwd: Path | None = None) -> int:
            calls.append([*argv])
            return codes[(len(calls) - 1) % len(codes)]

        monkeypatch.setattr(run, "child", child)
        monkeypatch.setattr(checks, "child", child)
        return calls

    return use


def test_images_as_text(images: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["images", "--images", str(images)]) == 0
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert lines[0].split() == ["name", "kind", "version", "sha256", "cached"]
    assert "    no executable gicv5-no-such-qemu" in lines
    assert "    expect: accessors yes, finalize per-vcpu, late writes exposed; a=b" in lines


def test_images_for_programs(images: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["images", "two", "--json", "--images", str(images)]) == 0
    (two,) = json.loads(capsys.readouterr().out)
    assert (two["name"], two["kind"], two["asked"]) == ("two", "image", "Image")
    assert two["expect"] == {
        "accessors": True,
        "finalize": "per-vcpu",
        "late_writes": "exposed",
        "irs": None,
    }


def test_an_error_is_two_lines_and_a_code(images: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("images", "run"):
        assert cli.main([command, "tow", "--images", str(images)]) == 4
        out, err = capsys.readouterr()
        assert out == ""
        assert err == (
            "gicv5: error: no kernel 'tow' in images.yaml; did you mean 'two'?\n"
            "  remedy: use one of: one, two\n"
        )


def test_debug_shows_where(images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GICV5_DEBUG", "1")
    with pytest.raises(ConfigError):
        cli.main(["images", "tow", "--images", str(images)])


def test_ctrl_c_is_one_line(
    images: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Provisioner, "describe", interrupt)
    assert cli.main(["images", "one", "--images", str(images)]) == 130
    assert capsys.readouterr().err == "gicv5: interrupted\n"


@pytest.mark.usefixtures("provisioned")
def test_run_goes_through_the_kernels(
    images: Path,
    children: Callable[[Sequence[int]], Calls],
    capsys: pytest.CaptureFixture[str],
) -> None:
    calls = children([0, 1])
    arguments = ["run", "--images", str(images), "--host-cpus", "4", "--qemu", "q", "--", "-k", "x"]
    assert cli.main(arguments) == 1
    suite = str(project_root() / "tests" / "target")
    common = ["--images", str(images), "--qemu", "q", "--host-cpus", "4", "-k", "x", suite]
    start = [sys.executable, "-m", "pytest", "--target=qemu", "--kernel"]
    assert calls == [[*start, "one", *common], [*start, "two", *common]]
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["one", "PASS", "0"] in [row[:3] for row in rows]
    assert ["two", "FAIL", "1"] in [row[:3] for row in rows]


@pytest.mark.usefixtures("provisioned")
def test_run_takes_a_test_by_path(images: Path, children: Callable[[Sequence[int]], Calls]) -> None:
    calls = children([0])
    cli.main(["run", "one", "--images", str(images), "--", f"{__file__}::test_x"])
    assert calls[0][-1] == f"{__file__}::test_x"


@pytest.mark.usefixtures("provisioned")
@pytest.mark.parametrize(
    ("codes", "expected"),
    [([0, 0], 0), ([0, 1], 1), ([3, 1], 1), ([0, 3], 3), ([5, 0], 5), ([-9, 0], 2)],
)
def test_exit_code_of_run(
    images: Path, children: Callable[[Sequence[int]], Calls], codes: list[int], expected: int
) -> None:
    children(codes)
    assert cli.main(["run", "--images", str(images)]) == expected


@pytest.mark.usefixtures("provisioned")
def test_a_kernel_that_cannot_be_built_does_not_stop_the_others(
    tmp_path: Path,
    children: Callable[[Sequence[int]], Calls],
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "images.yaml"
    file.write_text(IMAGES.replace("two", "broken").replace("[one, broken]", "[broken, one]"))
    calls = children([0])
    assert cli.main(["run", "--images", str(file)]) == 5
    assert len(calls) == 1
    out, err = capsys.readouterr()
    assert "ERROR (not provisioned)" in out
    assert err == "gicv5: error: make failed\n  remedy: read the log\n"


def test_the_projects_tests_all_run(
    children: Callable[[Sequence[int]], Calls], capsys: pytest.CaptureFixture[str]
) -> None:
    calls = children([0, 1, 0, 0, 0, 0, 0, 0, 0, 0])
    assert cli.main(["test"]) == 1
    assert len(calls) == 10
    assert capsys.readouterr().out.count("FAIL") == 1


def test_what_takes_hours_is_run_on_request(children: Callable[[Sequence[int]], Calls]) -> None:
    calls = children([0] * 20)
    assert cli.main(["test"]) == cli.main(["test", "--long"]) == 0
    with_long = [argv for argv in calls if "--long" in argv]
    assert [argv[-2:] for argv in with_long] == [["tests/selfcheck", "--long"]]


def test_only_run_passes_arguments_on(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["images", "--", "-k", "x"])
    assert caught.value.code == 4
    assert "after --" in capsys.readouterr().err


def test_a_reader_that_stops_early() -> None:
    argv = [sys.executable, "-m", "harness.cli", "images", "--images", str(default_images())]
    with subprocess.Popen(
        argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=project_root()
    ) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        child.stdout.close()
        assert child.stderr.read() == b""


# The bootstrap script, with a fake environment.


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "with space"
    folder.mkdir()
    shutil.copy(project_root() / "gicv5", folder)
    (folder / "pyproject.toml").write_text("a")
    return folder


def bootstrap(folder: Path, *arguments: str, path: str | None = None) -> tuple[int, str, str]:
    env = {**os.environ, **({"PATH": path} if path else {})}
    done = subprocess.run(
        ["/bin/sh", str(folder / "gicv5"), *arguments],
        capture_output=True,
        text=True,
        env=env,
        cwd="/",
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_bootstrap_when_all_is_there(checkout: Path) -> None:
    program = checkout / ".venv/bin/gicv5"
    program.parent.mkdir(parents=True)
    program.write_text('#!/bin/sh\nfor a; do echo "[$a]"; done\nexit 7\n')
    program.chmod(0o755)
    (checkout / ".venv/.pyproject.toml").write_text("a")
    assert bootstrap(checkout, "run", "a b", "") == (7, "[run]\n[a b]\n[]\n", "")


def test_bootstrap_without_python(checkout: Path) -> None:
    tools = checkout / "tools"
    tools.mkdir()
    for name in ("dirname", "readlink", "cmp"):
        (tools / name).symlink_to(shutil.which(name) or "")
    code, out, err = bootstrap(checkout, "run", path=str(tools))
    assert (code, out) == (5, "")
    assert err == (
        "gicv5: error: this machine lacks: python3 python3-venv\n  remedy: install them by hand\n"
    )
