// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The process that executes programs: their deadlines, its death, and their blocked WFIs.
 *
 * It lives until a program ends badly, and goes with it: nothing of that program is left then.  A
 * program that ends well has closed all its files.  A process for each would cost a tenth more.
 *
 * The process shares the agent's memory.  A copy of it would cost as much as the life of a VM: page
 * tables, faults, and under TCG the TLB at each change of the address space.  So while it runs, the
 * agent calls the kernel without libc (kernel.h): its errno is the process's, too.
 */
#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "host.h"
#include "kernel.h"
#include "mark.h"
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

/* What was seen of each branch, and how many times running. */
struct observer {
	uint32_t armed[MAX_BRANCHES];
	uint64_t waiting[MAX_BRANCHES];
	unsigned int times;
};

static uint64_t waiting_of(const volatile struct branch_progress *branch)
{
	return mailbox_of(branch->watch.vm, branch->watch.vcpu)->waiting;
}

/* Whether a vCPU's guest sits in a WFI, so that its other ioctls wait for it. */
static bool kept_by_another(const struct wire_record *record)
{
	for (uint32_t i = 0; i < progress.width; i++) {
		const volatile struct branch_progress *other = &progress.branches[i];

		if (__atomic_load_n(&other->watch.armed, __ATOMIC_ACQUIRE) &&
		    other->watch.vm == record->vm && other->watch.vcpu == record->vcpu &&
		    waiting_of(other))
			return true;
	}
	return false;
}

/* Whether a branch can do no more on its own account, however long one waits. */
static bool is_stuck(const volatile struct branch_progress *branch)
{
	uint32_t record = __atomic_load_n(&branch->record, __ATOMIC_ACQUIRE);

	if (branch->done)
		return true;
	if (__atomic_load_n(&branch->watch.armed, __ATOMIC_ACQUIRE))
		return waiting_of(branch) != 0;
	if (record == NO_RECORD)
		return false;
	switch (progress.program.records[record].code) {
	case OP_INIT_VCPU:
	case OP_VCPU_ATTR:
	case OP_ONE_REG:
		return kept_by_another((const void *)&progress.program.records[record]);
	}
	return false;
}

/* The first branch whose guest may be in a WFI, or NULL. */
static volatile struct branch_progress *first_watched(void)
{
	for (uint32_t i = 0; i < progress.width; i++)
		if (__atomic_load_n(&progress.branches[i].watch.armed, __ATOMIC_ACQUIRE))
			return &progress.branches[i];
	return NULL;
}

/* Microseconds to the next observation, or -1. */
static int64_t interval_us(void)
{
	const volatile struct branch_progress *branch = first_watched();
	int64_t interval;

	if (!branch)
		return -1;
	interval = (int64_t)branch->watch.wait_ms * 1000 / OBSERVATIONS;
	return interval > 1000 ? interval : 1000;
}

/* Where we may run, if we are not there. */
static cpu_set_t home;
static bool away;

/*
 * From the CPUs of the branches in turn: one that does not get around to running us does not get
 * around to waking a guest either.
 */
static void go_to_cpu_of(const volatile struct branch_progress *branch)
{
	cpu_set_t set;

	if (!away && kernel(SYS_sched_getaffinity, 0, sizeof(home), (long)&home, 0) < 0)
		return;
	away = true;
	CPU_ZERO(&set);
	CPU_SET(branch->cpu, &set);
	kernel(SYS_sched_setaffinity, 0, sizeof(set), (long)&set, 0);
}

static void go_home(void)
{
	if (away)
		kernel(SYS_sched_setaffinity, 0, sizeof(home), (long)&home, 0);
	away = false;
}

/*
 * If nothing has moved, and nothing can, for long enough: the first guest in a WFI has to leave it.
 * It is the first, so that what follows does not depend on chance.
 */
static void observe(struct observer *observer, pid_t pid)
{
	volatile struct branch_progress *first = first_watched();
	bool same = first != NULL;

	if (progress.width > 1)
		go_to_cpu_of(&progress.branches[observer->times % progress.width]);
	for (uint32_t i = 0; i < progress.width; i++) {
		const volatile struct branch_progress *branch = &progress.branches[i];
		uint32_t armed = __atomic_load_n(&branch->watch.armed, __ATOMIC_ACQUIRE);
		uint64_t waiting = armed ? waiting_of(branch) : 0;

		same = same && is_stuck(branch) && armed == observer->armed[i] &&
		       waiting == observer->waiting[i];
		observer->armed[i] = armed;
		observer->waiting[i] = waiting;
	}
	if (!same) {
		observer->times = 0;
		return;
	}
	/* Again and again: the first kick may come between two KVM_RUNs. */
	if (++observer->times >= OBSERVATIONS) {
		first->watch.verdict = waiting_of(first);
		kernel(SYS_tgkill, pid, first->tid ? first->tid : (uint32_t)pid, SIGNAL_KICK, 0);
	}
}

