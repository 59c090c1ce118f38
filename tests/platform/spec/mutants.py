# SPDX-License-Identifier: GPL-2.0-or-later
"""Bugs of one line, put into the C one at a time: each must be found. python -m spec.mutants

Prints for each how many accesses it took, and what the comparison said.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import NamedTuple

from .compare import difference, search, shortest
from .native import PLUGIN, StateMachine, build

LIMIT = 5_000_000  # accesses


class Mutant(NamedTuple):
    what: str
    file: str
    old: str  # must occur exactly once
    new: str


MUTANTS = (
    # what physical and virtual interfaces share
    Mutant("a tie goes to the highest PPI", "gicv5.c", "if (prio < best) {", "if (prio <= best) {"),
    Mutant("an active PPI is selected", "gicv5.c", "p->enable[bank] & ~p->active[bank];",
           "p->enable[bank];"),
    Mutant("CACTIVER ignores bit 0", "gicv5.c", "p->active[op->n] &= ~val;",
           "p->active[op->n] &= ~val | 1;"),
    Mutant("PRIORITYR keeps RES0", "gicv5.c", "p->prio[op->n] = val & PRIORITYR_MASK;",
           "p->prio[op->n] = val;"),
    Mutant("CDDI with a 32-bit mask", "gicv5.c", "p->active[id / 64] &= ~BIT(id % 64);",
           "p->active[id / 64] &= ~(u32)BIT(id % 64);"),
    Mutant("CDDI of the first 64 PPIs alone", "gicv5.c", "if (id < GICV5_NR_PPIS)", "if (id < 64)"),
    Mutant("ICSR stores RES0", "gicv5_cpuif.c", "icsr = val & ICSR_MASK;", "icsr = val;"),
    Mutant("a line change goes unnoticed", "gicv5.c", "c->line = line;\n\tgicv5_mark(gic, cpu);",
           "c->line = line;"),
    # physical
    Mutant("priority below the mask only", "gicv5.c", "prio <= c->pcr", "prio < c->pcr"),
    Mutant("preempts itself", "gicv5.c", "prio < gicv5_running(c->apr)",
           "prio <= gicv5_running(c->apr)"),
    Mutant("an Edge PPI outlives its acknowledge", "gicv5_phys.c",
           "c->ppi.pend[id / 64] &= ~(BIT(id % 64) & ~gicv5_hmr(id / 64));", ""),
    Mutant("SPENDR pends Level PPIs", "gicv5_phys.c", "|= val & ~gicv5_hmr(op->n);", "|= val;"),
    Mutant("HPPIR ignores the mask", "gicv5_phys.c",
           "return gicv5_phys_sufficient(c, prio) ? GICV5_INTID_VALID | intid : 0;",
           "return prio < GICV5_PRI_IDLE ? GICV5_INTID_VALID | intid : 0;"),
    Mutant("CDEOI ends the lowest", "gicv5_phys.c", "c->apr &= c->apr - 1;",
           "c->apr &= c->apr ? ~(1u << (31 - __builtin_clz(c->apr))) : 0;"),
    # virtual
    Mutant("DVI adds to the virtual state", "gicv5_virt.c", "(c->vppi.pend[i] & ~c->dvir[i])",
           "(c->vppi.pend[i])"),
    Mutant("DVI edge cleared in the wrong place", "gicv5_virt.c", "c->ppi.pend[n] &= ~phys;", ""),
    Mutant("VCTLR.En ignored", "gicv5_virt.c", "!(c->vctlr & ICH_VCTLR_EN) || ", ""),
    Mutant("virtual mask exclusive", "gicv5_virt.c", "prio > ICH_VMCR_VPMR(c->vmcr)",
           "prio >= ICH_VMCR_VPMR(c->vmcr)"),
    Mutant("guest PCR write loses EN", "gicv5_virt.c", "(c->vmcr & ~GENMASK(31, 27)) |", ""),
    Mutant("an ICH write raises nothing", "gicv5_virt.c", "if (c->el1_virtual)\n\t\tgicv5_mark",
           "if (0)\n\t\tgicv5_mark"),
    Mutant("stale lines at a guest's CDIA", "gicv5_virt.c",
           "\tvirt_sample(gic, cpu);\n\tprio = virt_hppi", "\tprio = virt_hppi"),
    # encodings and traps
    Mutant("CDDIS and CDEN traps swapped", "gicv5_ops.c", "GIC_CDDIS, OP_W, 1,",
           "GIC_CDDIS, OP_W, 0,"),
    Mutant("PENDR trapped as ACTIVER", "gicv5_ops.c", "REG_PPI_SPENDR, 1, 18, 18,",
           "REG_PPI_SPENDR, 1, 20, 20,"),
    Mutant("ICH_PPI_ACTIVER1 is ACTIVER0", "gicv5_ops.c", "REG_ICH_ACTIVER, 1,",
           "REG_ICH_ACTIVER, 0,"),
    # SPIs and LPIs
    Mutant("CDPRI takes four bits", "gicv5_iri.c", "FIELD(val, 39, 35)", "FIELD(val, 38, 35)"),
    Mutant("an IAFFID one too high", "gicv5_iri.c", ">= gic->nr_cpus", "> gic->nr_cpus"),
    Mutant("a Level LPI is consumed", "gicv5_iri.c",
           "if (iri->level)\n\t\treturn;", "if (iri->level && is_spi(intid))\n\t\treturn;"),
    Mutant("the last word of LPIs is left out", "gicv5_iri.c", "gic->lpi_words = w + 1;",
           "gic->lpi_words = w;"),
    Mutant("an SPI ties with an LPI and wins", "gicv5_iri.c", "if (gic->spi[n].prio < best) {",
           "if (gic->spi[n].prio <= best) {"),
    Mutant("only the new CPU hears of CDAFF", "gicv5_iri.c",
           "&= ~BIT(GICV5_ID(intid) % 64);\n\tgicv5_mark(gic, iri->cpu);",
           "&= ~BIT(GICV5_ID(intid) % 64);"),
    Mutant("CDRCFG without Active", "gicv5_iri.c", "(u64)iri->active << 4", "0"),
    # the IRS
    Mutant("half a register is the whole", "gicv5_irs.c", "if (size < r->size) {", "if (0) {"),
    Mutant("SPI_STATUSR.V for one too many", "gicv5_irs.c",
           "STATUSR_IDLE | (irs->spi_selr < GICV5_NR_SPIS",
           "STATUSR_IDLE | (irs->spi_selr <= GICV5_NR_SPIS"),
    # virtual machines
    Mutant("VPE_SELR has its fields the other way", "gicv5_irs_virt.c",
           "u32 vm = LOW_ID(irs->vpe_selr), vpe = HIGH_ID(irs->vpe_selr);",
           "u32 vpe = LOW_ID(irs->vpe_selr), vm = HIGH_ID(irs->vpe_selr);"),
    Mutant("VMTE.VALID stays", "gicv5_vmt.c", "set_valid(gic, vmte, false);", "(void)vmte;"),
    Mutant("a VM leaves its VPEs resident", "gicv5_vmt.c", "c->contextr &= ~ICH_CONTEXTR_V;",
           "(void)c;"),
    Mutant("a doorbell rings twice", "gicv5_vm.c", "p->req = false;\n\tgic->doorbells++;",
           "gic->doorbells++;"),
    Mutant("DBPM is exclusive", "gicv5_vm.c", "&intid) > p->dbpm)", "&intid) >= p->dbpm)"),
    Mutant("a doorbell for the resident", "gicv5_vm.c",
           "!p->dbv || resident_somewhere(gic, vm, vpe)",
           "!p->dbv || (resident_somewhere(gic, vm, vpe) && false)"),
    Mutant("residency keeps the old request", "gicv5_vm.c",
           "gic->vm[vm].vpe[vpe].req = false;", "(void)vpe;"),
    Mutant("VDPEND tells nobody", "gicv5_vm.c", "vpe_changed(gic, vm, is);", ";"),
    Mutant("a moved interrupt still shows", "gicv5_vm.c",
           "vpe_changed(gic, vm, was);", "(void)was;"),
    Mutant("an active one is presented", "gicv5_vist.c",
           "(e & (ISTE_PENDING | ISTE_ACTIVE | ISTE_ENABLE))",
           "(e & (ISTE_PENDING | ISTE_ENABLE))"),
    Mutant("a Level virtual SPI is consumed", "gicv5_vist.c", "if (!(e & ISTE_HM))\n\t\te &=",
           "e &="),
    Mutant("IRICHPPIDIS ignored", "gicv5_virt.c",
           " && !(c->contextr & ICH_CONTEXTR_IRICHPPIDIS)", ""),
    Mutant("a restored table has nothing pending", "gicv5_vist.c",
           "idset_put(s, first + i + k, true);", "(void)s;"),
    Mutant("the second level 2 VMT is the first", "gicv5_vmt.c",
           "l1 = gicv5_mem_read(gic, base + vm / VMTES_PER_L2 * 8, 8);",
           "l1 = gicv5_mem_read(gic, base, 8);"),
    Mutant("IST entries are 4 bytes always", "gicv5_vist.c",
           "t->shift = 2 + (unsigned int)FIELD(word, 57, 56);", "t->shift = 2;"),
    Mutant("CDNMIA takes everything", "gicv5_internal.h", "return nmi == (c->nmi && prio == 0);",
           "return nmi || !(c->nmi && prio == 0);"),
    Mutant("IRSEN is ignored", "gicv5_internal.h", "return gic->irs.cr0 & IRS_CR0_IRSEN;",
           "return gic->nr_cpus;"),
    Mutant("LPIs outlive their table", "gicv5_irs.c", "gicv5_lpi_forget(gic);", ""),
    Mutant("the address of a valid IST changes", "gicv5_irs.c",
           "if (!(*baser & IST_BASER_VALID)) {", "if (val & IST_BASER_VALID) {"),
    Mutant("IST_CFGR of a valid IST changes", "gicv5_irs.c",
           "if (!(irs->ist_baser & IST_BASER_VALID))\n\t\t\tirs->ist_cfgr", "irs->ist_cfgr"),
    Mutant("a Level SPI is consumed", "gicv5_iri.c", "if (iri->level)\n\t\treturn;",
           "if (iri->level && !is_spi(intid))\n\t\treturn;"),
    Mutant("a change of the trigger keeps Pending", "gicv5_iri.c",
           "\tspi_latch(gic, spi, false);\n\tgic->spi[spi].line", "\tgic->spi[spi].line"),
    Mutant("the handling mode is the trigger mode", "gicv5_iri.c",
           "gic->spi[spi].level_trigger = level;",
           "gic->spi[spi].level = gic->spi[spi].level_trigger = level;"),
    Mutant("a latch outlives the line", "gicv5_iri.c", "if (!latch || pend)", "if (!latch)"),
)  # fmt: skip


def find(mutant: Mutant, source: Path, out: Path, seed: int) -> str:
    """Build with the bug and search for it: what was found, or raise LookupError."""
    path = source / mutant.file
    original = path.read_text()
    if original.count(mutant.old) != 1:
        raise LookupError(f"{mutant.file} has {original.count(mutant.old)} times: {mutant.old}")
    path.write_text(original.replace(mutant.old, mutant.new))
    try:
        # dlopen() would give the old library for the old name
        library = build(out, source).rename(out / f"{abs(hash(mutant))}.so")
    finally:
        path.write_text(original)
    c = StateMachine(library)
    for progress in search(c, seed):
        if progress.failure:
            short = shortest(c, progress.failure)
            found = difference(c, short)
            how = found.broken if found and found.broken else "the results differ"
            return f"{progress.accesses:7} accesses, shown by {len(short.accesses):2}: {how}"
        if progress.accesses > LIMIT:
            break
    raise LookupError(f"not found in {LIMIT} accesses")


def find_apart(mutant: Mutant, source: Path, out: Path, seed: int) -> str:
    """The same in a process of its own: with some bugs the C dies."""
    with ProcessPoolExecutor(1) as pool:
        try:
            return pool.submit(find, mutant, source, out, seed).result()
        except BrokenProcessPool:
            return "the state machine dies"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m spec.mutants", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("-k", default="", help="only those whose description has this")
    options = parser.parse_args()
    missed = 0
    with tempfile.TemporaryDirectory(prefix="gicv5-mutants.") as scratch:
        source = Path(shutil.copytree(PLUGIN, Path(scratch) / "qemu_plugin"))
        for mutant in MUTANTS:
            if options.k not in mutant.what:
                continue
            try:
                result = find_apart(mutant, source, Path(scratch), options.seed)
            except (LookupError, RuntimeError) as error:
                missed += 1
                result = f"MISSED: {error}"
            print(f"{mutant.file:13} {mutant.what:40} {result}", flush=True)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
