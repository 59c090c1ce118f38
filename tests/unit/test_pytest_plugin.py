# SPDX-License-Identifier: GPL-2.0-or-later
"""The plugin as a user meets it: whole pytest sessions against targets without a kernel."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET

import pytest
from plugin_session import HERE, PLUGIN, ROOT, Run

from harness.report.verdict import Verdict
from harness.results.formats import load

pytest_plugins = ["pytester"]


def test_all_pass(run: Run) -> None:
    result = run("--target=good")
    result.assert_outcomes(passed=5)
    assert result.ret == 0
    assert run.events() == ["provision", "boot 1", "close"]
    result.stdout.fnmatch_lines([
        "target: good, kernel fake",
        "  qemu: 11.1.3",
        "  expected: accessors as probed, finalize per-vcpu, late writes*",
        "*GICv5 verdicts*",
        "family*pass*fail*",
        "order*2*.*who runs first",
        "plain*3*.*what is simple",
        "total*5*",
        "host: Linux 7.3.4, VHE, 1 CPU, PMUv3, VGICv5, CPU_SYSREGS, no IRS",
    ])  # fmt: skip
    written = sorted(path.name for path in (run.path / "gicv5-results").glob("*/*"))
    assert written == ["report.html", "results.jsonl"]


def test_nothing_to_run_is_the_users_mistake(run: Run) -> None:
    result = run("--target=good", "-k", "mistyped")
    assert result.ret == 4
    result.stdout.fnmatch_lines(["nothing to run: no program fits (families: order, plain)"])


def test_a_failure_is_explained_without_a_traceback(run: Run) -> None:
    result = run("--target=old", "--kernel=some kernel", "--expect=accessors=true")
    result.assert_outcomes(passed=4, failed=1)
    assert result.ret == 1
    result.stdout.fnmatch_lines([
        "*order/second-first*",
        "FAIL: ICC_PPI_ENABLER0_EL1: lost: CNTV(27), CNTP(30)*",
        "-->   7.0*write ICC_PPI_ENABLER0_EL1 = ~0",
        "*exactly like Linux 7.1-7.3*",
        "rerun:      *pytest --target=old '--kernel=some kernel' --expect=accessors=true "
        "target/test_programs.py::order::second-first",
        "artefacts:  gicv5-results/*/fake/order/second-first",
        "diagnosis of 1: the kernel does exactly what finalize first-created does",
        "FAILED target/test_programs.py::order::second-first - FAIL: ICC_PPI_ENABLER0*",
    ])  # fmt: skip
    result.stdout.no_fnmatch_line("*Traceback*")
    result.stdout.no_fnmatch_line("*pytest_items.py*")
    (facts,) = run.path.glob("gicv5-results/*/fake/order/second-first/provenance.json")
    assert json.loads(facts.read_text())["diagnosis"] == "finalize first-created"
    # What the report says to type works, and selects this one program.
    again = run("--target=old", tests="target/test_programs.py::order::second-first")
    again.assert_outcomes(failed=1)


def test_declared_behaviour_can_be_overridden(run: Run) -> None:
    run("--target=old", "--expect=finalize=first-created").assert_outcomes(passed=5)


@pytest.mark.parametrize("kind", ["crash", "warn"])
def test_a_crash_does_not_stop_the_rest(run: Run, kind: str) -> None:
    result = run(f"--target={kind}", "-v")
    result.assert_outcomes(passed=4, failed=1)
    result.stdout.fnmatch_lines([
        "*::plain::one CRASH*", "*::plain::two PASSED*", "*::plain::three PASSED*",
        "CRASH: the kernel *", "kernel report*",
        "total*4*.*1*", "kernel report, 1 program: *vgic_v5*",
    ])  # fmt: skip
    assert run.events() == ["provision", "boot 1", "close", "boot 2", "close"]
    log = "console.txt" if kind == "crash" else "kernel-log.txt"
    assert list(run.path.glob(f"gicv5-results/*/fake/plain/one/{log}"))


def test_what_the_platform_does_not_know_is_shown(run: Run) -> None:
    result = run("--target=unknown")
    result.assert_outcomes(passed=5)
    result.stdout.fnmatch_lines(["platform, 1 time: gicv5: warning: unknown register S3_0_C12*"])


def test_what_a_machine_said_before_it_died_is_shown(run: Run) -> None:
    result = run("--target=unknown-crash")
    result.assert_outcomes(passed=4, failed=1)
    result.stdout.fnmatch_lines(["platform, 1 time: gicv5: warning: unknown register S3_0_C12*"])


def test_errors_are_never_called_failures_of_the_kernel(run: Run) -> None:
    result = run("--target=silent", "-v")
    result.assert_outcomes(passed=4, errors=1)
    assert result.ret == 6
    result.stdout.fnmatch_lines(["*::plain::one ERROR*", "ERROR: the host did not answer in time*"])
    result = run("--target=broken")
    result.assert_outcomes(passed=4, errors=1)
    result.stdout.fnmatch_lines(["ERROR: ZeroDivisionError: a defect of the harness"])


def test_a_host_that_does_not_come_back_is_given_up(run: Run) -> None:
    result = run("--target=lost")
    result.assert_outcomes(passed=2, failed=1, errors=2)
    result.stdout.fnmatch_lines(["ERROR: given up: 3 boots failed in a row*"])
    assert run.events().count("boot 4") == 1
    assert "boot 5" not in run.events()


def test_ctrl_c_leaves_nothing(run: Run) -> None:
    result = run("--target=interrupt")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert run.events() == ["provision", "boot 1", "close"]


def test_sigterm_leaves_nothing(run: Run) -> None:
    result = run("--target=terminate")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert run.events() == ["provision", "boot 1", "close"]


def test_provisioning_fails_once_and_cleanly(run: Run) -> None:
    result = run("--target=unprovisioned")
    assert result.ret == 5
    text = result.stdout.str() + result.stderr.str()
    assert text.count("linux-source-7.3: no such package") == 1
    assert "remedy: gicv5 images --refresh" in text
    assert "Traceback" not in text
    assert "Exit" not in text


def test_a_kernel_that_never_boots_ends_the_session(run: Run) -> None:
    result = run("--target=unbootable")
    assert result.ret == 6
    text = result.stdout.str() + result.stderr.str()
    assert "the host did not boot" in text
    assert "remedy: read its console" in text
    assert "Kernel panic - not syncing: VFS: no root" in text
    assert "Traceback" not in text
    assert run.events() == ["provision", "boot 1"]
    pytest.importorskip("xdist")
    parallel = run("--target=unbootable", "-n2")
    parallel.assert_outcomes(errors=5)
    parallel.stdout.fnmatch_lines(["ERROR: the host did not boot*read its console*"])


def test_junit(run: Run) -> None:
    run("--target=old", "--junitxml=junit.xml")
    (case,) = ET.parse(run.path / "junit.xml").findall(".//testcase[@name='second-first']")
    assert case.get("classname") == "target.test_programs.order"
    found = {each.get("name"): each.get("value") for each in case.findall(".//property")}
    assert found["verdict"] == "fail"
    assert found["family"] == "order"
    assert found["program"] == "order/second-first"
    assert found["kernel"] == "linux 7.3.4, sha256 0123456789ab"
    assert found["qemu"] == "11.1.3"
    assert found["plugin"] == "sha256 ba9876543210"
    assert found["agent"] == "sha256 abcdef012345"
    assert found["diagnosis"] == "finalize first-created"
    assert found["host"].startswith("Linux 7.3.4, VHE") if found["host"] else False
    failure = case.find("failure")
    assert failure is not None
    assert "lost: CNTV(27), CNTP(30)" in (failure.text or "")


def test_each_xdist_worker_has_a_host(run: Run) -> None:
    pytest.importorskip("xdist")
    result = run("--target=crash", "-n2", "--dist=load")
    result.assert_outcomes(passed=4, failed=1)
    for worker in ("gw0", "gw1"):
        events = run.events(worker)
        assert events.count("close") == len([e for e in events if e.startswith("boot")]) >= 1
    assert not [event for event in run.events("main") if event.startswith("boot")]
    result.stdout.fnmatch_lines(["*GICv5 verdicts*", "total*4*1*"])
    (folder,) = run.path.glob("gicv5-results/*")
    results = load(folder)  # of both workers, in one file
    assert {case.worker for case in results.cases} == {"gw0", "gw1"}
    assert results.counts() == {Verdict.PASS: 4, Verdict.CRASH: 1}
    assert 2 <= len(results.boots) <= 3  # one again, if the crash was not the last
    assert "plain/one" in (folder / "report.html").read_text()


def test_fixtures(run: Run) -> None:
    run.pytester.makepyfile(
        test_host="""
        def test_command(gicv5_host):
            assert gicv5_host.command(["uname", "-r"], 5).text == "uname -r"
        def test_again(gicv5_host, gicv5):
            assert gicv5.boots == 1
        """
    )
    run("--target=good", tests="test_host.py").assert_outcomes(passed=2)


def test_interrupt_from_outside(run: Run) -> None:
    """A real SIGINT, while a program runs."""
    (run.path / "slow.py").write_text(
        "import time\nimport fake_target\n"
        "plain = fake_target.FakeHost.model\n"
        "def model(self, program):\n    time.sleep(0.3)\n    return plain(self, program)\n"
        "fake_target.FakeHost.model = model\n"
    )
    folder = run.path / "target"
    folder.mkdir()
    (folder / "test_programs.py").write_text("")
    env = os.environ | {"PYTHONPATH": f"{ROOT}:{HERE}:{run.path}"}
    argv = [sys.executable, "-m", "pytest", *PLUGIN, "-p", "slow", "--target=good", "target"]
    with subprocess.Popen(
        argv, cwd=run.path, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as child:
        end = time.monotonic() + 60
        while "boot 1" not in run.events() and time.monotonic() < end:
            time.sleep(0.05)
        child.send_signal(signal.SIGINT)
        assert child.wait(30) == pytest.ExitCode.INTERRUPTED
    assert run.events()[-1] == "close"


def test_fuzz_is_one_more_test(run: Run) -> None:
    result = run("--target=good", "--fuzz=1", "--fuzz-seed=x", "-k", "fuzz")
    result.assert_outcomes(passed=1, deselected=5)
    result.stderr.fnmatch_lines(["*fuzzing for 1 s with --fuzz-seed x"])


def test_what_fuzz_finds_fails_it(run: Run) -> None:
    result = run("--target=old", "--fuzz=1", "-k", "fuzz")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["finding: *", "shrunk in *", "rerun: * gicv5 replay *.program *"])
    assert list(run.path.glob("gicv5-results/*/fuzz/*.program"))


def test_a_machine_that_does_not_boot_is_no_finding(run: Run) -> None:
    result = run("--target=unbootable", "--fuzz=1", "-k", "fuzz")
    assert result.ret == 6
    result.stdout.fnmatch_lines(["*ERROR: the host did not boot*"])
