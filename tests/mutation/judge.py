# SPDX-License-Identifier: GPL-2.0-or-later
"""Which test kills a mutant?"""

from __future__ import annotations

import gc
import json
import os
import resource
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from functools import partial
from time import perf_counter
from types import CodeType, FrameType
from typing import Any

import pytest
from importer import Importer
from mutants import SURVIVED, UNTESTED, Key, configured, killed, of_mutant

ENDLESS = "killed: it does not end, or uses all memory"
MEMORY = 8 << 30  # bytes of address space: a mutant may allocate without end

Tell = Callable[[str, str], None]  # of a mutant, its verdict


def forked(work: Callable[[], object], silent: bool = True) -> Any:
    """What ``work`` returned in a forked process, by JSON; None if it did not return."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(reader)
            if silent:
                silence = os.open(os.devnull, os.O_WRONLY)
                os.dup2(silence, 1)
                os.dup2(silence, 2)
                resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
            with os.fdopen(writer, "w") as pipe:
                json.dump(work(), pipe)
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        said = pipe.read()
    os.waitpid(pid, 0)
    return json.loads(said) if said else None


@contextmanager
def profiled(entered: set[CodeType]) -> Iterator[None]:
    """Collect the code of every function that is called."""

    def profile(frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            entered.add(frame.f_code)

    sys.setprofile(profile)
    try:
        yield
    finally:
        sys.setprofile(None)


def limit(seconds: float) -> None:
    """End this process after so long: of CPU time, or (sleeping) of a hundred times that."""
    signal.setitimer(signal.ITIMER_PROF, seconds)
    signal.setitimer(signal.ITIMER_REAL, 100 * seconds)


class Judge:
    """A pytest plugin that runs the tests not once but for each mutant.

    ``early``: what ran before the first test; its survivors are not told, they are tried afresh.
    ``called``: the tests that call each function; ``seconds``: of each test.
    """

    def __init__(
        self, importer: Importer, mutants: Sequence[str], tell: Tell, early: Set[CodeType]
    ) -> None:
        self.importer, self.mutants, self.tell, self.early = importer, mutants, tell, early
        self.failed = ""
        self.called: dict[Key, list[str]] = {}
        self.seconds: dict[str, float] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.failed = self.failed or report.nodeid

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        sys.setprofile(None)
        found = forked(lambda: self.observe(session.items))
        if not found or found[0]:
            print(f"fails without any mutant: {found and found[0]}", file=sys.stderr)
            pytest.exit("nothing can be judged", 1)
        _, called, self.seconds = found
        self.called = {(module, name): tests for module, name, tests in called}
        items = {item.nodeid: item for item in session.items}
        gc.freeze()  # a collection in a child would copy all memory
        killers: dict[Key, list[str]] = {}
        for mutant in self.mutants:
            key = of_mutant(mutant)
            likely = killers.setdefault(key, [])
            tests = sorted(self.called.get(key, ()), key=self.seconds.__getitem__)
            order = dict.fromkeys([*reversed(likely), *tests])
            work = partial(self.judge, mutant, [items[test] for test in order])
            verdict = (forked(work) or ENDLESS) if order else UNTESTED
            if (killer := verdict.removeprefix("killed: ")) in items:
                likely.append(killer)
            if killed(verdict) or self.importer.functions[key][0].__code__ not in self.early:
                self.tell(mutant, verdict)
        return True

    def observe(self, items: Sequence[pytest.Item]) -> object:
        """Run all tests once: the one that failed if any, who calls what, how long each takes."""
        by_code = {f.__code__: key for key, (f, _) in self.importer.functions.items()}
        called: dict[Key, set[str]] = {}
        for item, following in zip(items, [*items[1:], None], strict=True):
            entered: set[CodeType] = set()
            started = perf_counter()
            with profiled(entered):
                self.run(item, following)
            self.seconds[item.nodeid] = perf_counter() - started
            for code in entered & by_code.keys():
                called.setdefault(by_code[code], set()).add(item.nodeid)
        return self.failed, [(*key, sorted(tests)) for key, tests in called.items()], self.seconds

    def judge(self, mutant: str, items: Sequence[pytest.Item]) -> str:
        self.importer.swap(mutant)
        for item, following in zip(items, [*items[1:], None], strict=True):
            limit(5 + 10 * self.seconds[item.nodeid])
            self.run(item, following)
            if self.failed:
                return f"killed: {self.failed}"
        return SURVIVED

    @staticmethod
    def run(item: pytest.Item, following: pytest.Item | None) -> None:
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)


class Afresh:
    """A pytest plugin: the tests, fastest first, each with its limit."""

    def __init__(self, seconds: Mapping[str, float]) -> None:
        self.seconds = seconds
        self.failed = ""

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items.sort(key=lambda item: self.seconds[item.nodeid])

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        limit(5 + 10 * self.seconds[item.nodeid])

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.failed = self.failed or report.nodeid


def pytest_main(plugin: object, tests: Sequence[str]) -> int:
    quietly = ["-x", "-o", "addopts=", "-p", "no:terminal", *configured()["pytest_add_cli_args"]]
    return int(pytest.main([*quietly, *tests], plugins=[plugin]))


# In these two the process must not have imported any of the modules yet.


def judge_all(
    codes: Mapping[str, CodeType], mutants: Sequence[str], tests: Sequence[str], tell: Tell
) -> tuple[list[Key], dict[str, float], list[str]]:
    """The functions that were called before the first test; how long each test takes; and which
    modules of others were imported."""
    importer = Importer(codes)
    importer.install()
    early: set[CodeType] = set()
    judge = Judge(importer, mutants, tell, early)
    with profiled(early):  # until the tests are run
        pytest_main(judge, tests)
    called = [key for key, (f, _) in importer.functions.items() if f.__code__ in early]
    files = {name: str(getattr(m, "__file__", "")) for name, m in sys.modules.items()}
    return called, judge.seconds, [name for name in files if "site-packages" in files[name]]


def judge_afresh(
    codes: Mapping[str, CodeType], mutant: str, tests: Sequence[str], seconds: Mapping[str, float]
) -> str:
    Importer(codes, mutant).install()
    plugin = Afresh(seconds)
    failed = pytest_main(plugin, tests)
    return (
        f"killed: {plugin.failed or 'the tests cannot even be collected'}" if failed else SURVIVED
    )
