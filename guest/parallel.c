// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A parallel section: a thread for each branch, released together.
 *
 * They are threads for the kernel, not for libc: none of them has libc state of its own, and what
 * they execute needs none (kernel.h).
 */
#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>

#include "counter.h"
#include "host.h"
#include "kernel.h"
#include "program.h"
#include "vm.h"

#define STACK_SIZE 65536

/* From the arrival of the last branch to the start of all: each must have seen it by then. */
#define LEAD_NS 20000

#define THREAD_FLAGS                                                                        \
	(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | \
	 CLONE_CHILD_CLEARTID)

static uint8_t *stacks;

static struct section {
	uint32_t arrived, width;
	bool cancelled;
	uint64_t start; /* by the counter; 0: not all are here */
} section;

static struct thread {
	uint32_t record; /* its BRANCH */
	uint32_t alive;	 /* the kernel clears it */
} threads[MAX_BRANCHES];

/* True at the common start, false if there will be none. */
static bool meet(void)
{
	if (__atomic_add_fetch(&section.arrived, 1, __ATOMIC_ACQ_REL) == section.width)
		__atomic_store_n(&section.start, counter() + LEAD_NS * counter_hz() / 1000000000,
				 __ATOMIC_RELEASE);
	while (!__atomic_load_n(&section.start, __ATOMIC_ACQUIRE)) {
		if (__atomic_load_n(&section.cancelled, __ATOMIC_ACQUIRE))
			return false;
		kernel(SYS_sched_yield, 0, 0, 0, 0);
	}
	while ((int64_t)(counter() - section.start) < 0)
		;
	return true;
}

static uint64_t ns_since_start(void)
{
	uint64_t ns = (counter() - section.start) * 1000 / (counter_hz() / 1000000);

	return ns < UINT32_MAX ? ns : UINT32_MAX;
}

static int live_branch(void *argument)
{
	struct thread *thread = argument;
	unsigned int number = (unsigned int)(thread - threads);
	const struct wire_record *record =
		(const struct wire_record *)&progress.program.records[thread->record];
	uint32_t end = thread->record + 1 + (uint32_t)record->a;
	volatile struct branch_progress *mine = &progress.branches[number];
	cpu_set_t set;
	uint64_t started;

	CPU_ZERO(&set);
	CPU_SET(mine->cpu, &set);
	kernel(SYS_sched_setaffinity, 0, sizeof(set), (long)&set, 0);
	mine->tid = (uint32_t)kernel(SYS_gettid, 0, 0, 0, 0);
	if (!meet())
		return 0;

	started = ns_since_start();
	for (uint32_t i = thread->record + 1; i < end;)
		i = execute_one(i, number);
	progress.results[thread->record] = (struct wire_result){
		.status = STATUS_DONE,
		.value = started | ns_since_start() << 32,
	};
	__atomic_store_n(&mine->done, 1, __ATOMIC_RELEASE);
	return 0;
}

/* 0 or a negative errno. */
static int start_thread(unsigned int number, uint32_t record)
{
	struct thread *thread = &threads[number];
	volatile struct branch_progress *mine = &progress.branches[number];

	*thread = (struct thread){ .record = record, .alive = 1 };
	mine->record = NO_RECORD;
	mine->done = 0;
	mine->cpu = progress.program.records[record].arg % host.cpus;
	if (clone(live_branch, stacks + (number + 1) * STACK_SIZE, THREAD_FLAGS, thread, NULL, NULL,
		  &thread->alive) < 0)
		return -errno;
	return 0;
}

static void join_thread(struct thread *thread)
{
	uint32_t alive;

	while ((alive = __atomic_load_n(&thread->alive, __ATOMIC_ACQUIRE)))
		kernel(SYS_futex, (long)&thread->alive, FUTEX_WAIT, (long)alive, 0);
}

void parallel_abandon(void)
{
	stacks = NULL;
}

uint32_t parallel_execute(uint32_t index)
{
	const struct wire_record *record =
		(const struct wire_record *)&progress.program.records[index];
	uint32_t next = index + 1, started = 0;
	int error = 0;

	if (!stacks) {
		stacks = mmap(NULL, MAX_BRANCHES * STACK_SIZE, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (stacks == MAP_FAILED) {
			stacks = NULL;
			error = -errno;
		}
	}
	section = (struct section){ .width = record->arg };
	progress.width = record->arg;
	for (; !error && started < section.width; started++) {
		error = start_thread(started, next);
		if (error)
			break;
		next += 1 + (uint32_t)progress.program.records[next].a;
	}
	if (error)
		__atomic_store_n(&section.cancelled, true, __ATOMIC_RELEASE);
	for (uint32_t i = 0; i < started; i++)
		join_thread(&threads[i]);

	for (unsigned int i = 0; i < MAX_BRANCHES; i++)
		progress.branches[i].tid = progress.branches[i].done = 0;
	progress.width = 1;
	vm_reap_all();
	progress.results[index] = (struct wire_result){ .ret = error, .status = STATUS_DONE };
	return index + 1 + (uint32_t)record->a;
}
