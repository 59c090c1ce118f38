# SPDX-License-Identifier: GPL-2.0-or-later
"""A night of twelve variants, end to end: Avocado, hosts, the summary, the page."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from harness.errors import EXIT_INTERRUPTED
from harness.nightly.night import Changes, Night, Outcome, night_facts
from harness.provision import default_images

MATRIX = """
nightly:
  matrix:
    - {kernels: [stock, unmasked, masked], host_cpus: [1, 2], suites: [order, pmu]}
"""
FAILS = {f"{kernel}-{n}cpu-order" for kernel in ("stock", "unmasked") for n in (1, 2)}


def images(folder: Path) -> Path:
    """The project's own, with a smaller matrix; its paths are relative to the project."""
    root = default_images().parent
    text = default_images().read_text().partition("\nnightly:")[0] + MATRIX
    for part in ("kernel/", "docs/"):
        text = text.replace(f" {part}", f" {root}/{part}").replace(f"[{part}", f"[{root}/{part}")
    path = folder / "images.yaml"
    path.write_text(text)
    return path


def before(state: Path) -> None:
    """The night before: `masked` was broken, and what fails tonight passed."""
    known = {"counts": {"PASS": 1}, "provenance": {"kernel": "another"}}
    bad = {"order/2-vcpus-1-first": ("FAIL", "lost: CNTV(27)")}
    outcomes = [Outcome(id_, "x", **known) for id_ in sorted(FAILS)]
    outcomes.append(Outcome("masked-1cpu-order", "masked", bad=bad, **known))
    night = Night("2026-01-01T00:00:00+00:00", 1.0, tuple(outcomes))
    (state / "job-before").mkdir(parents=True)
    (state / "job-before" / "nightly.json").write_text(json.dumps(night_facts(night, Changes())))


def test_a_night_of_twelve_variants(tmp_path: Path) -> None:
    state = tmp_path / "state"
    before(state)
    argv = [sys.executable, "-m", "harness.cli", "nightly", "--jobs=2", f"--state={state}",
            f"--images={images(tmp_path)}"]  # fmt: skip
    done = subprocess.run(argv, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    (summary,) = state.glob("job-2*/nightly.json")
    found = json.loads(summary.read_text())
    statuses = {each["id"]: each["status"] for each in found["outcomes"]}
    assert len(statuses) == 12
    assert {id_ for id_, status in statuses.items() if status == "FAIL"} == FAILS
    assert {status for id_, status in statuses.items() if id_ not in FAILS} == {"PASS"}
    new, fixed = found["changes"]["new"], found["changes"]["fixed"]
    assert {change["variant"] for change in new} == FAILS
    assert [(change["variant"], change["what"]) for change in fixed] == [
        ("masked-1cpu-order", "order/2-vcpus-1-first")
    ]
    assert "fixed: 1\n" in done.stdout
    page = (summary.parent / "nightly.html").read_text()
    assert "masked-2cpu-pmu" in page
    for each in found["outcomes"]:  # in Avocado's layout, with each variant's own artefacts
        folder = summary.parent / each["folder"]
        assert (folder / "report.html").exists()
        assert (folder.parent / "stdout").exists()
    assert (summary.parent / "results.xml").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_night_leaves_nothing_and_is_none(tmp_path: Path, number: int) -> None:
    """Told alone, as a CI's cancel button does; a terminal would tell the variants, too."""
    state, matrix = tmp_path / "state", images(tmp_path)
    argv = [sys.executable, "-m", "harness.cli", "nightly", "--jobs=2", f"--state={state}",
            f"--images={matrix}"]  # fmt: skip
    with subprocess.Popen(argv, start_new_session=True, stderr=subprocess.DEVNULL) as night:
        wait_for(lambda: len(running(matrix)) >= 3, 60)  # itself, and two variants at least
        night.send_signal(number)
        assert night.wait(60) == EXIT_INTERRUPTED
    assert running(matrix) == []
    assert list(state.glob("job-*/nightly.json")) == []


def running(images: Path) -> list[str]:
    """Processes that have these images among their arguments."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            words = path.read_bytes().split(b"\0")
            if f"--images={images}".encode() in words and b"-m" in words[:2]:
                found.append(path.parent.name)
    return found


def wait_for(condition: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)
