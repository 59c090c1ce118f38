# SPDX-License-Identifier: GPL-2.0-or-later
"""A session: one kernel, one host at a time, a fresh one whenever the last cannot be trusted."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, replace
from typing import Final

from harness.console import find_reports
from harness.errors import BootError, HarnessError, TargetError
from harness.model import Allowed, Model
from harness.model.behaviour import Behaviour, Finalize, HostFacts, LateWrites
from harness.program import Program
from harness.report.facts import host_facts, kvm_mode, unfit
from harness.report.judge import Judge, LateWriteWitness
from harness.report.verdict import Expectation, Outcome, Verdict, harness_error
from harness.results.model import Boot
from harness.targets.base import Host, HostLost
from harness.targets.spec import Expect, OpenTarget
from harness.trace import Ending, Trace

MAX_BOOT_FAILURES: Final = 3
DEADLINE_MS: Final = 10_000


class FirstBootError(BootError):
    """The kernel has never booted: no program can be judged."""


def expectation(expect: Expect, overrides: dict[str, str] | None = None) -> Expectation:
    """What images.yaml declares, with the user's overrides (already checked) on top."""
    given = overrides or {}
    probed = {"true": True, "false": False}  # else: as probed
    accessors = probed.get(given["accessors"]) if "accessors" in given else expect.accessors
    irs = probed.get(given["irs"]) if "irs" in given else expect.irs
    finalize = given.get("finalize", expect.finalize)
    late = given.get("late_writes", expect.late_writes)
    late = None if late in (None, "any") else LateWrites(late)
    return Expectation(accessors, Finalize(finalize), late, irs)


@dataclass(slots=True)
class Session:
    """Runs programs on hosts of one target and judges them.

    ``host`` boots one if none is there.  ``broken``: why no host can be had any more.
    ``details``: an outcome that is not good is diagnosed, and has what the program did to the GIC;
    that takes longer than to run it.
    """

    target: OpenTarget
    expectation: Expectation
    deadline_ms: int = DEADLINE_MS
    witness: LateWriteWitness = field(default_factory=LateWriteWitness)
    on_boot: Callable[[Host], None] = lambda _host: None
    details: bool = True
    boots: int = 0
    broken: HarnessError | None = None
    facts: str = ""
    _said: list[str] = field(default_factory=list)
    _booted: list[str] = field(default_factory=list)
    _host: Host | None = None
    _judge: Judge | None = None

    def host(self) -> Host:
        """A healthy host.  HarnessError if none can be had: at once, once that is known."""
        if self._host is None:
            if self.broken is not None:
                raise self.broken
            self._host = self._boot()
            self._judge = self._judge_of(self._host)
            self.on_boot(self._host)
        return self._host

    def judge(self) -> Judge:
        """Of a healthy host.  HarnessError as ``host``."""
        self.host()
        assert self._judge is not None
        return self._judge

    def run(self, program: Program, upcoming: Iterable[Program] = ()) -> Outcome:
        """Run and judge.  ``upcoming``: what will be asked for next, as far as that is known.

        HarnessError only if the very first host does not boot.
        """
        try:
            host = self.host()
            assert self._judge is not None
            judge = self._judge
        except FirstBootError:
            raise
        except HarnessError as e:
            return harness_error(program, e)
        outcome = judge.beforehand(program)
        if outcome is not None:
            return outcome
        try:
            ahead = [each for each in upcoming if judge.beforehand(each) is None]
            trace = host.run(program, self.deadline_ms, ahead)
        except HostLost as e:
            outcome = self._with_accesses(judge.lost(program, e), host)
            self.discard()
            return outcome
        except Exception as e:  # the machine's, or a defect of ours
            self.discard()
            return harness_error(program, e)
        outcome = self._with_accesses(_judged(judge, program, trace), host)
        if outcome.verdict in (Verdict.CRASH, Verdict.ERROR) or trace.ending != Ending.COMPLETED:
            self.discard()  # what it warned of once it may not warn of again
        return outcome

    def warnings(self) -> list[str]:
        """What the machines complained of since the last call, those discarded meanwhile, too."""
        said, self._said = self._said, []
        return said + (self._host.warnings() if self._host else [])

    def booted(self) -> list[str]:
        """The boots since the last call, as JSON of a results.model.Boot."""
        booted, self._booted = self._booted, []
        return booted

    def discard(self) -> None:
        """Power the host off; the next program gets a fresh one."""
        host, self._host, self._judge = self._host, None, None
        if host is not None:
            self._said += host.warnings()
            host.close()

    close = discard

    def _with_accesses(self, outcome: Outcome, host: Host) -> Outcome:
        """With what the program did to the GIC, if that may explain the verdict."""
        if outcome.verdict not in (Verdict.FAIL, Verdict.CRASH):
            return outcome
        outcome = replace(outcome, host=host_facts(host.hello, host.boot_log))
        try:
            return replace(outcome, accesses=host.accesses()) if self.details else outcome
        except HarnessError:  # the verdict stands without
            return outcome

    def _boot(self) -> Host:
        failures = 0
        while True:
            began = time.monotonic()
            try:
                host = self.target.boot()
                if not self.boots and (why := unfit(host.hello, host.boot_log)):
                    host.close()
                    raise BootError(why.what, why.remedy)
            except BootError as e:
                failures += 1
                if not self.boots:
                    self.broken = FirstBootError(e.what, e.remedy, e.console)
                    raise self.broken from None
                if failures < MAX_BOOT_FAILURES:
                    continue
                self.broken = TargetError(
                    f"given up: {failures} boots failed in a row; the last: {e.what}", e.remedy
                )
                raise self.broken from None
            self.boots += 1
            boot = Boot.of(time.monotonic() - began, host.boot_log)
            self._booted.append(json.dumps(asdict(boot)))
            return host

    def _judge_of(self, host: Host) -> Judge:
        facts = host_facts(host.hello, host.boot_log)
        self.facts = describe_host(host, facts)

        def execute(behaviour: Behaviour, program: Program) -> tuple[Allowed, ...]:
            return Model(behaviour, facts).allowed(program)

        return Judge(self.expectation, host.hello, execute, self.witness, self.details)


def _judged(judge: Judge, program: Program, trace: Trace) -> Outcome:
    """An exception in the model or the judge is the harness's fault, never the kernel's."""
    try:
        return judge.judge(program, trace)
    except Exception as e:
        return harness_error(program, e)


def describe_host(host: Host, facts: HostFacts) -> str:
    """``Linux 7.3.4, VHE, 1 CPU, PMUv3, CPU_SYSREGS``: what was probed."""
    hello = host.hello
    parts = [
        f"Linux {hello.release}",
        kvm_mode(host.boot_log) or "KVM mode not announced",
        f"{hello.cpus} CPU{'s' * (hello.cpus != 1)}",
        "PMUv3" if facts.pmu else "no PMUv3",
        "no VGICv5" if hello.vgic_v5_errno or hello.kvm_errno else "VGICv5",
        "no CPU_SYSREGS" if hello.sysregs_errno else "CPU_SYSREGS",
        "no IRS" if hello.irs_errno else "IRS",
    ]
    if reports := find_reports(host.boot_log):  # some checks of a kernel end with its first report
        parts.append(f"while it booted it reported: {reports[0].summary}")
    return ", ".join(parts)
