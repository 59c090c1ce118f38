// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The whole plugin on a fake QEMU with several vCPU threads and a thread of
 * devices, for ThreadSanitizer and AddressSanitizer: hosts that configure,
 * send IPIs and take interrupts; guests that are entered, trapped and left;
 * lines that move under them. At the end everything must be at rest: no
 * interrupt is lost, and the wires say what the state machine says.
 *
 *   race-test [STEPS [SEED]]
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "race_cpu.h"

#define ERET_PC	 0x40100ull
#define GUEST_PC 0x50000ull
#define ERET	 0xd69f03e0u

#define HCR_HOST  (BIT(34) | BIT(27) | BIT(4)) /* E2H, TGE, IMO */
#define HCR_GUEST (BIT(34) | BIT(4))
#define EL1H	  0x5

#define ENC_ESR_EL2 SYS_ENC(3, 4, 5, 2, 0)
#define ENC_CNTV    SYS_ENC(3, 3, 14, 3, 1)

static unsigned int steps = 4000;
static u64 seed = 1;
static pthread_barrier_t barrier;
static pthread_t io;
static bool devices_stop;
static __thread u64 rng;
static u64 nr_irqs, nr_traps, nr_micro, nr_guest;

static u32 random_below(u32 n)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return (u32)(rng >> 16) % n;
}

static void count(u64 *what)
{
	__atomic_fetch_add(what, 1, __ATOMIC_RELAXED);
}

/* ---- a host ----------------------------------------------------------------------- */
static u32 own_spi(void)
{
	return GICV5_INTID(GICV5_TYPE_SPI, 32 + fake_current_cpu());
}

static void route(u32 intid)
{
	wr(GIC_CDEN, intid);
	wr(GIC_CDPRI, intid);
	wr(GIC_CDAFF, intid | (u64)fake_current_cpu() << 32);
}

static void open_up(void)
{
	static const u8 all[] = { REG_ICH_HFGRTR, REG_ICH_HFGWTR, REG_ICH_HFGITR, REG_ICH_VMCR,
				  REG_ICH_VCTLR };

	for (unsigned int i = 0; i < sizeof(all); i++)
		wr(all[i], ~(u64)0);
	wr(REG_CR0, 1);
	wr(REG_PCR, 31);
	wr(REG_APR, 0);
	route(GICV5_INTID(GICV5_TYPE_LPI, fake_current_cpu()));	     /* IPIs */
	route(GICV5_INTID(GICV5_TYPE_LPI, 16 + fake_current_cpu())); /* its doorbell */
	route(own_spi());
}

static void handle_irqs(unsigned int most)
{
	unsigned int cpu = fake_current_cpu();

	for (unsigned int i = 0; i < most && fake_gicv2_irq(cpu); i++) {
		u64 intid = rd(GICR_CDIA);

		if (!intid)
			continue; /* another CPU took it, or the line fell */
		count(&nr_irqs);
		wr(GIC_CDEOI, 0);
		wr(GIC_CDDI, (u32)intid);
	}
}

static u64 random_operand(void)
{
	u32 spi = GICV5_INTID(GICV5_TYPE_SPI, 1 + random_below(8));
	u32 lpi = GICV5_INTID(GICV5_TYPE_LPI, random_below(NR_CPUS));

	return (random_below(2) ? spi : lpi) | (u64)random_below(NR_CPUS) << 32;
}

