// SPDX-License-Identifier: GPL-2.0-or-later
/* The IRS configuration frame, as a driver reads it. */
#include <string.h>

#include "check.h"

static void test_ist(void)
{
	irs_wr64(0x180, 0);
	irs_wr64(0x180, ~(u64)1);
	CHECK_EQ(irs_rd64(0x180), 0x00ffffffffffffc0);
	irs_wr(0x184, 0x12); /* halves */
	CHECK_EQ(irs_rd(0x184), 0x12);
	CHECK_EQ(irs_rd(0x180), 0xffffffc0);
	irs_wr(0x190, ~0u);
	CHECK_EQ(irs_rd(0x190), 0x101ff);
	CHECK_EQ(irs_rd(0x194), 1);

	/* a level 2 table: two levels, 16 KB, 8 bytes an entry, 14 bits */
	irs_wr(0x190, BIT(16) | 1 << 7 | 1 << 5 | 14);
	irs_wr64(0x180, MEM_BASE | 1);
	set_mem64(MEM_BASE + 8 * 2, MEM_BASE + 0x4000);
	irs_wr(0x1c0, 2048 * 2 + 5);
	CHECK_EQ(mem64(MEM_BASE + 8 * 2), (MEM_BASE + 0x4000) | 1);
	CHECK_EQ(mem64(MEM_BASE + 8 * 1), 0);
	irs_wr(0x1c0, 1 << 14); /* not an LPI */
	CHECK_EQ(mem64(MEM_BASE + 8 * 8), 0);

	/* while it is valid, only VALID can be changed */
	irs_wr(0x190, 15);
	CHECK_EQ(irs_rd(0x190), 0x100ae);
	irs_wr64(0x180, (MEM_BASE + 0x10000) | 1);
	CHECK_EQ(irs_rd64(0x180), MEM_BASE | 1);
	irs_wr64(0x180, MEM_BASE + 0x10000);
	CHECK_EQ(irs_rd64(0x180), MEM_BASE);
	irs_wr(0x1c0, 0);
	CHECK_EQ(mem64(MEM_BASE), 0);
	irs_wr(0x190, 14);
	irs_wr64(0x180, MEM_BASE | 1);
	irs_wr(0x1c0, 2048); /* linear */
	CHECK_EQ(mem64(MEM_BASE + 8), 0);
}

void test_irs(void)
{
	char buf[16];
	u64 val;

	setup(2);
	CHECK_EQ(irs_rd(0x000), 0x5d); /* NS, VIRT */
	CHECK_EQ(irs_rd(0x004), 0x4f0002);
	CHECK_EQ(irs_rd(0x008), 0xb30); /* 16 ID bits, LPI, 12 at least, 4 KB level 2, linear */
	CHECK_EQ(irs_rd(0x00c), 0x100); /* 256 VMs, linear VMT, no descriptors */
	CHECK_EQ(irs_rd(0x010), 0x246);
	CHECK_EQ(irs_rd(0x014), 256);
	CHECK_EQ(irs_rd(0x018), 256);
	CHECK_EQ(irs_rd(0x01c), 0);
	CHECK_EQ(irs_rd(0xffbc), 0x47705a19);
	CHECK_EQ(irs_rd(0xfff0) | irs_rd(0xfff4) << 8 | irs_rd(0xfff8) << 16 | irs_rd(0xfffc) << 24,
		 0xb105f00d);
	irs_wr(0x000, ~0u); /* read-only */
	CHECK_EQ(irs_rd(0x000), 0x5d);

	irs_wr(IRS_CR0, 0);
	CHECK_EQ(irs_rd(IRS_CR0), 2);
	irs_wr(IRS_CR0, ~0u);
	CHECK_EQ(irs_rd(IRS_CR0), 3);
	irs_wr(0x084, ~0u);
	CHECK_EQ(irs_rd(0x084), 0xffff);
	irs_wr(0x0c0, 1u << 31);
	CHECK_EQ(irs_rd(0x0c4), 1);

	irs_wr(0x108, 255);
	CHECK_EQ(irs_rd(0x118), 3);
	irs_wr(0x114, 1);
	CHECK_EQ(irs_rd(0x114), 1);
	CHECK(board.spi_level[255]);
	irs_wr(0x108, 256);
	CHECK_EQ(irs_rd(0x118), 1); /* not V */
	irs_wr(0x114, 1);
	CHECK_EQ(irs_rd(0x114), 0);

	irs_wr(0x140, 1);
	CHECK_EQ(irs_rd(0x144), 7);
	irs_wr(0x148, 1); /* DPS: there is no 1-of-N */
	CHECK_EQ(irs_rd(0x148), 0);
	irs_wr(0x140, 2);
	CHECK_EQ(irs_rd(0x144), 1);

	test_ist();

	/* what is not modelled says so, reads as 0 and changes nothing */
	val = 1;
	CHECK(!gicv5_irs_read(&gic, 0x100, 8, &val)); /* SPI_VMR */
	CHECK_EQ(val, 0);
	CHECK(!gicv5_irs_write(&gic, 0x100, 4, 1));
	CHECK(!gicv5_irs_read(&gic, 0x000, 8, &val)); /* wrong width */
	CHECK(!gicv5_irs_read(&gic, 0x000, 1, &val));
	CHECK(!gicv5_irs_write(&gic, 0x082, 4, 1)); /* misaligned */
	CHECK(!gicv5_irs_write(&gic, 0x182, 4, 1));
	CHECK_EQ(irs_rd(0x340), 0); /* MEC */

	CHECK(!strcmp(gicv5_irs_name(0x2c8, buf, sizeof(buf)), "IRS_VMAP_VMR"));
	CHECK(!strcmp(gicv5_irs_name(0x080, buf, sizeof(buf)), "IRS_CR0"));
	CHECK(!strcmp(gicv5_irs_name(0x100, buf, sizeof(buf)), "IRS+0x100"));
}
