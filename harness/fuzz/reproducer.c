
/* --- The reproducer ------------------------------------------------------------------------- */

enum { NOT_AFFECTED = 0, AFFECTED = 1, CANNOT_TELL = 4 };

static int finish(int status)
{
	fflush(stdout);
	if (getpid() == 1)
		reboot(RB_POWER_OFF);
	return status;
}

static int cannot_tell(const char *what, int error)
{
	printf("cannot tell: %s: %s\n", what, strerror(error));
	return finish(CANNOT_TELL);
}

/* Bits that a WARN, an oops and the like set; 0 if unknown. */
static unsigned long tainted(void)
{
	FILE *file = fopen("/proc/sys/kernel/tainted", "r");
	unsigned long bits = 0;

	if (file && fscanf(file, "%lu", &bits) != 1)
		bits = 0;
	if (file)
		fclose(file);
	return bits;
}

static int agrees(const struct expectation *want, const volatile struct wire_result *got)
{
	return want->ret == got->ret && want->status == got->status &&
	       !((want->value ^ got->value) & want->known) && want->extra == got->extra;
}

/* How many results agree before the first that does not. */
static unsigned int common(const struct expectation *want)
{
	unsigned int i = 0;

	while (i < COUNT(records) && agrees(&want[i], &progress.results[i]))
		i++;
	return i;
}

/* NOT_AFFECTED, or finish() with what this run showed. */
static int run_and_compare(void)
{
	const struct expectation *nearest = expected[0], *want;
	const volatile struct wire_result *got;
	unsigned long before = tainted(), news;
	uint32_t ending, signal;
	unsigned int at;
	int error;

	progress.program.deadline_ms = 10000;
	progress.program.count = COUNT(records);
	memcpy((void *)progress.program.records, records, sizeof(records));
	error = program_supervise(&ending, &signal);
	if (error)
		return cannot_tell("no process", -error);
	news = tainted() & ~before;
	if (news) {
		printf("affected: the kernel reported something (tainted: %#lx); see its log\n",
		       news);
		return finish(AFFECTED);
	}
	if (ending == ENDING_KILLED) {
		printf("cannot tell: the program was killed by signal %u\n", signal);
		return finish(CANNOT_TELL);
	}
	for (unsigned int i = 0; i < COUNT(expected); i++)
		if (common(expected[i]) > common(nearest))
			nearest = expected[i];
	at = common(nearest);
	if (at == COUNT(records))
		return NOT_AFFECTED;
	want = &nearest[at];
	got = &progress.results[at];
	printf("affected: operation %s\n", operations[at]);
	printf("  expected ret %d status %u value %#llx extra %#llx (known bits %#llx)\n",
	       want->ret, want->status, (unsigned long long)want->value,
	       (unsigned long long)want->extra, (unsigned long long)want->known);
	printf("  observed ret %d status %u value %#llx extra %#llx\n", got->ret, got->status,
	       (unsigned long long)got->value, (unsigned long long)got->extra);
	return finish(AFFECTED);
}

int main(void)
{
	struct wire_hello hello;
	cpu_set_t cpu;
	int error;

	if (getpid() == 1) {
		mkdir("/dev", 0755);
		mkdir("/proc", 0555);
		mount("dev", "/dev", "devtmpfs", 0, NULL);
		mount("proc", "/proc", "proc", 0, NULL);
	}
	/* What one VM leaves behind in a CPU may be what the next one finds. */
	CPU_ZERO(&cpu);
	CPU_SET(sched_getcpu(), &cpu);
	sched_setaffinity(0, sizeof(cpu), &cpu);

	error = host_init();
	if (error)
		return cannot_tell("no memory for guests", -error);
	probe(&hello);
	if (hello.kvm_errno)
		return cannot_tell("/dev/kvm", hello.kvm_errno);
	if (NEEDS_VGIC_V5 && hello.vgic_v5_errno)
		return cannot_tell("no VGICv5", hello.vgic_v5_errno);
	if (NEEDS_CPU_SYSREGS && hello.sysregs_errno)
		return cannot_tell("no CPU_SYSREGS", hello.sysregs_errno);
	if (NEEDS_PMU && !hello.pmu)
		return cannot_tell("no PMUv3", ENODEV);
	for (unsigned int i = 0; i < REPETITIONS; i++) {
		int status = run_and_compare();

		if (status != NOT_AFFECTED)
			return status;
	}
	printf("not affected: all %zu results are as expected, %u times\n", COUNT(records),
	       REPETITIONS);
	return finish(NOT_AFFECTED);
}