static void host_step(void)
{
	static const u8 command[] = { GIC_CDEN, GIC_CDPEND, GIC_CDPEND, GIC_CDRCFG };
	static const u8 ppi[] = { REG_PPI_ENABLER, REG_PPI_SPENDR,  REG_PPI_CPENDR,
				  REG_ICH_DVIR,	   REG_ICH_ENABLER, REG_ICH_PENDR };
	u64 val = random_below(2) ? BIT(3) | BIT(27) | BIT(30) : BIT(random_below(32));

	switch (random_below(10)) {
	case 8: /* to a guest, wherever it is */
	case 9:
		wr(GIC_VDPEND,
		   MAP | (u64)1 << 32 | GICV5_INTID(GICV5_TYPE_SPI, random_below(NR_VSPI)));
		break;
	case 0: /* an IPI */
		wr(GIC_CDPEND, GICV5_INTID(GICV5_TYPE_LPI, random_below(NR_CPUS)) | BIT(32));
		break;
	case 1:
		wr(command[random_below(sizeof(command))], random_operand());
		break;
	case 2: /* an SPI moves */
		val = GICV5_INTID(GICV5_TYPE_SPI, random_below(2) ? 1 + random_below(8) :
								    32 + random_below(NR_CPUS));
		wr(random_below(2) ? GIC_CDAFF : GIC_CDEN, val | (u64)random_below(NR_CPUS) << 32);
		break;
	case 3:
	case 4:
		wr(ppi[random_below(sizeof(ppi))], val);
		break;
	case 5:
		wr(random_below(2) ? REG_PCR : REG_ICH_VMCR, random_below(2) ? ~(u64)0 : 0);
		break;
	case 6:
		irs_access(0x108, false, 1 + random_below(8)); /* SPI_SELR: shared, as in the IRS */
		irs_access(random_below(2) ? 0x114 : 0x118, random_below(2), random_below(2));
		break;
	case 7:
		rd(random_below(2) ? REG_HPPIR : REG_ICH_HPPIR);
		break;
	}
}

/* ---- a guest ------------------------------------------------------------------------ */
static void guest_access(void)
{
	static const u8 regs[] = { REG_PPI_ENABLER, REG_PPI_SPENDR, REG_PPI_CPENDR, REG_PCR,
				   REG_HPPIR,	    GICR_CDIA,	    GIC_CDEOI,	    GIC_CDDI };
	const struct gicv5_op *op = op_of(regs[random_below(sizeof(regs))], 0);
	unsigned int cpu = fake_current_cpu();
	bool up;

	fake_set_reg("x1", op->reg != GIC_CDDI ? BIT(3) | BIT(27) :
			   random_below(2)     ? GICV5_INTID(GICV5_TYPE_PPI, 27) :
						 GICV5_INTID(GICV5_TYPE_SPI, random_below(NR_VSPI)));
	if (random_below(8) == 0) {
		fake_execute(GUEST_PC, sys_word(ENC_CNTV, false));
		return;
	}
	if (!fake_execute(GUEST_PC, sys_word(op->enc, !(op->access & OP_W))))
		fake_fail("%s is not emulated at EL1", op->name);
	if (fake_reg("pc") == GUEST_PC && !fake_gicv2_irq(cpu))
		fake_fail("a trap that rings no doorbell");
	platform_lock();
	up = gicv5_virq(&platform.gic, cpu);
	platform_unlock();
	if (up != fake_gicv2_virq(cpu) && !fake_gicv2_irq(cpu))
		fake_fail("the virtual IRQ is %d, its wire is not, and nobody knocks", up);
}

/* The CPU takes its IRQ from EL1. True: the host gets to see something. */
static bool guest_irq(void)
{
	fake_set_reg("ELR_EL2", GUEST_PC);
	fake_set_reg("SPSR_EL2", EL1H);
	fake_set_reg("cpsr", EL2H);
	if (!fake_execute(VBAR + 0x480, NOP))
		return true;
	if (fake_reg("pc") == VBAR + 0x400) {
		if (!fake_execute(CODE, sys_word(ENC_ESR_EL2, true)) ||
		    FIELD(fake_reg("x1"), 31, 26) != 0x18)
			fake_fail("a trap without its syndrome");
		count(&nr_traps);
		return true;
	}
	if (fake_reg("pc") != ERET_PC)
		fake_fail("back to 0x%llx", (unsigned long long)fake_reg("pc"));
	count(&nr_micro);
	fake_execute(ERET_PC, ERET);
	fake_set_reg("cpsr", EL1H);
	return false;
}

static void enter_vpe(unsigned int cpu)
{
	wr(REG_ICH_APR, 0);
	wr(REG_ICH_VMCR, ~(u64)0);
	wr(REG_ICH_CONTEXTR, MAP | (u64)cpu << 32 | 1);
	if (rd(REG_ICH_CONTEXTR) & BIT(62))
		fake_fail("no VPE %u", cpu);
}

