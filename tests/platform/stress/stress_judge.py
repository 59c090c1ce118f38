# SPDX-License-Identifier: GPL-2.0-or-later
"""What must hold of the numbers that ``stress`` (target/) and the plugin report: pure functions.

The rules: an interrupt that was due came once; one that was not due did not come; nobody took an
interrupt and found none.  Edges on SW_PPI may merge while the one before is unacknowledged, so a
group raised without waiting gives 1 to its size (Linux 7.3: ``pending_latch`` is one bit, moved to
the hardware by vgic_v5_flush_ppi_state() and back by vgic_v5_fold_ppi_state()).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

OTHER_CALLS = 50  # function calls to a CPU that others may have made meanwhile


@dataclass(frozen=True)
class Line:
    """ "MODE key=value ..." of the target's output."""

    mode: str
    text: str
    values: dict[str, int]

    def __getitem__(self, key: str) -> int:
        return self.values[key]

    def __str__(self) -> str:
        return self.text


def parse(output: str) -> list[Line]:
    """Every line of the form "MODE key=value ...", in order; other lines are passed over."""
    found = (re.fullmatch(r"([a-z]+)((?: \w+=\w+)+)", line.strip()) for line in output.splitlines())
    return [
        Line(m[1], m[0], {k: int(v, 0) for k, v in (w.split("=") for w in m[2].split())})
        for m in found
        if m
    ]


def statistics(stderr: str) -> dict[str, int]:
    """The plugin's last line, "gicv5: stats key=value ..."; empty if it said none."""
    lines = [line for line in stderr.splitlines() if line.startswith("gicv5: stats ")]
    return {k: int(v) for k, v in re.findall(r"(\w+)=(\d+)", lines[-1])} if lines else {}


def _vm(vcpu: Line) -> Iterator[str]:
    if not vcpu["ended"]:
        yield "a vCPU got stuck"
    if vcpu["fault"] or vcpu["esr"]:
        yield "a vCPU took an exception or its KVM_RUN failed"
    for timer in "vp":
        if vcpu[f"fired_{timer}"] != vcpu[f"due_{timer}"]:
            yield f"CNT{timer.upper()}: {vcpu[f'due_{timer}']} due, {vcpu[f'fired_{timer}']} came"
    if vcpu["seen"] != vcpu["sent"]:
        yield f"the last edge was lost: {vcpu['sent']} sent, {vcpu['seen']} seen"
    if not vcpu["groups"] <= vcpu["handled"] <= vcpu["sent"]:
        yield (f"{vcpu['handled']} interrupts for {vcpu['sent']} edges in {vcpu['groups']} groups")
    for kind in ("spurious", "unexpected", "early", "extra"):
        if vcpu[kind]:
            yield f"{vcpu[kind]} {kind}"


def _ipi(line: Line) -> Iterator[str]:
    if not line["sent"] <= line["came"] <= line["sent"] + OTHER_CALLS:
        yield f"{line['sent']} IPIs sent, {line['came']} came"


def _ring(line: Line) -> Iterator[str]:
    if line["wrong"] or line["stuck"]:
        yield "a token was lost or repeated, or got stuck"
    if not line["hops"]:
        yield "no token moved"


def _spi(line: Line) -> Iterator[str]:
    # poll() looks into the queue, so a message may be read before its edge is taken, and the edge
    # of the next one then merges with it.  Only the UART's handler reads the UART; it looks again
    # before it returns, and then finds the next line if another CPU was quick with the answer.
    if not line["virtio"]:
        yield f"no interrupt for {line['echoes']} messages"
    shared = line["lines"] // 100 if line["cpus"] > 1 else 0
    if line["uart"] + shared < line["lines"]:
        yield f"{line['uart']} interrupts for {line['lines']} lines"


def _gpio(line: Line) -> Iterator[str]:
    due = 2 * line["presses"]
    if (line["events"], line["interrupts"], line["gaps"]) != (due, due, 0):
        yield f"{due} edges, {line['interrupts']} interrupts, {line['events']} events"


def _cpus(line: Line) -> Iterator[str]:
    if line["online"] != line["cpus"]:
        yield "a CPU did not come back"


def _interrupts(line: Line) -> Iterator[str]:
    if line["unhandled"]:
        yield f"{line['unhandled']} interrupts without a cause"


_RULES: dict[str, Callable[[Line], Iterator[str]]] = {
    "vm": _vm, "ipi": _ipi, "ring": _ring, "spi": _spi, "gpio": _gpio, "cpus": _cpus,
    "interrupts": _interrupts,
}  # fmt: skip


def complaints(lines: Iterable[Line]) -> list[str]:
    """What is wrong with each line, with the line."""
    judged = [line for line in lines if line.mode in _RULES]
    return [f"{what}: {line}" for line in judged for what in _RULES[line.mode](line)]


def plugin_complaints(stats: dict[str, int], handled: int = -1, after: int = 0) -> list[str]:
    """What is wrong with the plugin's statistics.

    ``handled``: the sum of /proc/interrupts, read shortly before the end; -1: not known.  Each
    acknowledgement (CDIA) is one interrupt there, but for ``after`` that may have come later, and
    for those from whose CPU another one had just withdrawn the interrupt.
    """
    if not stats:
        return ["the plugin left no statistics"]
    out = [f"{stats[k]} {k}" for k in ("spurious", "unknown", "undelivered") if stats[k]]
    came = stats["cdia"] - stats["spurious"] - stats["withdrawn"]
    if handled >= 0 and not handled <= came <= handled + after:
        out.append(f"{came} interrupts acknowledged, {handled} handled")
    return out
