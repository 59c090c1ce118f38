# SPDX-License-Identifier: GPL-2.0-or-later
"""The plugin's options, and its life beside other plugins."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from plugin_session import HERE, INSTALLED, PLUGIN, ROOT, Run

pytest_plugins = ["pytester"]


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("--target=qmeu", "--target=qmeu: no such target; one of: qemu, *good*"),
        ("--host-cpus=9", "--host-cpus=9: the GICv5 platform has 1 to 8 CPUs"),
        ("--expect=colour=red", "--expect=colour=red: KEY is one of: accessors, finalize, *"),
        ("--expect=finalize=x", "--expect=finalize=x: finalize is first-created or per-vcpu"),
    ],
)
def test_a_wrong_option_says_what_is_right(run: Run, option: str, said: str) -> None:
    result = run("--gicv5-target=good", option)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {said}"])
    result.stderr.no_fnmatch_line("*Traceback*")


def test_collecting_does_not_provision(run: Run) -> None:
    result = run("--target=unprovisioned", "--collect-only", "-q")
    assert result.ret == 0
    result.stdout.fnmatch_lines([
        "target/test_programs.py::order::second-first", "target/test_programs.py::plain::three",
    ])  # fmt: skip


@pytest.mark.parametrize(
    ("select", "number"),
    [(("-k", "order"), 2), (("-k", "second or three"), 2), ((), 2)],
)
def test_selection(run: Run, select: tuple[str, ...], number: int) -> None:
    tests = "target" if select else "target/test_programs.py::order"
    run("--target=good", *select, tests=tests).assert_outcomes(
        passed=number, deselected=5 - number if select else 0
    )


def test_without_a_target_nothing_is_imported(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makepyfile(
        """
        import sys
        def test_lazy():
            heavy = {"harness.model", "harness.suite", "harness.provision", "harness.wire",
                     "harness.report.verdict", "pydantic", "yaml", "qemu.qmp"}
            assert not heavy & set(sys.modules)
        """
    )
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    pytester.runpytest_subprocess(*PLUGIN).assert_outcomes(passed=1)


@pytest.mark.parametrize("ours_first", [True, False])
def test_another_plugin_has_target(run: Run, ours_first: bool) -> None:
    (run.path / "embedded.py").write_text(
        "def pytest_addoption(parser):\n"
        "    parser.getgroup('embedded').addoption('--target', help='chip')\n"
    )
    run.monkeypatch.setenv("PYTHONPATH", f"{ROOT}:{HERE}:{run.path}")
    theirs = ("-p", "embedded")
    args = (*PLUGIN, *theirs) if ours_first else (*theirs, *PLUGIN)
    folder = run.path / "target"
    folder.mkdir()
    (folder / "test_programs.py").write_text("")
    result = run.pytester.runpytest_subprocess(
        *args, "--target=esp32", "--gicv5-target=good", "target"
    )
    result.assert_outcomes(passed=5)
    (run.path / "test_x.py").write_text("def test_x(request):\n    pass\n")
    only_theirs = run.pytester.runpytest_subprocess(*args, "--target=esp32", "test_x.py")
    only_theirs.assert_outcomes(passed=1)


def test_a_conftest_has_target(run: Run) -> None:
    path = run.path / "conftest.py"
    path.write_text(
        path.read_text() + "\ndef pytest_addoption(parser):\n    parser.addoption('--target')\n"
    )
    run("--target=esp32", "--gicv5-target=good").assert_outcomes(passed=5)


@pytest.mark.parametrize("also", [(), ("-p", "harness.pytest_plugin")])
def test_as_an_entry_point(run: Run, also: tuple[str, ...]) -> None:
    if not INSTALLED:
        info = run.path / "gicv5_harness-0.1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            "Metadata-Version: 2.1\nName: gicv5-harness\nVersion: 0.1.0\n"
        )
        (info / "entry_points.txt").write_text(
            "[pytest11]\nharness.pytest_plugin = harness.pytest_plugin\n"
        )
    run.monkeypatch.setenv("PYTHONPATH", f"{ROOT}:{HERE}:{run.path}")
    folder = run.path / "target"
    folder.mkdir()
    (folder / "test_programs.py").write_text("")
    result = run.pytester.runpytest_subprocess(*also, "--target=good", "target")
    result.assert_outcomes(passed=5)


def _here(*args: str) -> subprocess.CompletedProcess[str]:
    """pytest in this project itself."""
    env = os.environ | {"PYTHONPATH": str(ROOT), "PYTEST_ADDOPTS": ""}
    argv = [sys.executable, "-m", "pytest", *PLUGIN, *args]
    return subprocess.run(
        argv, cwd=ROOT, env=env, capture_output=True, text=True, timeout=120, check=False
    )


def test_in_this_project_the_target_tests_need_a_target() -> None:
    done = _here("tests/target", "--collect-only", "-q")
    assert done.returncode == pytest.ExitCode.NO_TESTS_COLLECTED
    assert "tests/target: not collected, it needs a kernel: pytest --target=qemu" in done.stdout


@pytest.mark.parametrize(
    "more", [(), ("--kernel", "/"), ("--kernel", "/tmp", "tests/target")], ids=["", "path", "both"]
)
def test_in_this_project_a_target_alone_means_the_suite(more: tuple[str, ...]) -> None:
    done = _here("--target=qemu", "--collect-only", "-q", *more)
    assert done.returncode == 0, done.stdout + done.stderr
    ids = [line for line in done.stdout.splitlines() if "::" in line]
    assert len(ids) > 500
    assert len(ids) == len(set(ids))
    assert {line.split("::")[0] for line in ids} == {"tests/target/test_programs.py"}
