// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The physical side: the IRS, each CPU's interface, and host LPIs, of which KVM makes the doorbells
 * of its vCPUs. Interrupts stay masked at EL2; what is pending is asked for, so counts are exact.
 */
#include "walk.h"

#define PSCI_CPU_ON 0xc4000003

#define CD(op, val)   asm volatile("sys #0, c12, " op ", %0\n\tisb" ::"r"((u64)(val)) : "memory")
#define CDEN(val)     CD("c1, #1", val)
#define CDPRI(val)    CD("c1, #2", val)
#define CDAFF(val)    CD("c1, #3", val)
#define CDPEND(val)   CD("c1, #4", val)
#define CDDI(val)     CD("c2, #0", val)
#define HOST_ID_BITS  12
#define HOST_PRIO_ALL 31

u64 smc(u64 function, u64 a, u64 b, u64 c);
void secondary(u64 cpu);
void secondary_main(void);

u32 nr_cpus, host_doorbells;

#define CDDIS(val) CD("c1, #0", val)

/*
 * Work for another CPU. It sleeps until `number` changes; host LPI `cpu` is what wakes it, and is
 * disabled while it works, so that it is never among the interrupts of a chapter.
 */
static struct post {
	cpu_fn fn;
	u64 a, b, result;
	u32 number, done;
	bool up;
} posts[MAX_CPUS];

u32 this_cpu(void)
{
	return (u32)read_sysreg("tpidr_el2");
}

void delay_us(u64 us)
{
	u64 until = read_sysreg("cntpct_el0") + us * read_sysreg("cntfrq_el0") / 1000000;

	while (read_sysreg("cntpct_el0") < until)
		;
}

/* As el2_setup.h and the irqchip driver do it */
void host_cpu_init(void)
{
	write_sysreg(0x1f07f7, ICH_HFGRTR);
	write_sysreg(0x1e0065, ICH_HFGWTR);
	write_sysreg(0x7ff, ICH_HFGITR);
	write_sysreg(1, ICH_VCTLR);
	write_sysreg(0, ICC_PPI_ENABLER0);
	write_sysreg(HOST_PRIO_ALL, ICC_PCR);
	write_sysreg(1, ICC_CR0);
}

void host_init(void)
{
	irs_write(IRS_CR1, 0);
	irs_write(IRS_CR0, 1);
	if (!(irs_read(IRS_CR0) & 2))
		give_up("IRS_CR0 is not IDLE", irs_read(IRS_CR0), 0, 0);
	irs_write(IRS_IST_CFGR, HOST_ID_BITS);
	irs_write64(IRS_IST_BASER, (u64)alloc(4ull << HOST_ID_BITS, 64) | 1);
	if (!(irs_read(IRS_IST_STATUSR) & IDLE))
		give_up("IRS_IST_STATUSR is not IDLE", 0, 0, 0);
	nr_cpus = irs_read(IRS_IDR1) & 0xffff;
	if (nr_cpus > MAX_CPUS)
		give_up("too many CPUs", nr_cpus, 0, 0);
	host_cpu_init();
	for (u32 cpu = 1; cpu < nr_cpus; cpu++) {
		u64 ret = smc(PSCI_CPU_ON, cpu, (u64)secondary, cpu);

		if (ret)
			give_up("PSCI CPU_ON failed", cpu, ret, 0);
		while (!__atomic_load_n(&posts[cpu].up, __ATOMIC_ACQUIRE))
			;
	}
}

void secondary_main(void)
{
	u32 cpu = this_cpu();
	struct post *post = &posts[cpu];

	host_cpu_init();
	host_lpi_enable(cpu, cpu, 0);
	__atomic_store_n(&post->up, true, __ATOMIC_RELEASE);
	for (u32 seen = 0;;) {
		if (__atomic_load_n(&post->number, __ATOMIC_ACQUIRE) == seen) {
			asm volatile("dsb sy\n\twfi" ::: "memory");
			CDPEND(LPI(cpu));
			continue;
		}
		CDDIS(LPI(cpu));
		post->result = post->fn(post->a, post->b);
		__atomic_store_n(&post->done, ++seen, __ATOMIC_RELEASE);
		CDEN(LPI(cpu));
	}
}

void cpu_start(u32 cpu, cpu_fn fn, u64 a, u64 b)
{
	struct post *post = &posts[cpu];

	post->fn = fn;
	post->a = a;
	post->b = b;
	__atomic_store_n(&post->number, post->number + 1, __ATOMIC_RELEASE);
	host_lpi_pend(cpu);
}

u64 cpu_wait(u32 cpu)
{
	struct post *post = &posts[cpu];
	u64 until = read_sysreg("cntpct_el0") + 30 * read_sysreg("cntfrq_el0");

	while (__atomic_load_n(&post->done, __ATOMIC_ACQUIRE) != post->number)
		if (read_sysreg("cntpct_el0") > until)
			give_up("a CPU did not come back within 30 s", cpu, (u64)post->fn, post->a);
	return post->result;
}

u64 on_cpu(u32 cpu, cpu_fn fn, u64 a, u64 b)
{
	if (cpu == this_cpu())
		return fn(a, b);
	cpu_start(cpu, fn, a, b);
	return cpu_wait(cpu);
}

void host_lpi_target(u32 lpi, u32 cpu)
{
	CDAFF(LPI(lpi) | (u64)cpu << 32);
}

void host_lpi_enable(u32 lpi, u32 cpu, u32 prio)
{
	CDPRI(LPI(lpi) | (u64)prio << 35);
	host_lpi_target(lpi, cpu);
	CDEN(LPI(lpi));
}

void host_lpi_pend(u32 lpi)
{
	CDPEND(LPI(lpi) | BIT(32));
}

u64 host_cdia(void)
{
	u64 intid;

	asm volatile("sysl %0, #0, c12, c3, #0\n\tisb" : "=r"(intid)::"memory");
	return intid;
}

void host_eoi(u64 intid)
{
	asm volatile("sys #0, c12, c1, #7\n\tisb" ::: "memory");
	CDDI((u32)intid);
}

u32 host_drain(u32 lpi, u32 *others)
{
	u32 count = 0;
	u64 intid;

	*others = 0;
	while ((intid = host_cdia()) & VALID) {
		if ((u32)intid == LPI(lpi))
			count++;
		else
			++*others;
		host_doorbells += FIELD(intid, 31, 29) == TYPE_LPI &&
				  (u32)intid >= LPI(FIRST_DOORBELL) &&
				  (u32)intid < LPI(LAST_DOORBELL);
		host_eoi(intid);
		if (count + *others > 1000)
			give_up("a host interrupt that does not end", intid, 0, 0);
	}
	return count;
}

bool host_irq(void)
{
	return read_sysreg("isr_el1") >> 7 & 1;
}
