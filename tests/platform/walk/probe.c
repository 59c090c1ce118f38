// SPDX-License-Identifier: GPL-2.0-or-later
/* What an IRS says of its virtualization, and KVM's probe of it. */
#include "walk.h"

static void identification(void)
{
	u32 idr0 = irs_read(IRS_IDR0), idr2 = irs_read(IRS_IDR2), idr3 = irs_read(IRS_IDR3),
	    idr4 = irs_read(IRS_IDR4);

	check(FIELD(idr0, 6, 6), 1, "IDR0.VIRT: virtualization capable");
	check(FIELD(idr0, 1, 0), 1, "IDR0.INT_DOM: Non-secure");
	check(FIELD(idr2, 5, 5), 1, "IDR2.LPI: a domain with LPIs, where doorbells come from");
	check(FIELD(idr2, 9, 6), 12, "IDR2.MIN_LPI_ID_BITS");
	check(FIELD(idr2, 4, 0) >= 12, 1, "IDR2.ID_BITS is no less than that");
	check(FIELD(idr2, 13, 11) & 1, 1, "IDR2.IST_L2SZ: level 2 arrays of 4 KB");
	check(FIELD(idr3, 9, 5), VM_ID_BITS, "IDR3.VM_ID_BITS: 256 VMs");
	check(FIELD(idr3, 10, 10), asked_for("vmt=two-level"), "IDR3.VMT_LEVELS as asked for");
	check(FIELD(idr3, 0, 0), 0, "IDR3.VMD: no VM descriptors");
	check(FIELD(idr4, 9, 6), 9, "IDR4.VPE_ID_BITS: 512 VPEs however it is encoded");
	check(FIELD(idr4, 5, 0), 6, "IDR4.VPED_SZ: VPE descriptors of 64 bytes");
	check(irs_read(IRS_IDR5), irs_read(IRS_IDR6), "IDR6: the one IRS has all SPIs");
}

/* Without a VM table there is no VM, whatever software asks for. */
static void before_the_table(void)
{
	u64 *lonely = alloc(4096, 4096), written = 0;

	irs_write64(IRS_VMT_BASER, (u64)lonely); /* not VALID */
	lonely[1] = (u64)alloc(64, 64) | 1ull << 59;
	vmt_command(IRS_VMAP_VMR, MAP_M);
	for (u32 i = 0; i < 512; i++)
		written |= i == 1 ? 0 : lonely[i];
	check(written, 0, "VMAP_VMR without a valid VMT writes nothing");
	irs_write64(IRS_VPE_SELR, MAP_M);
	check(irs_read(IRS_VPE_STATUSR), IDLE, "VPE_SELR without a valid VMT: IDLE, not V");
	irs_write64(IRS_VMT_BASER, 0);
}

void probe_chapter(void)
{
	chapter("probe");
	identification();
	check(irs_read(IRS_VMT_STATUSR), IDLE, "VMT_STATUSR.IDLE at the first poll");
	check(irs_read64(IRS_VMT_BASER), 0, "VMT_BASER: nobody's at the start");
	check(irs_read(IRS_VPE_STATUSR) & IDLE, IDLE, "VPE_STATUSR.IDLE at the start");
	check(irs_read(IRS_SAVE_VM_STATUSR) & IDLE, IDLE, "SAVE_VM_STATUSR.IDLE at the start");
	before_the_table();
	check(kvm_probe(), PROBE_OK, "KVM's probe succeeds");
	check(irs_read64(IRS_VMT_BASER), (u64)vmt | 1, "VMT_BASER reads back, VALID");
	check(irs_read(IRS_VMT_BASER), (u32)(u64)vmt | 1, "VMT_BASER, its low half");
	check(irs_read(IRS_VMT_BASER + 4), (u64)vmt >> 32, "VMT_BASER, its high half");
	check(irs_read(IRS_VMT_CFGR), (vmt_two_level ? VMT_TWO : 0) | VM_ID_BITS,
	      "VMT_CFGR reads back");
	check(irs_read(IRS_VMT_STATUSR), IDLE, "VMT_STATUSR.IDLE after it");
}
