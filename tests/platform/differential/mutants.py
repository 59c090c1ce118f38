# SPDX-License-Identifier: GPL-2.0-or-later
"""Plugins with one bug each: the comparison must find every one of them."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

SOURCES: Final = Path(__file__).resolve().parents[3] / "qemu_plugin"


@dataclass(frozen=True, slots=True)
class Mutant:
    """``old``, which occurs once in ``file``, becomes ``new``."""

    name: str
    file: str
    old: str
    new: str


MUTANTS: Final = (
    Mutant("ppi-tie-to-highest", "gicv5.c", "if (prio < best) {", "if (prio <= best) {"),
    Mutant("level-ppi-pend-writable", "gicv5_phys.c",
           "c->ppi.pend[op->n] |= val & ~gicv5_hmr(op->n);", "c->ppi.pend[op->n] |= val;"),
    Mutant("edge-survives-cdia", "gicv5_phys.c",
           "c->ppi.pend[id / 64] &= ~(BIT(id % 64) & ~gicv5_hmr(id / 64));", ""),
    Mutant("cdia-sets-no-apr", "gicv5_phys.c", "c->apr |= 1u << prio;", ""),
    Mutant("cddi-drops-priority", "gicv5_phys.c",
           "gicv5_ppi_deactivate(&c->ppi, GICV5_ID(val));",
           "gicv5_ppi_deactivate(&c->ppi, GICV5_ID(val)); c->apr &= c->apr - 1;"),
    Mutant("cdeoi-drops-lowest", "gicv5_phys.c",
           "c->apr &= c->apr - 1;",
           "c->apr &= c->apr ? ~(1u << (31 - __builtin_clz(c->apr))) : 0;"),
    Mutant("mask-is-strict", "gicv5.c", "prio <= c->pcr", "prio < c->pcr"),
    Mutant("running-is-not-strict", "gicv5.c",
           "prio < gicv5_running(c->apr)", "prio <= gicv5_running(c->apr)"),
    Mutant("cr0-en-ignored", "gicv5.c", "return (c->cr0 & ICC_CR0_EN) &&", "return"),
    Mutant("stale-timer-line", "gicv5_phys.c",
           "\t\tgicv5_sample_lines(gic, cpu);\n\t\t/* fall through */", "\t\t/* fall through */"),
    Mutant("lpi-rings-no-doorbell", "gicv5_phys.c", "|| gicv5_lpi_signals(gic, cpu)", ""),
    Mutant("priority-of-4-bits", "gicv5_internal.h",
           "0x1f1f1f1f1f1f1f1full", "0x0f0f0f0f0f0f0f0full"),
    Mutant("lpi-priority-ignored", "gicv5_iri.c",
           "iri->prio = FIELD(val, 39, 35);", "iri->prio = is_spi(val) ? FIELD(val, 39, 35) : 0;"),
    Mutant("lpi-pends-for-ever", "gicv5_iri.c",
           "\telse\n\t\tiri->pend = false;", ""),
    Mutant("level-spi-is-consumed", "gicv5_iri.c",
           "if (iri->level)\n\t\treturn;", "if (iri->level && !is_spi(intid))\n\t\treturn;"),
    Mutant("irsen-ignored", "gicv5_internal.h", "return gic->irs.cr0 & IRS_CR0_IRSEN;",
           "return gic->nr_cpus;"),
    Mutant("active-iri-is-candidate", "gicv5_iri.c",
           "if (!iri->enable || iri->active)", "if (!iri->enable)"),
    Mutant("spi-before-lpi", "gicv5_iri.c",
           "if (gic->spi[n].prio < best) {", "if (gic->spi[n].prio <= best) {"),
    Mutant("affinity-ignored", "gicv5_iri.c", "iri->cpu = FIELD(val, 47, 32);", "iri->cpu = 0;"),
    Mutant("spi-wire-not-moved", "gicv5_iri.c",
           "gic->board->spi_set_target(gic->ctx, id, iri->cpu);", "{}"),
    Mutant("spi-of-one-cpu-only", "wire.c", "wanted |= w->cpu[cpu].spi[i];",
           "wanted = w->cpu[cpu].spi[i];"),
)  # fmt: skip

# Of the virtual CPU interface
GUEST_MUTANTS: Final = (
    Mutant("virtual-mask-is-strict", "gicv5_virt.c",
           "prio > ICH_VMCR_VPMR(c->vmcr)", "prio >= ICH_VMCR_VPMR(c->vmcr)"),
    Mutant("virtual-running-is-not-strict", "gicv5_virt.c",
           "prio >= gicv5_running(c->vapr)", "prio > gicv5_running(c->vapr)"),
    Mutant("dvi-has-no-effect", "gicv5_virt.c", "(phys[i] & c->dvir[i])", "0"),
    Mutant("virq-sticks", "wire.c", "wr(GICH_LR0, virq ? GICH_LR_PENDING : 0);",
           "wr(GICH_LR0, GICH_LR_PENDING);"),
    Mutant("virtual-cdia-sets-no-apr", "gicv5_virt.c", "c->vapr |= 1u << prio;", ""),
    Mutant("virtual-level-pend-writable", "gicv5_virt.c",
           "u64 edge = val & ~gicv5_hmr(n),", "u64 edge = val,"),
)  # fmt: skip


class Stale(Exception):
    """The plugin's sources have changed: the mutant cannot be made."""


def build(mutant: Mutant, folder: Path) -> Path:
    """The broken plugin, built in ``folder``, which may keep the objects of the one before.

    Stale if its text is not in the sources once.  CalledProcessError if it does not compile.
    """
    tree = folder / "qemu_plugin"
    if tree.exists():
        for file in SOURCES.glob("*.[ch]"):
            if file.read_bytes() != (tree / file.name).read_bytes():
                shutil.copy(file, tree)
    else:
        shutil.copytree(SOURCES, tree)
    file = tree / mutant.file
    text = file.read_text()
    if text.count(mutant.old) != 1:
        raise Stale(f"{mutant.name}: {text.count(mutant.old)} times in {mutant.file}: {mutant.old}")
    file.write_text(text.replace(mutant.old, mutant.new))
    make = ["make", "-s", "-C", str(tree), f"OUT={folder}", "OPT=-O1 -Wno-unused"]
    subprocess.run(make, check=True, capture_output=True, text=True)
    return folder / "libgicv5.so"
