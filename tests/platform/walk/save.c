// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Save and restore. KVM asks the IRS to write back what it holds of a VM (SAVE_VMR), then reads the
 * ISTs in memory. A restored VM gets the entries without Pending before its ISTs are mapped, and
 * then a VDPEND for each one that was pending.
 */
#include "walk.h"

#define SAVE_S	 BIT(63)
#define SAVE_Q	 BIT(62)
#define STATUS_Q 2u
#define NR	 8

/* One SPI in each state there is; from 0 up, at priorities 2, 4, 6, ... */
static const u32 states[NR] = {
	I_EN,
	I_EN | I_PEND,
	I_PEND,
	I_EN | I_ACT,
	I_EN | I_ACT | I_PEND,
	I_EN | I_HM | I_PEND,
	I_EN | I_HM | I_PEND | I_ACT,
	0,
};

static u32 word(u32 i)
{
	return (u32)I_PRIO(2 * i + 2) | states[i] | (i == 7 ? (u32)I_AFF(1) : 0);
}

/* Have the guest and the hypervisor bring SPI i into its state, as they would. */
static void bring_about(struct vm *vm, u32 i)
{
	bool enable = states[i] & I_EN;

	guest_setup(SPI(i), i == 7, 2 * i + 2);
	if (states[i] & I_HM)
		guest_cd(g_cdhm, SPI(i), BIT(32));
	if (states[i] & I_ACT) {
		vdpend(vm, SPI(i), true);
		check(guest_ack(), VALID | SPI(i), "SPI %u is made active", i);
		guest(g_cdeoi, 0);
	}
	if (!enable)
		guest_cd(g_cddis, SPI(i), 0);
	vdpend(vm, SPI(i), states[i] & I_PEND);
	/* out of the way of those that must be acknowledged; KVM's image is what is wanted */
	if (states[i] & I_PEND && !(states[i] & I_ACT))
		guest_cd(g_cddis, SPI(i), 0);
}

static void save(struct vm *vm, u32 *image, const char *when)
{
	memory_changed();
	irs_write64(IRS_SAVE_VMR, SAVE_S | vm->id);
	check(irs_read(IRS_SAVE_VM_STATUSR), IDLE | STATUS_Q, "%s: SAVE_VM_STATUSR", when);
	irs_write64(IRS_SAVE_VMR, SAVE_S | SAVE_Q | vm->id);
	check(irs_read(IRS_SAVE_VM_STATUSR), IDLE | STATUS_Q, "%s: quiesced", when);
	check(memory_changed(), 0, "%s: there was nothing to write back", when);
	for (u32 i = 0; i < NR; i++)
		image[i] = *iste(&vm->spi, i);
}

static struct vm *restore(u32 id, const u32 *image)
{
	struct vm *vm = vm_alloc(id, 2);

	vmt_make_l2(id);
	vm_write_vmte(vm);
	vmt_command(IRS_VMAP_VMR, MAP_M | id);
	ist_init(&vm->spi, 5, 0, false);
	for (u32 i = 0; i < NR; i++)
		*iste(&vm->spi, i) = image[i] & ~(u32)I_PEND;
	vmte(id)[3] = ist_vmte_word(&vm->spi);
	vmt_command(IRS_VMAP_VISTR, MAP_M | (u64)id << 32 | TYPE_SPI << 29);
	for (u32 vpe = 0; vpe < 2; vpe++)
		vpe_reset(vm, vpe);
	for (u32 i = 0; i < NR; i++)
		if (image[i] & I_PEND)
			vdpend(vm, SPI(i), true);
	return vm;
}

void save_chapter(void)
{
	u32 image[NR], again[NR], same = 0;
	struct vm *vm;

	chapter("save");
	vm = vm_create(24, 2);
	guest_open();
	vpe_load(vm, 0, 0);
	for (u32 i = NR; i--;)
		bring_about(vm, i);
	for (u32 i = 0; i < NR; i++)
		if (states[i] & I_EN)
			guest_cd(g_cden, SPI(i), 0);
	vpe_put(0);
	save(vm, image, "save");
	for (u32 i = 0; i < NR; i++)
		check(image[i], word(i), "saved: SPI %u", i);
	vm_destroy(vm);

	vm = restore(25, image);
	save(vm, again, "save of the restored VM");
	for (u32 i = 0; i < NR; i++)
		same += again[i] == image[i];
	check(same, NR, "saved again, the images are the same");

	vpe_load(vm, 0, 0);
	check(guest_ack(), VALID | SPI(1), "restored: SPI 1 was pending");
	guest_end(SPI(1));
	check(guest_ack(), VALID | SPI(5), "restored: SPI 4 was active, SPI 5 is next");
	guest_end(SPI(5));
	vdpend(vm, SPI(5), false);
	check(guest_ack(), 0, "restored: SPIs 2, 3, 6 and 7 are disabled, active or another's");
	guest_cd(g_cddi, SPI(4), 0);
	check(guest_ack(), VALID | SPI(4), "restored: SPI 4, deactivated, was pending as well");
	guest_end(SPI(4));
	guest_cd(g_cddi, SPI(6), 0);
	check(guest_ack(), VALID | SPI(6), "restored: SPI 6, deactivated, is level and still up");
	vdpend(vm, SPI(6), false);
	guest_end(SPI(6));
	guest_cd(g_cden, SPI(2), 0);
	check(guest_ack(), VALID | SPI(2), "restored: SPI 2, enabled, was pending");
	guest_end(SPI(2));
	check(guest_ack(), 0, "restored: and that is all");
	vpe_put(0);
	vm_destroy(vm);
}