static void enter_guest(void)
{
	write_hcr(HCR_GUEST);
	fake_execute(ERET_PC, ERET);
	fake_set_reg("cpsr", EL1H);
}

static void leave_guest(void)
{
	fake_set_reg("cpsr", EL2H);
	write_hcr(HCR_HOST);
}

static void run_guest(void)
{
	bool left = false;

	count(&nr_guest);
	wr(REG_ICH_HFGWTR, random_below(4) ? ~(u64)0 : ~BIT(17)); /* traps PPI_ENABLER */
	wr(REG_ICH_DVIR, random_below(2) ? BIT(27) : 0);
	enter_vpe(fake_current_cpu());
	enter_guest();
	for (unsigned int i = 0; i < 30 && !left; i++) {
		if (fake_gicv2_irq(fake_current_cpu()))
			left = guest_irq();
		else
			guest_access();
	}
	leave_guest();
	wr(REG_ICH_CONTEXTR, random_below(2) ? BIT(60) | (u64)31 << 55 : 0); /* with a doorbell */
}

/* ---- threads ---------------------------------------------------------------------- */
static void boot(unsigned int cpu)
{
	rng = seed * 0x9e3779b97f4a7c15ull + cpu + 1;
	fake_vcpu_begin(cpu);
	fake_set_reg("cpsr", EL2H);
	fake_set_reg("VBAR_EL2", VBAR);
	fake_set_reg("HCR_EL2", HCR_HOST);
	if (cpu == 0) { /* a new boot: the others are still off */
		irs_access(IRS_CR0, false, 1);
		irs_command(0x180, 1); /* IST_BASER.VALID */
		make_vm();
	}
	pthread_barrier_wait(&barrier);
	open_up();
	pthread_barrier_wait(&barrier);
}

/* An IPI must reach a CPU that does nothing by itself. */
static void check_ipi(unsigned int cpu)
{
	wr(GIC_CDPEND, GICV5_INTID(GICV5_TYPE_LPI, (cpu + 1) % NR_CPUS) | BIT(32));
	pthread_barrier_wait(&barrier);
	if (!fake_gicv2_irq(cpu))
		fake_fail("an IPI does not arrive");
	pthread_barrier_wait(&barrier);
	handle_irqs(1000);
	pthread_barrier_wait(&barrier);
}

/* A virtual SPI must reach a guest that does nothing: odd CPUs send, even ones have guests. */
static void check_kick(unsigned int cpu)
{
	unsigned int guest = cpu & ~1u;
	u64 vspi = GICV5_INTID(GICV5_TYPE_SPI, guest);

	enter_vpe(cpu);
	wr(REG_ICH_ENABLER, 0);
	if (cpu != guest) {
		for (unsigned int id = guest; id < NR_VSPI; id += NR_CPUS)
			wr(GIC_VDPEND, (u64)1 << 32 | GICV5_INTID(GICV5_TYPE_SPI, id));
		wr(GIC_VDDI, vspi);
	}
	pthread_barrier_wait(&barrier);
	if (cpu == guest)
		enter_guest();
	pthread_barrier_wait(&barrier);
	if (cpu != guest)
		wr(GIC_VDPEND, MAP | (u64)1 << 32 | vspi);
	pthread_barrier_wait(&barrier);
	if (cpu == guest) {
		if (!fake_gicv2_irq(cpu))
			fake_fail("a virtual SPI does not kick");
		if (guest_irq() || !fake_gicv2_virq(cpu))
			fake_fail("a virtual SPI does not arrive");
		leave_guest();
	}
	pthread_barrier_wait(&barrier);
}

static void check_spi(unsigned int cpu)
{
	u64 intid;

	wr(GIC_CDPEND, own_spi() | BIT(32));
	if (!fake_gicv2_irq(cpu))
		fake_fail("an SPI does not arrive");
	intid = rd(GICR_CDIA);
	if ((u32)intid != own_spi())
		fake_fail("0x%llx arrives for SPI 0x%x", (unsigned long long)intid, own_spi());
	wr(GIC_CDEOI, 0);
	wr(GIC_CDDI, own_spi());
	pthread_barrier_wait(&barrier);
}

