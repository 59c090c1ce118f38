
/* --- The reproducer ------------------------------------------------------------------------- */

enum { NOT_AFFECTED = 0, AFFECTED = 1, CANNOT_TELL = 4 };

static int finish(int status)
{
	fflush(stdout);
	if (getpid() == 1)
		reboot(RB_POWER_OFF);
	return status;
}

static int cannot_tell(const char *what, const char *why)
{
	printf("cannot tell: %s%s\n", what, why);
	return finish(CANNOT_TELL);
}

int main(void)
{
	const struct program_data *program = &reproducer.programs[0];
	struct wire_hello hello;
	struct outcome outcome;
	const char *lacks;
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
		return cannot_tell("no memory for guests: ", strerror(-error));
	probe(&hello);
	lacks = lacking(program->needs, &hello);
	if (lacks)
		return cannot_tell("", lacks);

	for (unsigned int i = 0; i < REPETITIONS; i++) {
		outcome = judge(&reproducer, program, 1); /* all variants are the same here */
		if (outcome.kind == KILLED || outcome.kind == NO_PROCESS) {
			print_outcome(&reproducer, program, &outcome, "cannot tell: ");
			return finish(CANNOT_TELL);
		}
		if (outcome.kind != AGREES) {
			print_outcome(&reproducer, program, &outcome, "affected: ");
			return finish(AFFECTED);
		}
	}
	printf("not affected: all %u results are as expected, %u times\n", program->count,
	       REPETITIONS);
	return finish(NOT_AFFECTED);
}
