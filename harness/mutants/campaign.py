# SPDX-License-Identifier: GPL-2.0-or-later
"""All mutants, on as many build trees at once as there are jobs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import NamedTuple, Protocol

from harness.errors import EXIT_KERNEL, BootError, HarnessError, ProvisionError, TargetError
from harness.mutants.judge import Interrupted, Lab, Stop, Survey, boot_report
from harness.mutants.patchfile import DEFAULT_KERNEL, Mutant
from harness.mutants.results import (
    FuzzRun,
    Result,
    Store,
    SuiteRun,
    merged,
    missing,
    still_valid,
)
from harness.provision.cache import digest, file_sha256
from harness.provision.image_file import image_version
from harness.provision.worktree import Mutated

Told = Callable[[Mutant, Result], None]


class BaselineFailed(HarnessError):
    """The kernel without any mutation does not pass: nothing can be said of its mutants."""

    exit_code = EXIT_KERNEL


@dataclass(frozen=True)
class Plan:
    """What is asked for.  ``suite``, ``limit``: the suite, seconds of the fuzzer (0: none).

    ``kernel``: for mutants that name none.  ``fast``: stop the suite at the first kill.
    """

    mutants: Sequence[Mutant]
    store: Store
    suite: bool = True
    limit: float = 0.0
    fast: bool = False
    jobs: int = 2
    kernel: str = DEFAULT_KERNEL

    def host_of(self, mutant: Mutant) -> HostKind:
        return HostKind(mutant.kernel or self.kernel, mutant.cpus)


class HostKind(NamedTuple):
    """What a mutant is made of, and what it runs on."""

    kernel: str
    cpus: int

    def __str__(self) -> str:
        return self.kernel + (f" on {self.cpus} CPUs" if self.cpus > 1 else "")


@dataclass(frozen=True)
class Baseline:
    """The unmutated kernel, judged in the same session: the yardstick for all times.

    ``programs``: those of the suite that can run on it.
    """

    host: HostKind
    version: str
    programs: tuple[str, ...]
    suite: SuiteRun | None = None
    fuzz: FuzzRun | None = None


@dataclass(frozen=True)
class Outcome:
    """All of a campaign.  ``seconds``: from start to end; ``redone``: mutants not taken over."""

    baselines: tuple[Baseline, ...]
    results: dict[str, Result]
    seconds: float
    redone: int


class Tree(Protocol):
    """See provision/worktree.py."""

    def image(self) -> Path: ...

    def mutated(self, patch: Path, base: str) -> Mutated: ...


@dataclass
class Campaign:
    """Runs a plan.

    ``trees(kernel, count)``: built trees of a kernel, as long as the block lasts.
    ``lab(host, stop)``: how its Images are judged.
    ``told`` hears of each mutant as it is done, from any thread.
    """

    plan: Plan
    trees: Callable[[str, int], AbstractContextManager[Sequence[Tree]]]
    lab: Callable[[HostKind, Stop], Lab]
    progress: Callable[[str], None]
    told: Told
    _stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> Outcome:
        """BaselineFailed; KeyboardInterrupt, after what was done is stored."""
        started = time.monotonic()
        results: dict[str, Result] = {}
        baselines = []
        redone = 0
        for host in dict.fromkeys(map(self.plan.host_of, self.plan.mutants)):
            mutants = [m for m in self.plan.mutants if self.plan.host_of(m) == host]
            baseline, new = self._on(host, mutants, results)
            baselines.append(baseline)
            redone += new
        return Outcome(tuple(baselines), results, time.monotonic() - started, redone)

    def _on(
        self, host: HostKind, mutants: list[Mutant], results: dict[str, Result]
    ) -> tuple[Baseline, int]:
        plan = self.plan
        with ExitStack() as stack:
            count = max(1, min(plan.jobs, len(mutants)))
            trees = stack.enter_context(self.trees(host.kernel, count))
            lab = self.lab(host, self._stop.is_set)
            self.progress(f"{host}, not mutated: building and judging it")
            image = trees[0].image()
            base_sha = file_sha256(image)
            survey = lab.survey(image)
            again = {family for mutant in mutants for family in mutant.races}
            baseline = self._baseline(host, lab, survey, image, again)
            todo: SimpleQueue[_Task] = SimpleQueue()
            for mutant in sorted(mutants, key=lambda m: (m.files, m.name)):
                task = self._task(mutant, base_sha, survey)
                results[mutant.name] = task.known
                if task.wants(plan):
                    todo.put(task)
            new = todo.qsize()
            self._work(trees, lab, todo, results)
            return baseline, new

    def _task(self, mutant: Mutant, base_sha: str, survey: Survey) -> _Task:
        plan = self.plan
        suite_key = digest([mutant.diff, base_sha, survey.tools])
        fuzz_key = digest([mutant.diff, base_sha, survey.tools, survey.generator])
        stored = plan.store.load(mutant.name)
        known = still_valid(stored, suite_key, fuzz_key, plan.limit, plan.fast)
        return _Task(mutant, known, suite_key, fuzz_key, base_sha, survey.programs)

    def _work(
        self, trees: Sequence[Tree], lab: Lab, todo: SimpleQueue[_Task], results: dict[str, Result]
    ) -> None:
        def worker(tree: Tree) -> None:
            while not self._stop.is_set():
                try:
                    task = todo.get_nowait()
                except Empty:
                    return
                result = self._one(tree, lab, task)
                results[task.mutant.name] = result
                self.plan.store.save(result)
                self.told(task.mutant, result)

        with ThreadPoolExecutor(len(trees)) as pool:
            running = [pool.submit(worker, tree) for tree in trees]
            try:
                for future in running:
                    future.result()
            except BaseException as e:
                self._stop.set()
                if isinstance(e, Interrupted):
                    raise KeyboardInterrupt from None
                raise

    def _one(self, tree: Tree, lab: Lab, task: _Task) -> Result:
        mutant, result = task.mutant, task.known
        try:
            made = tree.mutated(mutant.path, task.base_sha)
        except ProvisionError as e:
            return replace(result, error=f"{mutant.path}: {e.what} (remedy: {e.remedy})")
        if made.sha256 == task.base_sha and not mutant.equivalent:
            return replace(
                result,
                error=f"{mutant.path}: the kernel is the same with and without it, byte for byte "
                "(remedy: mutate what this configuration compiles, or declare it Equivalent)",
            )
        try:
            if self.plan.suite and (todo := missing(result.suite, task.programs)):
                suite = lab.suite(made.image, task.programs, task.suite_key, only=todo,
                                  fast=self.plan.fast, again=mutant.races)  # fmt: skip
                suite = merged(result.suite, suite, task.programs)
                result = replace(result, suite=replace(suite, build_seconds=made.seconds))
            if self.plan.limit and result.fuzz is None:
                result = replace(result, fuzz=lab.fuzz(made.image, self.plan.limit, task.fuzz_key))
        except BootError as e:
            if report := boot_report(e):
                return replace(result, no_boot=report)
            return replace(result, error=f"{mutant.path}: {e}")
        except TargetError as e:
            return replace(result, error=f"{mutant.path}: {e}")
        return result

    def _baseline(
        self, host: HostKind, lab: Lab, survey: Survey, image: Path, again: Collection[str]
    ) -> Baseline:
        """Without mutation, the whole suite passes and the fuzzer finds nothing."""
        plan = self.plan
        suite = lab.suite(image, survey.programs, again=again) if plan.suite else None
        fuzz = lab.fuzz(image, plan.limit) if plan.limit else None
        bad = suite.killers if suite else []
        if fuzz and fuzz.kill:
            bad.append(f"{fuzz.kill.program}: {fuzz.kill.message}")
        again = f"gicv5 run {host.kernel} --host-cpus {host.cpus}"
        remedy = f"{again} says why; mutants of it would prove nothing"
        if bad:
            more = f" (and {len(bad) - 1} more)" if len(bad) > 1 else ""
            raise BaselineFailed(f"{host}, not mutated, does not pass: {bad[0]}{more}", remedy)
        errors = [error for run in (suite, fuzz) if run for error in run.errors]
        if errors or not survey.programs:
            what = errors[0] if errors else "it can run no program of the suite"
            raise TargetError(f"{host}, not mutated: {what}", remedy)
        return Baseline(host, image_version(image) or "", tuple(survey.programs), suite, fuzz)


@dataclass(frozen=True)
class _Task:
    mutant: Mutant
    known: Result
    suite_key: str
    fuzz_key: str
    base_sha: str
    programs: dict[str, str]

    def wants(self, plan: Plan) -> bool:
        known = self.known.suite
        done = known is not None and (not missing(known, self.programs) or not known.whole)
        return (plan.suite and not done) or (plan.limit > 0 and self.known.fuzz is None)
