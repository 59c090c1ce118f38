# SPDX-License-Identifier: GPL-2.0-or-later
"""A campaign without kernels: build trees that copy the patch, hosts that are the model."""

from __future__ import annotations

import itertools
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from fake_target import FakeTarget

from harness.errors import ProvisionError, TargetError
from harness.model import Behaviour, Finalize
from harness.mutants import judge
from harness.mutants.campaign import BaselineFailed, Campaign, HostKind, Outcome, Plan
from harness.mutants.judge import MAX_COSTLY, Lab, Stop
from harness.mutants.matrix import Matrix, Status
from harness.mutants.patchfile import Mutant
from harness.mutants.results import LEFT_OUT, Result, Store
from harness.program import Program
from harness.provision import Expect
from harness.provision.worktree import Mutated
from harness.report.session import expectation
from harness.report.verdict import Outcome as JudgedAs
from harness.report.verdict import Verdict
from harness.suite import families, programs

FAMILIES = ("order", "non-v5")
PROGRAMS = {name: p for name, p in programs().items() if p.family in FAMILIES}
ORDER = [name for name in PROGRAMS if name.startswith("order/")]
# What an "Image" says, and what a host does that boots it.
KERNELS = {
    "not mutated": FakeTarget(),
    "order": FakeTarget(Behaviour(finalize=Finalize.FIRST_CREATED)),
    "crash": FakeTarget(mishaps=dict.fromkeys(ORDER, "crash")),
    "silent": FakeTarget(mishaps={ORDER[0]: "silent"}),
    "panic": FakeTarget(bad_boots=frozenset(range(99))),
    "nothing": FakeTarget(),
}


@dataclass
class Bench:
    """``images``: what was built; ``target``: what an unmutated kernel is."""

    folder: Path
    images: list[str] = field(default_factory=list)
    target: FakeTarget = field(default_factory=FakeTarget)
    told: list[str] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def trees(self, _kernel: str, count: int) -> Iterator[Sequence[FakeTree]]:
        yield [FakeTree(self, self.folder / f"Image-{n}") for n in range(count)]

    def lab(self, _host: HostKind, stop: Stop) -> Lab:
        def opened(image: Path) -> FakeTarget:
            what = image.read_text()
            return self.target if what == "not mutated" else replace(KERNELS[what])

        return Lab(opened, expectation(Expect()), stop)

    def run(self, *names: str, **plan: object) -> Outcome:
        return self.run_these(*(mutant(name) for name in names), **plan)

    def run_these(self, *mutants: Mutant, **plan: object) -> Outcome:
        store = Store(self.folder / "results")
        given = Plan(mutants, store, **plan)  # type: ignore[arg-type]
        heard: Callable[[Mutant, Result], None] = lambda m, _r: self.told.append(m.name)  # noqa: E731
        return Campaign(given, self.trees, self.lab, lambda _message: None, heard).run()


@dataclass
class FakeTree:
    bench: Bench
    path: Path

    def image(self) -> Path:
        self.bench.images.append("not mutated")
        self.path.write_text("not mutated")
        return self.path

    def mutated(self, patch: Path, base: str) -> Mutated:
        name = patch.stem
        self.bench.images.append(name)
        if name == "misfit":
            raise ProvisionError("misfit.patch does not fit Linux 7.3.4", "rebase misfit.patch")
        self.path.write_text(name)
        return Mutated(self.path, base if name == "same" else name, 4.0)


def mutant(name: str) -> Mutant:
    return Mutant(name, Path(f"{name}.patch"), name, "", ("order",), "", 1, "", ("x.c",), name)


def status(outcome: Outcome, name: str) -> Status:
    return Matrix.of([mutant(name)], outcome.results, {}, []).rows[0].suite


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """With two families only."""
    some = tuple(family for family in families() if family.name in FAMILIES)
    monkeypatch.setattr(judge, "families", lambda: some)
    return Bench(tmp_path)


def test_each_mutant_gets_what_it_deserves(bench: Bench) -> None:
    outcome = bench.run("order", "nothing", "misfit", "panic", "same", "silent", jobs=2)
    got = {name: status(outcome, name) for name in outcome.results}
    assert got == {
        "order": Status.KILLED, "nothing": Status.SURVIVED, "misfit": Status.ERROR,
        "panic": Status.KILLED, "same": Status.ERROR, "silent": Status.ERROR,
    }  # fmt: skip
    assert sorted(bench.told) == sorted(got)
    order = outcome.results["order"].suite
    assert order
    assert set(order.killers) == set(ORDER)
    assert order.first
    assert order.first.program == ORDER[0]
    assert order.first.number == list(order.verdicts).index(ORDER[0]) + 1
    assert "misfit.patch does not fit" in outcome.results["misfit"].error
    assert "rebase misfit.patch" in outcome.results["misfit"].error
    assert "byte for byte" in outcome.results["same"].error
    assert "Kernel panic" in outcome.results["panic"].no_boot


