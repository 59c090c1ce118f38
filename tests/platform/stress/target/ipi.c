// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ipi: function calls from CPU to CPU, counted.  membarrier() interrupts each CPU that runs another
 * thread of this process, and waits for it; there is one, that does nothing but run.  So each call
 * is one IPI, and a lost one never returns.  A CPU that runs anything but that thread needs no IPI:
 * so if the thread was switched away (the kernel gives starved tasks a share of each second, even
 * beside SCHED_FIFO), the calls are not counted, and others made, TRIES times at most.
 *   calls        at most, of each pair of CPUs; seconds, for all pairs
 *
 * ring: numbered tokens that go from process to process, and so from CPU to CPU; each hop wakes the
 * next CPU.  A lost wakeup stops the token.
 *   seconds, tokens
 */
#include <errno.h>
#include <linux/membarrier.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stress.h"

#define TRIES 20

struct spinner {
	pthread_t thread;
	unsigned int cpu;
	volatile bool ready;
	long away; /* how often something else took its CPU */
};

static volatile bool enough;

static long times_away(void)
{
	struct rusage usage;

	if (getrusage(RUSAGE_THREAD, &usage))
		fail("getrusage");
	return usage.ru_nvcsw + usage.ru_nivcsw;
}

static void *spin(void *arg)
{
	struct spinner *me = arg;
	struct sched_param fifo = { .sched_priority = 1 };

	pin(me->cpu);
	if (sched_setscheduler(0, SCHED_FIFO, &fifo)) /* or it would not always be running */
		fail("sched_setscheduler");
	me->away = -times_away();
	me->ready = true;
	while (!enough)
		;
	me->away += times_away();
	return NULL;
}

/* True if every call had to be an IPI. */
static bool calls_between(unsigned int from, unsigned int to, uint64_t calls, uint64_t end)
{
	struct spinner spinner = { .cpu = to };
	uint64_t before[MAX_CPUS], after[MAX_CPUS], sent = 0, worst = 0, now;

	enough = false;
	pin(from);
	if (pthread_create(&spinner.thread, NULL, spin, &spinner))
		fail("pthread_create");
	while (!spinner.ready)
		usleep(1000);
	interrupts("Function call", before);
	for (now = now_us(); sent < calls && (now < end || sent < 10); sent++) {
		uint64_t start = now;

		if (syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0))
			fail("membarrier");
		now = now_us();
		worst = now - start > worst ? now - start : worst;
	}
	interrupts("Function call", after);
	enough = true;
	pthread_join(spinner.thread, NULL);
	if (spinner.away) {
		printf("ipi from=%u to=%u sent=0 came=0 away=%ld\n", from, to, spinner.away);
		return false;
	}
	printf("ipi from=%u to=%u sent=%llu came=%llu worst_us=%llu\n", from, to,
	       (unsigned long long)sent, (unsigned long long)(after[to] - before[to]),
	       (unsigned long long)worst);
	return true;
}

int ipi_main(void)
{
	unsigned int cpus = online_cpus();
	uint64_t slice = option("seconds", 1) * 1000000 / cpus;

	write_file("/proc/sys/kernel/sched_rt_runtime_us", "-1");
	if (syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0))
		fail("membarrier");
	if (cpus == 1)
		printf("ipi cpus=1 sent=0 came=0\n");
	for (unsigned int cpu = 0; cpu < cpus && cpus > 1; cpu++) {
		unsigned int to = (cpu + 1 + option("seed", 0) % (cpus - 1)) % cpus;

		for (int i = 0; i < TRIES; i++)
			if (calls_between(cpu, to, option("calls", ~0ULL), now_us() + slice))
				break;
	}
	return 0;
}

/* ---- ring ----------------------------------------------------------------------- */
struct hop {
	volatile uint64_t hops, wrong;
};

/* Pass on what comes in, one number higher; the tokens of a ring differ by far more than its size. */
static void member(int in, int out, volatile struct hop *hop)
{
	uint64_t token, last[64] = { 0 };

	while (read(in, &token, sizeof(token)) == sizeof(token)) {
		unsigned int which = token >> 48 & 63;
		uint64_t number = token & 0xffffffffffff;

		if (last[which] && number <= last[which])
			hop->wrong++;
		last[which] = number;
		hop->hops++;
		token++;
		if (write(out, &token, sizeof(token)) != sizeof(token))
			break;
	}
	_exit(0);
}

int ring_main(void)
{
	unsigned int cpus = online_cpus(), members = cpus < 2 ? 2 : cpus * 2;
	uint64_t end = now_us() + option("seconds", 1) * 1000000, tokens = option("tokens", 2);
	volatile struct hop *hop =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint64_t hops = 0, wrong = 0, since = now_us(), worst = 0, now;
	bool loose = option("loose", 0); /* not pinned, as CPUs come and go */
	int pipes[2 * MAX_CPUS + 1][2];
	pid_t pid[2 * MAX_CPUS];
	bool stuck = false;

	for (unsigned int i = 0; i < members; i++)
		if (pipe(pipes[i]))
			fail("pipe");
	for (unsigned int i = 0; i < members; i++) {
		pid[i] = fork();
		if (pid[i] == 0) {
			if (!loose)
				pin(i % cpus);
			member(pipes[i][0], pipes[(i + 1) % members][1], &hop[i]);
		}
	}
	for (uint64_t i = 0; i < tokens; i++) {
		uint64_t token = i << 48 | 1;

		if (write(pipes[i % members][1], &token, sizeof(token)) != sizeof(token))
			fail("write");
	}
	while (!stuck && ((now = now_us()) < end || hops < members)) {
		uint64_t sum = 0;

		usleep(1000);
		for (unsigned int i = 0; i < members; i++)
			sum += hop[i].hops;
		if (sum != hops) {
			worst = now - since > worst ? now - since : worst;
			since = now;
		}
		hops = sum;
		stuck = now - since > STUCK_SECONDS * 1000000;
	}
	for (unsigned int i = 0; i < members; i++) {
		kill(pid[i], SIGKILL);
		waitpid(pid[i], NULL, 0);
		wrong += hop[i].wrong;
	}
	printf("ring cpus=%u hops=%llu wrong=%llu stuck=%d worst_us=%llu\n", cpus,
	       (unsigned long long)hops, (unsigned long long)wrong, stuck,
	       (unsigned long long)worst);
	return stuck;
}
