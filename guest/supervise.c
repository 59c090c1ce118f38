// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A process for each program: its deadline, its death, and its blocked WFIs.
 *
 * The process shares the agent's memory.  A copy of it would cost as much as the life of a VM: page
 * tables, faults, and under TCG the TLB at each change of the address space.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
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

#define STACK_SIZE 65536

volatile struct progress progress;

struct observer {
	uint32_t armed;
	uint64_t waiting;
	unsigned int times;
};

/* While a program's process runs, errno is its own: the agent calls the kernel without libc. */
static long kernel(long number, long a, long b, long c, long d)
{
	register long x8 asm("x8") = number;
	register long x0 asm("x0") = a;
	register long x1 asm("x1") = b;
	register long x2 asm("x2") = c;
	register long x3 asm("x3") = d;

	asm volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3) : "memory", "cc");
	return x0;
}

/* Microseconds to the next observation, or -1. */
static int64_t interval_us(void)
{
	int64_t interval = (int64_t)progress.watch.wait_ms * 1000 / OBSERVATIONS;

	if (!__atomic_load_n(&progress.watch.armed, __ATOMIC_ACQUIRE))
		return -1;
	return interval > 1000 ? interval : 1000;
}

static void observe(struct observer *observer, pid_t pid)
{
	uint32_t armed = __atomic_load_n(&progress.watch.armed, __ATOMIC_ACQUIRE);
	uint64_t waiting;

	if (!armed)
		return;
	waiting = mailbox_of(progress.watch.vm, progress.watch.vcpu)->waiting;
	if (!waiting || waiting != observer->waiting || armed != observer->armed) {
		*observer = (struct observer){ armed, waiting, 0 };
		return;
	}
	/* Again and again: the first kick may come between two KVM_RUNs. */
	if (++observer->times >= OBSERVATIONS) {
		progress.watch.verdict = waiting;
		kernel(SYS_kill, pid, SIGNAL_KICK, 0, 0);
	}
}

/* Wait until a process ends.  False if the time is over. */
static bool await(pid_t pid, uint32_t timeout_ms, int *status)
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
		long signal;

		if (next >= 0 && next < wait)
			wait = next;
		time = (struct timespec){ wait / 1000000, wait % 1000000 * 1000 };
		signal = kernel(SYS_rt_sigtimedwait, (long)&signals, 0, (long)&time, _NSIG / 8);
		if (signal != SIGNAL_WATCH) {
			if (kernel(SYS_wait4, pid, (long)status, WNOHANG, 0) == pid)
				return true;
			if (signal < 0) /* the interval passed */
				observe(&observer, pid);
		}
		if (now >= end)
			return false;
	}
}

/* The life of a program's process. */
static int live(void *unused)
{
	(void)unused;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	program_execute();
	/* What the kernel says about the end of a VM belongs to this program. */
	vm_close_all();
	progress.done = 1;
	return 0;
}

int program_supervise(uint32_t *ending, uint32_t *signal)
{
	static uint8_t *stack;
	int status = 0;
	pid_t pid;

	host_open_kvm();
	host_keep_vm();
	if (!stack) {
		stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			     -1, 0);
		if (stack == MAP_FAILED) {
			stack = NULL;
			return -errno;
		}
	}
	progress.done = 0;
	memset((void *)&progress.watch, 0, sizeof(progress.watch));
	memset((void *)&progress.run, 0, sizeof(progress.run));
	memset((void *)progress.results, 0, progress.program.count * sizeof(progress.results[0]));
	pid = clone(live, stack + STACK_SIZE, CLONE_VM | CLONE_FS | CLONE_SIGHAND | SIGCHLD, NULL);
	if (pid < 0)
		return -errno;

	*ending = ENDING_COMPLETED;
	*signal = 0;
	if (!await(pid, progress.program.deadline_ms, &status)) {
		*ending = ENDING_DEADLINE;
		kernel(SYS_kill, pid, SIGKILL, 0, 0);
		progress.watch.armed = 0;
		if (!await(pid, DEATH_MS, &status))
			stack = NULL; /* the kernel may yet write to it */
	} else if (!progress.done) {
		*ending = ENDING_KILLED;
		*signal = WIFSIGNALED(status) ? (uint32_t)WTERMSIG(status) : 0;
	}
	run_harvest();
	if (!progress.done)
		vm_bury_all();
	return 0;
}
