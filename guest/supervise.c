// SPDX-License-Identifier: GPL-2.0-or-later
/* A process for each program: its deadline, its death, and its blocked WFIs. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "host.h"
#include "program.h"
#include "vm.h"

/*
 * A WFI counts as blocked when the guest was found in it this many times running, wait_ms apart in
 * all.  A machine that stood still meanwhile costs one observation, however long it stood.
 */
#define OBSERVATIONS 8

/* A killed process that does not go: it is stuck in the kernel, and says so in the log. */
#define DEATH_MS 2000

volatile struct progress *progress;

struct observer {
	uint32_t armed;
	uint64_t waiting;
	unsigned int times;
};

int progress_init(void)
{
	progress = mmap(NULL, sizeof(*progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			-1, 0);
	return progress == MAP_FAILED ? -errno : 0;
}

/* Microseconds to the next observation, or -1. */
static int64_t interval_us(void)
{
	int64_t interval = (int64_t)progress->watch.wait_ms * 1000 / OBSERVATIONS;

	if (!__atomic_load_n(&progress->watch.armed, __ATOMIC_ACQUIRE))
		return -1;
	return interval > 1000 ? interval : 1000;
}

static void observe(struct observer *observer, pid_t pid)
{
	uint32_t armed = __atomic_load_n(&progress->watch.armed, __ATOMIC_ACQUIRE);
	uint64_t waiting;

	if (!armed)
		return;
	waiting = mailbox_of(progress->watch.vm, progress->watch.vcpu)->waiting;
	if (!waiting || waiting != observer->waiting || armed != observer->armed) {
		*observer = (struct observer){ armed, waiting, 0 };
		return;
	}
	/* Again and again: the first kick may come between two KVM_RUNs. */
	if (++observer->times >= OBSERVATIONS) {
		progress->watch.verdict = waiting;
		kill(pid, SIGNAL_KICK);
	}
}

enum state { EXECUTED, ENDED, RUNNING };

/* Wait until a process has executed its program, or ended otherwise, or the time is over. */
static enum state await(pid_t pid, uint32_t timeout_ms, int *status)
{
	uint64_t end = now_ms() + timeout_ms;
	struct observer observer = { 0 };
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGCHLD);
	sigaddset(&signals, SIGNAL_WATCH);
	for (;;) {
		uint64_t now = now_ms();
		int64_t wait = now < end ? (int64_t)(end - now) * 1000 : 0;
		int64_t next = interval_us();
		struct timespec time;
		int signal;

		if (next >= 0 && next < wait)
			wait = next;
		time = (struct timespec){ wait / 1000000, wait % 1000000 * 1000 };
		signal = sigtimedwait(&signals, NULL, &time);
		if (__atomic_load_n(&progress->done, __ATOMIC_ACQUIRE))
			return EXECUTED;
		if (signal != SIGNAL_WATCH) {
			if (waitpid(pid, status, WNOHANG) == pid)
				return ENDED;
			if (signal < 0) /* the interval passed */
				observe(&observer, pid);
		}
		if (now >= end)
			return RUNNING;
	}
}

/*
 * Programs start in a process that is there already: to fork one, and the end of the last one, cost
 * half as much as the life of a VM, and now happen while the harness looks at the last trace.
 */
static pid_t spare, finished;

static void wait_for_start(void)
{
	sigset_t start;
	int signal;

	sigemptyset(&start);
	sigaddset(&start, SIGNAL_KICK);
	sigwait(&start, &signal);
}

/* The life of a program's process. */
static void serve_one(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	wait_for_start();
	program_execute();
	/* What the kernel says about the end of a VM belongs to this program. */
	for (unsigned int vm = 0; vm < MAX_VMS; vm++)
		if (vms[vm].fd >= 0)
			vm_close(vm);
	__atomic_store_n(&progress->done, 1, __ATOMIC_RELEASE);
	kill(getppid(), SIGNAL_WATCH);
	_exit(0);
}

int program_prepare(void)
{
	int status;

	if (finished > 0)
		waitpid(finished, &status, 0);
	finished = 0;
	if (spare > 0 && waitpid(spare, &status, WNOHANG) == 0)
		return 0;
	spare = fork();
	if (spare == 0)
		serve_one();
	return spare < 0 ? -errno : 0;
}

int program_supervise(uint32_t *ending, uint32_t *signal)
{
	int error = program_prepare(), status;
	pid_t pid = spare;

	if (error)
		return error;
	spare = 0;
	progress->done = 0;
	memset((void *)&progress->watch, 0, sizeof(progress->watch));
	memset((void *)&progress->run, 0, sizeof(progress->run));
	memset((void *)progress->results, 0,
	       progress->program.count * sizeof(progress->results[0]));
	*ending = ENDING_COMPLETED;
	*signal = 0;
	kill(pid, SIGNAL_KICK);

	switch (await(pid, progress->program.deadline_ms, &status)) {
	case EXECUTED:
		finished = pid;
		break;
	case ENDED:
		*ending = ENDING_KILLED;
		*signal = WIFSIGNALED(status) ? (uint32_t)WTERMSIG(status) : 0;
		break;
	case RUNNING:
		*ending = ENDING_DEADLINE;
		kill(pid, SIGKILL);
		progress->watch.armed = 0;
		await(pid, DEATH_MS, &status);
		break;
	}
	run_harvest();
	return 0;
}
