# SPDX-License-Identifier: GPL-2.0-or-later
"""The variants as one Avocado job; what each left behind, read back.

Avocado runs one ``exec-test`` for each variant, several at a time, by the spawner that is asked
for.  A variant's pytest finds its output folder in AVOCADO_TEST_OUTPUTDIR and writes its results
there.  Avocado itself only tells exit code 0 from others; nightly.json has the verdicts.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from harness.errors import ConfigError
from harness.nightly.leftovers import nothing_left
from harness.nightly.night import Outcome, outcome_of
from harness.nightly.plan import ALL, Variant
from harness.provision.paths import project_root
from harness.results import jsonl
from harness.results.formats import load

SUITE: Final = "nightly"


@dataclass(frozen=True, slots=True)
class JobOptions:
    """``results``: Avocado makes the job's folder in it.  ``jobs``: variants at the same time."""

    results: Path
    images: Path
    jobs: int
    spawner: str = "process"
    timeout: int = 600


def run_job(variants: Sequence[Variant], options: JobOptions) -> Path:
    """Run them to the end; the job's folder.  KeyboardInterrupt: it was interrupted."""
    from avocado.core.job import Job  # noqa: PLC0415 (heavy; only if it is used)
    from avocado.core.nrunner.runnable import Runnable  # noqa: PLC0415
    from avocado.core.suite import TestSuite  # noqa: PLC0415

    config: dict[str, Any] = {
        "run.results_dir": str(options.results),
        "run.spawner": options.spawner,
        "run.max_parallel_tasks": options.jobs,
        "nrunner.spawner": options.spawner,
        "nrunner.max_parallel_tasks": options.jobs,
        "task.timeout.running": options.timeout,
        "sysinfo.collect.enabled": False,
        "core.show": ["none"],
    }
    tests = [
        Runnable("exec-test", sys.executable, *command(v, options.images), identifier=v.id)
        for v in variants
    ]
    suite = TestSuite(SUITE, config=config, tests=tests)
    with nothing_left(), _runners_found(), Job(config, [suite]) as job:
        job.run()
        if job.interrupted_reason is not None:  # Avocado has caught it
            raise KeyboardInterrupt
        return Path(job.logdir)


def command(variant: Variant, images: Path) -> list[str]:
    """The arguments of this environment's Python."""
    programs = str(project_root() / "tests" / "target" / "test_programs.py")
    where = programs if variant.suite == ALL else f"{programs}::{variant.suite}"
    return [
        "-m", "pytest", "--target=qemu", f"--images={images}", *variant.arguments(),
        "-q", "-p", "no:cacheprovider", where,
    ]  # fmt: skip


@contextmanager
def _runners_found() -> Iterator[None]:
    """Avocado looks for its runners in PATH: those of this environment come first.

    What its results plugins print goes to stderr: stdout is for the summary.
    """
    before = os.environ.get("PATH", "")
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), before])
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        os.environ["PATH"] = before


def read_job(folder: Path, variants: Sequence[Variant]) -> list[Outcome]:
    """What became of the variants that the job ran."""
    tasks = _tasks(folder)
    return [_read(variant, folder, tasks.get(variant.id, {})) for variant in variants]


def _tasks(folder: Path) -> dict[str, Mapping[str, Any]]:
    """Avocado's own word on each variant."""
    try:
        tests = json.loads((folder / "results.json").read_text())["tests"]
    except (OSError, ValueError, KeyError):
        return {}
    return {re.sub(rf"^{SUITE}-\d+-", "", test["id"]): test for test in tests}


def _read(variant: Variant, job: Path, task: Mapping[str, Any]) -> Outcome:
    known: dict[str, Any] = {"id": variant.id, "suite": variant.suite, "seed": variant.seed}
    output = next(
        (p for p in (job / "test-results").glob(f"{SUITE}-*")
         if re.fullmatch(rf"{SUITE}-\d+-{re.escape(variant.id)}", p.name)),
        None,
    )  # fmt: skip
    if output is None:
        return Outcome(kernel=variant.kernel, trouble="Avocado did not start it", code=6, **known)
    known["folder"] = str(output.relative_to(job))
    files = list(output.glob(f"*/{jsonl.FILE}"))
    status = str(task.get("status", "no status"))
    if len(files) != 1:
        words = _last_words(output) or task.get("fail_reason", "")
        trouble = f"{status}, and it left no results: {words}"
        return Outcome(kernel=variant.kernel, trouble=trouble, code=6, **known)
    known["folder"] = str(files[0].parent.relative_to(job))
    try:
        results = load(files[0])
    except ConfigError as e:
        return Outcome(kernel=variant.kernel, trouble=e.what, code=6, **known)
    outcome = outcome_of(results, **known)
    cut = "" if results.seconds or not results.cases else f"it did not end in order ({status})"
    return outcome if not cut else outcome_of(results, trouble=cut, code=6, **known)


def _last_words(output: Path) -> str:
    said = ""
    for name in ("stdout", "stderr"):
        path = output / name
        lines = path.read_text(errors="replace").split("\n") if path.exists() else []
        said = next((line.strip() for line in reversed(lines) if line.strip()), said)
    return said[:300]


def not_run(variant: Variant, why: str, code: int = 0, absent: bool = False) -> Outcome:
    """A variant that was not even tried."""
    return Outcome(
        variant.id, variant.kernel, variant.suite, variant.seed, code, "" if absent else why, absent
    )
