// SPDX-License-Identifier: GPL-2.0-or-later
/* The registers of the IRS configuration frame that are about virtual machines. */
#include "gicv5_internal.h"
#include "gicv5_irs.h"

#define VMT_BASER_MASK (GENMASK(55, 3) | BIT(0))
#define VMT_CFGR_MASK  (BIT(16) | GENMASK(4, 0))
#define SAVE_STATUSR_Q BIT(1)

/* fields of the command registers */
#define LOW_ID(v)  ((u32)FIELD(v, 15, 0))
#define HIGH_ID(v) ((u32)FIELD(v, 47, 32))
#define MAP	   BIT(63)
#define UNMAP	   BIT(62)
#define SELECT	   BIT(63)
/* What the registers about virtual machines read as */
u64 gicv5_irs_virt_read(const struct gicv5 *gic, u32 off)
{
	const struct gicv5_irs *irs = &gic->irs;
	u32 vm = LOW_ID(irs->vpe_selr), vpe = HIGH_ID(irs->vpe_selr), intid;
	bool selected = (irs->vpe_selr & SELECT) && gicv5_vpe_valid(gic, vm, vpe);
	u8 fault = gic->options.fault;

	switch (off) {
	case IRS_VMT_BASER:
		return irs->vmt_baser | (fault == GICV5_FAULT_VMT_PRESET);
	case IRS_VMT_CFGR:
		return irs->vmt_cfgr;
	case IRS_VMT_STATUSR:
		return fault == GICV5_FAULT_VMT_BUSY ? 0 : STATUSR_IDLE;
	case IRS_VPE_SELR:
		return irs->vpe_selr & ~SELECT;
	case IRS_VPE_DBR:
		return selected ? gicv5_vpe_read_dbr(gic, vm, vpe) : 0;
	case IRS_VPE_HPPIR:
		if (!selected ||
		    gicv5_vist_hppi(gic, vm, vpe, GICV5_PRI_IDLE, &intid) == GICV5_PRI_IDLE)
			return 0;
		return GICV5_INTID_VALID | intid;
	case IRS_VPE_CR0:
		return selected && gic->vm[vm].vpe[vpe].dps;
	case IRS_VPE_STATUSR:
		return STATUSR_IDLE |
		       (selected && fault != GICV5_FAULT_VPE_INVALID ? STATUSR_V : 0);
	case IRS_VM_SELR:
		return irs->vm_selr;
	case IRS_VM_STATUSR:
		return STATUSR_IDLE | (gicv5_vmte(gic, irs->vm_selr) != NO_ENTRY ? STATUSR_V : 0);
	case IRS_SAVE_VM_STATUSR: /* the tables are current, always */
		return STATUSR_IDLE | SAVE_STATUSR_Q;
	}
	return 0;
}

void gicv5_irs_virt_write(struct gicv5 *gic, u32 off, u64 val)
{
	struct gicv5_irs *irs = &gic->irs;
	u32 low = LOW_ID(val), high = HIGH_ID(val), type = GICV5_TYPE(val);
	u32 vm = LOW_ID(irs->vpe_selr), vpe = HIGH_ID(irs->vpe_selr);

	switch (off) {
	case IRS_VMT_BASER:
		gicv5_vmt_write(gic, val & VMT_BASER_MASK);
		break;
	case IRS_VMT_CFGR: /* read-only while the table is valid */
		if (!(irs->vmt_baser & 1))
			irs->vmt_cfgr = val & VMT_CFGR_MASK;
		break;
	case IRS_VPE_SELR: /* VPE above, VM below; in VMAP_VPER it is the other way round */
		irs->vpe_selr = val & (SELECT | GENMASK(47, 32) | GENMASK(15, 0));
		break;
	case IRS_VPE_DBR:
		if (irs->vpe_selr & SELECT)
			gicv5_vpe_write_dbr(gic, vm, vpe, val);
		break;
	case IRS_VPE_CR0: /* DPS has no effect: it is about 1-of-N */
		if ((irs->vpe_selr & SELECT) && gicv5_vpe_valid(gic, vm, vpe))
			gic->vm[vm].vpe[vpe].dps = val & 1;
		break;
	case IRS_VM_SELR:
		irs->vm_selr = val & 0xffff;
		break;
	case IRS_VMAP_L2_VMTR:
		if (val & MAP)
			gicv5_vmap_l2_vmt(gic, low);
		break;
	case IRS_VMAP_VMR:
		if (val & MAP)
			gicv5_vmap_vm(gic, low, !(val & UNMAP));
		break;
	case IRS_VMAP_VISTR:
		if ((val & MAP) && gicv5_vmap_ist(gic, high, type, !(val & UNMAP)))
			gicv5_vm_changed(gic, high);
		break;
	case IRS_VMAP_L2_VISTR:
		if ((val & MAP) && gicv5_vmap_l2_ist(gic, high, type, GICV5_ID(val)))
			gicv5_vm_changed(gic, high);
		break;
	case IRS_VMAP_VPER:
		if (val & MAP)
			gicv5_vmap_vpe(gic, high, low);
		break;
	}
}
