# SPDX-License-Identifier: GPL-2.0-or-later
"""What a report shows of the accesses to the GIC."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from fake_target import PROVENANCE
from test_hwtrace import RECORDED
from test_report import failed

from harness import program as p
from harness.cli import main
from harness.hwtrace.ring import Ring
from harness.hwtrace.slices import Slice, slice_of
from harness.program import Program
from harness.report.artefacts import Artefacts
from harness.report.explain import explain
from harness.report.hardware import accesses
from harness.report.verdict import Outcome, Verdict
from harness.trace import Comparison

# What tests/unit/golden/hardware-trace.bin was recorded from.
LEAK = Program(
    "masking/leak",
    (
        p.CreateVm(), p.CreateDevice(), p.CreateVcpu(), p.InitVcpu(), p.init_device(),
        p.set_reg("ENABLER0", 1 << 5 | 1 << 27), p.set_reg("PRIORITYR3", 0x10000000),
        p.Run((p.read("ENABLER0"), p.write("ENABLER0", (1 << 64) - 1), p.write("PCR", 31),
               p.read("GICR_CDIA"))),
        p.get_reg("ENABLER0"),
    ),
)  # fmt: skip
LEAKING = "write ICH_PPI_ENABLER0_EL2 = 0x8000020  PPI(5), CNTV(27)"


@pytest.fixture
def leak() -> Outcome:
    with Ring(RECORDED) as ring:
        return replace(failed(LEAK), accesses=slice_of(ring, 1))


def test_the_leak_is_in_the_report(leak: Outcome) -> None:
    """From the run to the guest's read of the wrong value, which is the last line."""
    text = explain(leak)
    assert "first difference: operation 7.0, run vCPU0: read ICC_PPI_ENABLER0_EL1" in text
    head, *shown, count = accesses(leak)
    assert head == "accesses to the GIC in operations 7 to 7.0:"
    assert LEAKING in "\n".join(shown)
    assert shown[-1].endswith("virt read  ICC_PPI_ENABLER0_EL1 = 0x8000020  PPI(5), CNTV(27)")
    assert not any("PRIORITYR4" in line or "GICR_CDIA" in line for line in shown)
    assert count == f"  ({len(shown) - 2} of 129: all are in hardware-trace.txt)"


def test_a_difference_after_the_run_is_explained_by_the_run(leak: Outcome) -> None:
    late = replace(leak, comparison=Comparison(leak.comparison.differences[-1:]))
    head, *shown, _ = accesses(late)
    assert head == "accesses to the GIC in operations 7 to 8:"
    assert LEAKING in "\n".join(shown)


def test_a_crash_shows_the_last_operation(leak: Outcome) -> None:
    with Ring(RECORDED) as ring:
        whole = slice_of(ring, 1)
    cut = [each for each in whole.located if each.place.op <= 7]
    crash = Outcome(Verdict.CRASH, LEAK, "died", accesses=Slice(cut))
    head, *shown, _ = accesses(crash)
    assert head == "accesses to the GIC in operation 7:"
    assert any("guest operation 3" in line for line in shown)


def test_a_report_is_bounded(leak: Outcome) -> None:
    with Ring(RECORDED) as ring:
        located = slice_of(ring, 1).located
    long = [each for each in located for _ in range(9) if each.record.guest] + list(located)
    late = replace(leak, comparison=Comparison(leak.comparison.differences[-1:]))
    head, lost, cut, *shown, _ = accesses(replace(late, accesses=Slice(long, incomplete=True)))
    assert len(shown) == 40, "what is nearest to the difference"
    assert ("overwritten" in lost, cut.endswith(" before")) == (True, True), head
    assert list(accesses(replace(leak, accesses=Slice()))) == []


def test_everything_is_in_the_artefacts(
    leak: Outcome, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    symbols = tmp_path / "System.map"
    symbols.write_text("ffffffc080075550 t restore\nffffffc080075700 T _end\n")
    outcome = replace(leak, accesses=replace(leak.accesses, symbols=symbols))
    folder = Artefacts(tmp_path, "unmasked", PROVENANCE).save(outcome, "rerun")
    text = (folder / "hardware-trace.txt").read_text().splitlines()
    assert len(text) == len(leak.accesses.located)
    assert any(line.endswith(f"{LEAKING}  @ restore+0x1c") for line in text)
    assert main(["trace", str(folder / "hardware-trace.bin")]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(text) + 1
