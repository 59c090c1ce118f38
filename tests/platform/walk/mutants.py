# SPDX-License-Identifier: GPL-2.0-or-later
"""Deliberate bugs of the plugin: each is one text for another, and a check that notices it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    """In ``file`` of qemu_plugin/, ``old`` (there once) becomes ``new``; ``noticed`` then fails."""

    name: str
    file: str
    old: str
    new: str
    noticed: str
    cpus: int = 1
    tables: tuple[str, ...] = ()


IRS, VMT, VM = "gicv5_irs_virt.c", "gicv5_vmt.c", "gicv5_vm.c"
VIST, VIRT = "gicv5_vist.c", "gicv5_virt.c"
TWO_LEVEL = ("vmt=two-level", "ist=two-level")

MUTANTS = (
    # tables and commands
    Mutant("VMT_BASER.VALID is ignored", VMT,
           "(gic->irs.vmt_baser & VALID) && ", "",
           "probe: VMAP_VMR without a valid VMT writes nothing"),
    Mutant("M is ignored in VMAP_VMR", IRS,
           "if (val & MAP)\n\t\t\tgicv5_vmap_vm", "gicv5_vmap_vm",
           "tables: VMAP_VMR with M=0 is no command"),
    Mutant("VALID is not cleared by VMAP_VMR", VMT,
           "set_valid(gic, vmte, false)", "(void)0",
           "tables: VMAP_VMR M+U: VALID cleared, VMD address as it was"),
    Mutant("VMAP_VPER does not write VALID", VMT,
           "set_valid(gic, vpete, true)", "(void)0",
           "tables: VMAP_VPER writes one word"),
    Mutant("VMAP_VPER has its fields swapped", IRS,
           "gicv5_vmap_vpe(gic, high, low)", "gicv5_vmap_vpe(gic, low, high)",
           "tables: VMAP_VPER of VPE 1 writes one word"),
    Mutant("VPE_STATUSR has VPE_SELR's fields swapped", IRS,
           "u32 vm = LOW_ID(irs->vpe_selr), vpe = HIGH_ID(irs->vpe_selr), intid",
           "u32 vm = HIGH_ID(irs->vpe_selr), vpe = LOW_ID(irs->vpe_selr), intid",
           "tables: VPE 0 can be selected"),
    Mutant("VPE_STATUSR.V is always set", IRS,
           "(selected && fault", "(fault",
           "tables: no VPE before VMAP_VPER"),
    Mutant("VMTE.VPE_ID_BITS is ignored", VMT,
           "vpe >= GICV5_NR_VPES || vpe >> FIELD(vpet, 63, 59)", "vpe >= GICV5_NR_VPES",
           "tables: VMAP_VPER beyond VPE_ID_BITS"),
    Mutant("VMAP_VISTR of LPIs maps the SPIs", VIST,
           "u64 vmte = gicv5_vmte(gic, vm), addr = vmte + 8 * type, word;",
           "u64 vmte = gicv5_vmte(gic, vm), addr = vmte + 24, word;",
           "tables: VMAP_VISTR of LPIs: VALID in word 2"),
    Mutant("VMAP_VISTR takes any type", VIST,
           "(type != GICV5_TYPE_LPI && type != GICV5_TYPE_SPI))\n\t\treturn false;\n"
           "\tword = gicv5_mem_read(gic, addr,",
           "false)\n\t\treturn false;\n\tword = gicv5_mem_read(gic, addr,",
           "tables: VMAP_VISTR: PPIs have no IST"),
    Mutant("VMAP_L2_VMTR does not write VALID", VMT,
           "vm / VMTES_PER_L2 * 8, true)", "vm / VMTES_PER_L2 * 8, false)",
           "GAVE UP", tables=TWO_LEVEL),
    Mutant("a level 2 VMT has 64 entries", VMT,
           "#define VMTES_PER_L2 128", "#define VMTES_PER_L2 64",
           "tables: VMAP_L2_VMTR: VALID, address as it was", tables=TWO_LEVEL),
    Mutant("VPE_CR0.DPS is one for all VPEs", IRS,
           "gic->vm[vm].vpe[vpe].dps = val & 1", "gic->vm[0].vpe[0].dps = val & 1",
           "tables: VPE_CR0 of VPE 3, selected again"),
    # residency
    Mutant("F is never set", VM,
           "(c->contextr & ~ICH_CONTEXTR_V) | ICH_CONTEXTR_F", "c->contextr & ~ICH_CONTEXTR_V",
           "residency: F: a VM that never was"),
    Mutant("V stays with F", VM,
           "(c->contextr & ~ICH_CONTEXTR_V) | ICH_CONTEXTR_F", "c->contextr | ICH_CONTEXTR_F",
           "residency: after F: CDRCFG does not tell"),
    Mutant("IRICHPPIDIS is ignored", VIRT,
           " && !(c->contextr & ICH_CONTEXTR_IRICHPPIDIS)", "",
           "residency: IRICHPPIDIS: but not in HPPIR"),
    Mutant("PPIs need a resident VPE", VIRT,
           "if (!(c->vctlr & ICH_VCTLR_EN) ||",
           "if (!vpe_resident(c) || !(c->vctlr & ICH_VCTLR_EN) ||",
           "residency: no VPE resident: PPI 3 is signalled"),
    Mutant("commands need no resident VPE", VIRT,
           "if (vpe_resident(c))\n\t\tgicv5_vm_command", "if (1)\n\t\tgicv5_vm_command",
           "residency: after F: CDRCFG does not tell"),
    # interrupts
    Mutant("CDIA keeps Pending", VIST,
           "e &= ~ISTE_PENDING;", ";",
           "virtual SPIs: active: the entry"),
    Mutant("CDIA clears Pending of a level interrupt", VIST,
           "if (!(e & ISTE_HM))\n", "",
           "virtual SPIs: level up, active: the entry"),
    Mutant("CDDI clears Pending", VIST,
           "return e & ~ISTE_ACTIVE;", "return e & ~(ISTE_ACTIVE | ISTE_PENDING);",
           "virtual SPIs: injected while active: it comes"),
    Mutant("an entry is not written through", VIST,
           "gicv5_mem_write(gic, addr, e, 4);",
           "if (e & ISTE_ACTIVE)\n\t\tgicv5_mem_write(gic, addr, e, 4);",
           "virtual SPIs: CDPRI 8: the entry"),
    Mutant("an entry is written as 64 bits", VIST,
           "gicv5_mem_write(gic, addr, e, 4);", "gicv5_mem_write(gic, addr, e, 8);",
           "ISTs: linear, 16 bytes: word 1 of an entry"),
    Mutant("ICSR has HM and Active swapped", VIST,
           "(e & ISTE_HM) << 3 |\n\t       (e & ISTE_ACTIVE) << 3",
           "(e & ISTE_HM) << 2 |\n\t       (e & ISTE_ACTIVE) << 4",
           "virtual SPIs: CDHM level: CDRCFG"),
    Mutant("an IST has one interrupt too many", VIST,
           "if (id >> t->id_bits)\n\t\treturn", "if (id > 1u << t->id_bits)\n\t\treturn",
           "virtual SPIs: an SPI beyond ID_BITS: CDRCFG fails"),
    Mutant("ISTSZ is ignored", VIST,
           "t->shift = 2 + (unsigned int)FIELD(word, 57, 56);", "t->shift = 2;",
           "ISTs: linear, 8 bytes, LPI 1: set up"),
    Mutant("VALID of a level 1 entry is ignored", VIST,
           "if (!(l1 & VALID))", "if (!l1)",
           "ISTs: two-level: in a hole", tables=TWO_LEVEL),
    Mutant("IAFFID is ignored", VIST,
           "ISTE_VPE(e) != vpe || ", "",
           "LPIs: sent: not to the sender"),
    Mutant("VDPEND takes Pending from where CDPEND has it", VIRT,
           "FIELD(val, 63, 63) << 32", "FIELD(val, 32, 32) << 32",
           "virtual SPIs: pending and disabled: the entry"),
    Mutant("VDPEND goes to the resident VM", VIRT,
           "gicv5_vm_command(gic, cpu, (u32)FIELD(val, 47, 32), GIC_CDPEND,",
           "gicv5_vm_command(gic, cpu, ICH_CONTEXTR_VM(gic->cpu[cpu].contextr), GIC_CDPEND,",
           "virtual SPIs: 256 VMs, each acknowledges its own SPI"),
    Mutant("a PCR masks its own priority", VIRT,
           "prio > ICH_VMCR_VPMR(c->vmcr)", "prio >= ICH_VMCR_VPMR(c->vmcr)",
           "ordering: PCR 8 lets priority 8 through"),
    Mutant("a priority preempts itself", VIRT,
           "prio >= gicv5_running(c->vapr)", "prio > gicv5_running(c->vapr)",
           "ordering: priority 8 does not preempt 8"),
    Mutant("an SPI comes before a PPI of its priority", VIST,
           "ISTE_LEVEL(e) >= best)", "ISTE_LEVEL(e) > best)",
           "ordering: of equal priority, the PPI before the SPI"),
    # doorbells
    Mutant("a doorbell is not one-shot", VM,
           "p->req = false;\n\tgic->doorbells++", "gic->doorbells++",
           "doorbells: and again: none, it was one-shot"),
    Mutant("a load does not cancel", VM,
           "gic->vm[vm].vpe[vpe].req = false;", ";",
           "doorbells: a load cancels an older request"),
    Mutant("DB is ignored", VM,
           "p->req = val & ICH_CONTEXTR_DB;", "p->req = true;",
           "doorbells: put without DB, pending already: none, whatever DBPM"),
    Mutant("a put is about another VPE than was resident", VM,
           "vpe = ICH_CONTEXTR_VPE(old);", "vpe = ICH_CONTEXTR_VPE(old) ^ 1;",
           "doorbells: pending at the put: a doorbell at once"),
    Mutant("DBPM is a strict limit", VM,
           "&intid) > p->dbpm", "&intid) >= p->dbpm",
           "doorbells: DBPM 8, priority 8: a doorbell"),
    Mutant("DBPM is ignored", VM,
           "&intid) > p->dbpm", "&intid) > 31",
           "doorbells: DBPM 7, priority 8: none"),
    Mutant("DBV is ignored", VM,
           "!p->req || !p->dbv ||", "!p->req ||",
           "doorbells: DBV 0: none"),
    # save, several CPUs
    Mutant("SAVE_VM_STATUSR.Q is not set", IRS,
           "return STATUSR_IDLE | SAVE_STATUSR_Q;", "return STATUSR_IDLE;",
           "save: save: SAVE_VM_STATUSR"),
    Mutant("a VPE on another CPU is not told", VM,
           "if (gicv5_resident(&gic->cpu[cpu], vm, vpe))\n\t\t\tgicv5_mark(gic, cpu);",
           "if (!cpu && gicv5_resident(&gic->cpu[cpu], vm, vpe))\n\t\t\tgicv5_mark(gic, cpu);",
           "GAVE UP", cpus=2),
)  # fmt: skip