/* Who executes programs. */
static struct {
	pid_t pid; /* or 0 */
	uint8_t *stack;
} worker;

enum event { EVENT_DONE, EVENT_DEATH, EVENT_LATE };

/* Wait until the program is done, unless ``only_death`` counts, or the process has died. */
static enum event await(bool only_death, uint32_t timeout_ms, int *status)
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

		if (!only_death && __atomic_load_n(&progress.done, __ATOMIC_ACQUIRE))
			return EVENT_DONE;
		if (next >= 0 && next < wait)
			wait = next;
		time = (struct timespec){ wait / 1000000, wait % 1000000 * 1000 };
		signal = kernel(SYS_rt_sigtimedwait, (long)&signals, 0, (long)&time, _NSIG / 8);
		if (signal != SIGNAL_WATCH) {
			if (kernel(SYS_wait4, worker.pid, (long)status, WNOHANG, 0) == worker.pid)
				return EVENT_DEATH;
			if (signal < 0) /* the interval passed */
				observe(&observer, worker.pid);
		}
		if (now >= end)
			return EVENT_LATE;
	}
}

/* The life of the process: a program each time that progress.done becomes 0. */
static int worker_live(void *unused)
{
	pid_t agent = getppid();

	(void)unused;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		while (__atomic_load_n(&progress.done, __ATOMIC_ACQUIRE))
			kernel(SYS_futex, (long)&progress.done, FUTEX_WAIT, 1, 0);
		program_execute();
		/* What the kernel says about the end of a VM belongs to this program. */
		vm_close_all();
		mark(MARK_END);
		__atomic_store_n(&progress.done, 1, __ATOMIC_RELEASE);
		kernel(SYS_kill, agent, SIGNAL_WATCH, 0, 0);
	}
	return 0;
}

/* 0 or a negative errno. */
static int worker_start(void)
{
	if (!worker.stack) {
		void *stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (stack == MAP_FAILED)
			return -errno;
		worker.stack = stack;
	}
	worker.pid = clone(worker_live, worker.stack + STACK_SIZE,
			   CLONE_VM | CLONE_FS | CLONE_SIGHAND | SIGCHLD, NULL);
	if (worker.pid < 0) {
		worker.pid = 0;
		return -errno;
	}
	return 0;
}

void program_dismiss(void)
{
	int status;

	if (!worker.pid)
		return;
	kernel(SYS_kill, worker.pid, SIGKILL, 0, 0);
	progress.width = 0; /* nothing is watched any more */
	if (await(true, DEATH_MS, &status) != EVENT_DEATH) {
		worker.stack = NULL; /* the kernel may yet write to it */
		parallel_abandon();
	}
	worker.pid = 0;
}

int program_supervise(uint32_t *ending, uint32_t *signal)
{
	int status = 0, error;

	/* It has its own table of files: those that are open when it begins. */
	if (host.kvm < 0 || host.vm < 0)
		program_dismiss();
	host_open_kvm();
	host_keep_vm();
	/* Who died after its last program did not die of this one. */
	if (worker.pid && kernel(SYS_wait4, worker.pid, (long)&status, WNOHANG, 0) == worker.pid)
		worker.pid = 0;
	progress.width = 0;
	memset((void *)progress.branches, 0, sizeof(progress.branches));
	memset((void *)progress.results, 0, progress.program.count * sizeof(progress.results[0]));
	/* The last: it may begin at once. */
	__atomic_store_n(&progress.done, 0, __ATOMIC_RELEASE);
	error = worker.pid ? 0 : worker_start();
	if (error)
		return error;
	kernel(SYS_futex, (long)&progress.done, FUTEX_WAKE, 1, 0);

	*ending = ENDING_COMPLETED;
	*signal = 0;
	switch (await(false, progress.program.deadline_ms, &status)) {
	case EVENT_DONE:
		break;
	case EVENT_DEATH:
		worker.pid = 0;
		if (progress.done)
			break;
		*ending = ENDING_KILLED;
		*signal = WIFSIGNALED(status) ? (uint32_t)WTERMSIG(status) : 0;
		break;
	case EVENT_LATE:
		*ending = ENDING_DEADLINE;
		program_dismiss();
		break;
	}
	for (unsigned int branch = 0; branch < MAX_BRANCHES; branch++)
		run_harvest(branch);
	go_home();
	if (!progress.done)
		vm_bury_all();
	return 0;
}