def test_hosts_are_not_wasted_on_a_family_that_kills_them(bench: Bench) -> None:
    run = bench.run("crash").results["crash"].suite
    assert run
    assert run.programs("crash") == ORDER[:MAX_COSTLY]
    assert run.programs(LEFT_OUT) == ORDER[MAX_COSTLY:]
    assert any(name.startswith("non-v5/") for name in run.programs("pass"))  # what came after


def test_a_race_is_run_until_it_shows(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its families only, and the unmutated kernel has to pass them as long."""
    runs: dict[bool, Counter[str]] = {True: Counter(), False: Counter()}
    seen = judge.Session.run

    def run(self: judge.Session, program: Program, upcoming: Sequence[Program] = ()) -> JudgedAs:
        mutated = self.target is not bench.target
        runs[mutated][program.name] += 1
        outcome = seen(self, program, upcoming)
        shows = mutated and program.name == ORDER[1] and runs[True][ORDER[1]] == 2
        return replace(outcome, verdict=Verdict.FAIL) if shows else outcome

    monkeypatch.setattr(judge.Session, "run", run)
    monkeypatch.setattr(judge, "RACE_SECONDS", 1.0)
    suite = bench.run_these(replace(mutant("nothing"), cpus=2)).results["nothing"].suite
    assert suite
    assert suite.killers == [ORDER[1]]
    assert suite.first
    assert suite.first.number == len(PROGRAMS) + 2
    assert runs[False][ORDER[0]] > 1
    assert {runs[False][name] for name in PROGRAMS if name not in ORDER} == {1}


def test_what_is_known_is_not_done_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.run("order", "nothing")
    assert bench.images == ["not mutated", "nothing", "order"]
    again = bench.run("order", "nothing", "crash")
    assert bench.images[3:] == ["not mutated", "crash"]
    assert again.redone == 1
    assert status(again, "order") is Status.KILLED
    clock = itertools.count()
    monkeypatch.setattr(judge.time, "monotonic", lambda: next(clock) / 10)  # of no machine
    fuzzed = bench.run("order", limit=5.0)
    assert bench.images[5:] == ["not mutated", "order"]
    fuzz = fuzzed.results["order"].fuzz
    assert fuzz
    assert fuzz.kill
    assert fuzzed.results["order"].suite == again.results["order"].suite


def test_a_new_program_is_run_on_every_mutant(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.run("order")
    more = tuple(family for family in families() if family.name in (*FAMILIES, "pmu"))
    monkeypatch.setattr(judge, "families", lambda: more)
    asked: list[str] = []
    seen = judge.Session.run

    def run(self: judge.Session, program: Program, upcoming: Sequence[Program] = ()) -> object:
        asked.append(program.name)
        return seen(self, program, upcoming)

    monkeypatch.setattr(judge.Session, "run", run)
    outcome = bench.run("order")
    suite = outcome.results["order"].suite
    assert suite
    assert len(suite.verdicts) > len(PROGRAMS)
    assert sum(name in PROGRAMS for name in asked) == len(PROGRAMS)  # those of the baseline


def test_fast_stops_at_the_first_kill(bench: Bench) -> None:
    run = bench.run("order", fast=True).results["order"].suite
    assert run
    assert list(run.verdicts)[-1] == ORDER[0]
    assert bench.run("order", fast=True).redone == 0
    assert bench.run("order").redone == 1


def test_mutants_of_a_kernel_that_fails_are_not_judged(bench: Bench) -> None:
    bench.target = FakeTarget(Behaviour(finalize=Finalize.FIRST_CREATED))
    with pytest.raises(BaselineFailed, match=f"not mutated, does not pass: {ORDER[0]}") as e:
        bench.run("order")
    assert e.value.exit_code == 1
    bench.target = KERNELS["silent"]
    with pytest.raises(TargetError, match="did not answer in time"):
        bench.run("order")
    assert bench.images == ["not mutated"] * 2


def test_ctrl_c_keeps_what_is_done_and_nothing_half(bench: Bench) -> None:
    store = Store(bench.folder / "results")
    plan = Plan([mutant("nothing"), mutant("order")], store, jobs=1)

    def told(_mutant: Mutant, _result: Result) -> None:
        campaign._stop.set()  # as after KeyboardInterrupt, from the other side

    campaign = Campaign(plan, bench.trees, bench.lab, lambda _message: None, told)
    campaign.run()
    assert store.load("nothing").suite
    assert not store.path("order").exists()
