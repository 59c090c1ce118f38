# SPDX-License-Identifier: GPL-2.0-or-later
"""The end of a session in the terminal: verdicts by family, and what the kernel showed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import pytest

from harness.report.verdict import Verdict


@dataclass(slots=True)
class Summary:
    """Collects from test reports, so that it works the same under xdist."""

    families: dict[str, Counter[str]] = field(default_factory=dict)
    diagnoses: Counter[str] = field(default_factory=Counter)
    crashes: Counter[str] = field(default_factory=Counter)
    platform: Counter[str] = field(default_factory=Counter)
    hosts: dict[str, None] = field(default_factory=dict)
    late_writes: dict[str, str] = field(default_factory=dict)  # behaviour: where first seen

    def add(self, report: pytest.TestReport) -> None:
        if report.when != "call":
            return
        properties = dict(report.user_properties)
        verdict = properties.get("verdict")
        if not isinstance(verdict, str):
            return
        family = str(properties.get("family", ""))
        self.families.setdefault(family, Counter())[verdict] += 1
        if diagnosis := properties.get("diagnosis"):
            self.diagnoses[str(diagnosis)] += 1
        for key, value in report.user_properties:
            if key == "kernel_report":
                self.crashes[str(value)] += 1
            elif key == "platform":
                self.platform[str(value)] += 1
            elif key == "host":
                self.hosts[str(value)] = None
            elif key == "late_writes":
                self.late_writes.setdefault(*str(value).split(" ", 1))

    def errors(self) -> int:
        """How many verdicts were ERROR."""
        return sum(verdicts[Verdict.ERROR.value] for verdicts in self.families.values())

    def write(self, terminal: pytest.TerminalReporter) -> None:
        if not self.families:
            return
        terminal.section("GICv5 verdicts")
        for line in self.lines():
            terminal.write_line(line)

    def lines(self) -> list[str]:
        purposes = _purposes()
        total: Counter[str] = sum(self.families.values(), Counter())
        shown = [v for v in Verdict if total[v.value] or v in (Verdict.PASS, Verdict.FAIL)]
        width = max(len(name) for name in [*self.families, "family"])
        head = "  ".join(f"{v.value:>5}" for v in shown)
        out = [f"{'family':<{width}}  {head}  question"]
        order = [name for name in purposes if name in self.families]
        order += [name for name in self.families if name not in purposes]
        out += [
            f"{name:<{width}}  {_cells(self.families[name], shown)}  {purposes.get(name, '')}"
            for name in order
        ]
        out.append(f"{'total':<{width}}  {_cells(total, shown)}")
        out += [f"host: {host}" for host in self.hosts]
        seen = [f"{behaviour} {where}" for behaviour, where in self.late_writes.items()]
        if seen:
            mixed = "MIXED, a kernel must do one or the other: " if len(seen) > 1 else ""
            out.append(f"late writes: {mixed}{'; '.join(seen)}")
        for diagnosis, count in self.diagnoses.most_common():
            out.append(f"diagnosis of {count}: the kernel does exactly what {diagnosis} does")
        for warning, count in self.platform.most_common():
            out.append(f"platform, {count} time{'s' * (count != 1)}: {warning}")
        for fingerprint, count in self.crashes.most_common():
            out.append(f"kernel report, {count} program{'s' * (count != 1)}: {fingerprint}")
        return out


def _cells(counts: Counter[str], shown: list[Verdict]) -> str:
    return "  ".join(f"{counts[v.value] or '.':>5}" for v in shown)


def _purposes() -> dict[str, str]:
    from harness.suite import families  # noqa: PLC0415

    return {family.name: family.purpose for family in families()}