/* Everybody at rest, all lines low: whatever was sent has arrived, and what is sent arrives. */
static void settle(unsigned int cpu)
{
	bool pending;

	pthread_barrier_wait(&barrier);
	open_up();
	handle_irqs(1000);
	/* What CDPEND made pending outlasts CDIA while it is handled as Level: take it back. */
	for (u32 spi = 1; spi <= 8; spi++)
		wr(GIC_CDPEND, GICV5_INTID(GICV5_TYPE_SPI, spi));
	pthread_barrier_wait(&barrier);
	handle_irqs(1000);
	wr(GIC_CDRCFG, GICV5_INTID(GICV5_TYPE_LPI, cpu));
	if (rd(REG_ICSR) & BIT(2))
		fake_fail("an IPI is lost");
	pthread_barrier_wait(&barrier);
	check_spi(cpu);
	check_ipi(cpu);
	check_kick(cpu);
	platform_lock();
	pending = gicv5_phys_pending(&platform.gic, cpu);
	platform_unlock();
	if (pending || fake_gicv2_irq(cpu))
		fake_fail("not at rest: pending %d, wire %d", pending, fake_gicv2_irq(cpu));
}

static void *vcpu(void *arg)
{
	unsigned int cpu = (unsigned int)(uintptr_t)arg;

	boot(cpu);
	for (unsigned int i = 0; i < steps; i++) {
		host_step();
		if (random_below(8) == 0)
			run_guest();
		handle_irqs(4);
	}
	if (pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD) {
		__atomic_store_n(&devices_stop, true, __ATOMIC_RELAXED);
		pthread_join(io, NULL);
	}
	settle(cpu);
	pthread_barrier_wait(&barrier);
	fake_vcpu_end();
	return NULL;
}

static void *devices(void *unused)
{
	static const u8 ppis[] = { 26, 27, 30 };

	(void)unused;
	rng = seed;
	while (!__atomic_load_n(&devices_stop, __ATOMIC_RELAXED)) {
		fake_gicv2_ppi(random_below(NR_CPUS), ppis[random_below(3)], random_below(2));
		fake_gicv2_spi(1 + random_below(8), random_below(2));
		usleep(20);
	}
	for (unsigned int cpu = 0; cpu < NR_CPUS; cpu++)
		for (unsigned int i = 0; i < sizeof(ppis); i++)
			fake_gicv2_ppi(cpu, ppis[i], false);
	for (unsigned int spi = 1; spi <= 8; spi++)
		fake_gicv2_spi(spi, false);
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t thread[NR_CPUS];
	char trace[512];

	if (argc > 1)
		steps = (unsigned int)strtoul(argv[1], NULL, 0);
	if (argc > 2)
		seed = strtoull(argv[2], NULL, 0);
	alarm(300);
	printf("gicv5 race: %u CPUs, %u steps each, seed %llu\n", NR_CPUS, steps,
	       (unsigned long long)seed);
	fflush(stdout);
	pthread_barrier_init(&barrier, NULL, NR_CPUS);
	snprintf(trace, sizeof(trace), "trace=%s", argc > 3 ? argv[3] : "race.trace");
	fake_start(NR_CPUS, 2, (char *[]){ trace, "trace-records=4096" });
	pthread_create(&io, NULL, devices, NULL);
	for (uintptr_t i = 0; i < NR_CPUS; i++)
		pthread_create(&thread[i], NULL, vcpu, (void *)i);
	for (unsigned int i = 0; i < NR_CPUS; i++)
		pthread_join(thread[i], NULL);
	fake_exit();
	printf("gicv5 race: %llu interrupts, %llu guests entered, %llu traps, %llu returns unseen\n",
	       (unsigned long long)nr_irqs, (unsigned long long)nr_guest,
	       (unsigned long long)nr_traps, (unsigned long long)nr_micro);
	return !(nr_irqs && nr_traps && nr_micro);
}
