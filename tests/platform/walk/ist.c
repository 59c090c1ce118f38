// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The shapes of an IST: entries of 4, 8 or 16 bytes, one level or two. Wherever an entry is, the
 * first 32-bit word of it is written through, and nothing around it.
 */
#include "walk.h"

static const char *const levels[] = { "linear", "two-level" };

static void write_through(struct vm *vm, u32 id, const char *shape, u32 bytes)
{
	volatile u32 *entry = iste(&vm->lpi, id);

	memory_changed();
	guest_setup(LPI(id), 0, 8);
	check(*entry, 0x4008, "%s, %u bytes, LPI %u: set up", shape, bytes, id);
	check(memory_changed(), 1, "%s, %u bytes, LPI %u: nothing else is written", shape, bytes,
	      id);
	guest_cd(g_cdpend, LPI(id), BIT(32));
	check(*entry, 0x4009, "%s, %u bytes, LPI %u: pending", shape, bytes, id);
	check(guest_rcfg(LPI(id)), ICSR(0, 8, ICSR_EN | ICSR_PEND), "%s, %u bytes, LPI %u: CDRCFG",
	      shape, bytes, id);
	check(guest_ack(), VALID | LPI(id), "%s, %u bytes, LPI %u: CDIA", shape, bytes, id);
	check(*entry, 0x400a, "%s, %u bytes, LPI %u: active", shape, bytes, id);
	guest_end(LPI(id));
	check(*entry, 0x4008, "%s, %u bytes, LPI %u: ended", shape, bytes, id);
	check(memory_changed(), 0, "%s, %u bytes, LPI %u: nothing else is left", shape, bytes, id);
	vdpend(vm, LPI(id), true);
	check(*entry, 0x4009, "%s, %u bytes, LPI %u: VDPEND", shape, bytes, id);
	vdpend(vm, LPI(id), false);
	guest_cd(g_cddis, LPI(id), 0);
}

/* The metadata behind the first word belongs to the IRS; this one has none and leaves it. */
static void metadata(struct vm *vm, const char *shape, u32 bytes)
{
	volatile u32 *entry = iste(&vm->lpi, 33);

	for (u32 i = 1; i < bytes / 4; i++)
		entry[i] = 0x11111111 * i;
	guest_setup(LPI(33), 0, 3);
	for (u32 i = 1; i < bytes / 4; i++)
		check(entry[i], 0x11111111 * i, "%s, %u bytes: word %u of an entry", shape, bytes,
		      i);
}

static void shape(u32 size, bool two_level)
{
	struct vm *vm = vm_create(19, 1);
	u32 bytes = 4u << size;
	/* the last one of the first level 2 array and the first of the second are neighbours */
	u32 ids[] = { 0, 1, 4096 / bytes - 1, 4096 / bytes, 4095 };

	vm_map_lpis(vm, 12, size, two_level);
	check(vmte(19)[2], ist_vmte_word(&vm->lpi) | 1, "%s, %u bytes: the VMTE", levels[two_level],
	      bytes);
	guest_open();
	vpe_load(vm, 0, 0);
	for (u32 i = 0; i < ARRAY_SIZE(ids); i++)
		write_through(vm, ids[i], levels[two_level], bytes);
	metadata(vm, levels[two_level], bytes);
	check(guest_rcfg(LPI(4096)), ICSR_F, "%s, %u bytes: LPI 4096 is none", levels[two_level],
	      bytes);
	vpe_put(0);
	vm_destroy(vm);
}

/* Software makes a level 1 entry VALID; behind one that is not there are no interrupts. */
static void hole(void)
{
	struct vm *vm = vm_create(20, 1);

	ist_init(&vm->lpi, 12, 0, true);
	vm->lpi.l1[1] &= ~1ull;
	vmte(20)[2] = ist_vmte_word(&vm->lpi);
	vmt_command(IRS_VMAP_VISTR, MAP_M | 20ull << 32 | TYPE_LPI << 29);
	guest_open();
	vpe_load(vm, 0, 0);
	check(guest_rcfg(LPI(1023)), 0, "two-level: before a hole");
	check(guest_rcfg(LPI(1024)), ICSR_F, "two-level: in a hole");
	check(guest_rcfg(LPI(2047)), ICSR_F, "two-level: at the end of a hole");
	check(guest_rcfg(LPI(2048)), 0, "two-level: behind a hole");
	memory_changed();
	guest_setup(LPI(1024), 0, 8);
	vdpend(vm, LPI(1024), true);
	check(memory_changed(), 0, "two-level: nothing is written in a hole");
	check(guest_ack(), 0, "two-level: nothing comes from a hole");
	vpe_put(0);
	vm_destroy(vm);
}

/* KVM makes the IST of the SPIs as the host's: it can have any shape as well. */
static void spi_shapes(void)
{
	for (u32 size = 0; size < 3; size++) {
		struct vm *vm = vm_alloc(21, 1);

		vmt_make_l2(21);
		vm_write_vmte(vm);
		vmt_command(IRS_VMAP_VMR, MAP_M | 21);
		ist_init(&vm->spi, 10, size, false);
		vmte(21)[3] = ist_vmte_word(&vm->spi);
		vmt_command(IRS_VMAP_VISTR, MAP_M | 21ull << 32 | TYPE_SPI << 29);
		vpe_reset(vm, 0);
		guest_open();
		vpe_load(vm, 0, 0);
		guest_setup(SPI(1023), 0, 8);
		vdpend(vm, SPI(1023), true);
		check(*iste(&vm->spi, 1023), 0x4009, "1024 SPIs, %u bytes: the last entry",
		      4u << size);
		check(guest_ack(), VALID | SPI(1023), "1024 SPIs, %u bytes: CDIA", 4u << size);
		check(guest_rcfg(SPI(1024)), ICSR_F, "1024 SPIs, %u bytes: no more", 4u << size);
		guest_end(SPI(1023));
		vpe_put(0);
		vm_destroy(vm);
	}
}

void ist_chapter(void)
{
	chapter("ISTs");
	for (u32 size = 0; size < 3; size++)
		shape(size, false);
	spi_shapes();
	if (!FIELD(irs_read(IRS_IDR2), 10, 10)) /* IST_LEVELS */
		return;
	for (u32 size = 0; size < 3; size++)
		shape(size, true);
	hole();
}
