// SPDX-License-Identifier: GPL-2.0-or-later
/* KVM_RUN with a list for the guest. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "host.h"
#include "kernel.h"
#include "program.h"
#include "vm.h"

/* Put the guest records into the mailbox.  True if one of them may block. */
static bool fill_mailbox(volatile struct mailbox *box, const struct wire_record *records,
			 uint32_t count)
{
	bool may_block = false;

	box->count = count;
	box->waiting = 0;
	memset((void *)&box->panic, 0, sizeof(box->panic));
	for (uint32_t i = 0; i < count; i++) {
		struct guest_entry entry = { .code = records[i].code, .operand = records[i].a };
		unsigned int read_flags = 0, write_flags = 0;

		if (entry.code == OP_GUEST_READ || entry.code == OP_GUEST_WRITE) {
			entry.reg = (uint16_t)register_lookup(records[i].arg, &read_flags,
							      &write_flags);
			entry.flags =
				(uint16_t)(entry.code == OP_GUEST_READ ? read_flags : write_flags);
		} else if (entry.code == OP_GUEST_IRS_READ || entry.code == OP_GUEST_IRS_WRITE) {
			entry.offset = records[i].arg;
			entry.flags = records[i].b ? GUEST_WIDE : 0;
		}
		may_block |= entry.code == OP_GUEST_WFI;
		memcpy((void *)&box->entries[i], &entry, sizeof(entry));
	}
	return may_block;
}

void run_harvest(unsigned int branch)
{
	volatile struct branch_progress *mine = &progress.branches[branch];
	volatile struct mailbox *box = mailbox_of(mine->run.vm, mine->run.vcpu);

	for (uint32_t i = 0; i < mine->run.count; i++) {
		volatile struct guest_entry *entry = &box->entries[i];
		volatile struct wire_result *result = &progress.results[mine->run.first + i];

		if (entry->status == STATUS_NOT_REACHED)
			break;
		result->status = entry->status;
		result->value = entry->value;
		result->extra = entry->extra;
	}
	mine->run.count = 0;
}

static void watch(volatile struct branch_progress *mine, const struct wire_record *record)
{
	static uint32_t number;

	mine->watch.vm = record->vm;
	mine->watch.vcpu = record->vcpu;
	mine->watch.wait_ms = record->arg;
	mine->watch.verdict = 0;
	__atomic_store_n(&mine->watch.armed, __atomic_add_fetch(&number, 1, __ATOMIC_RELAXED),
			 __ATOMIC_RELEASE);
	kill(getppid(), SIGNAL_WATCH);
}

/* The kick is blocked outside of KVM_RUN: a late one must not disturb another ioctl. */
static void allow_kick(bool allow)
{
	sigset_t kick;

	sigemptyset(&kick);
	sigaddset(&kick, SIGNAL_KICK);
	sigprocmask(allow ? SIG_UNBLOCK : SIG_BLOCK, &kick, NULL);
}

/* The guest took an exception that no operation explains: leave a line in the kernel log. */
static void log_panic(const volatile struct mailbox *box, unsigned int vcpu)
{
	int fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	char line[160];
	int n = snprintf(
		line, sizeof(line),
		"gicv5: guest on vCPU %u took exception vector %llu, ESR %#llx, ELR %#llx\n", vcpu,
		(unsigned long long)box->panic.vector, (unsigned long long)box->panic.esr,
		(unsigned long long)box->panic.elr);

	/* Not dprintf(), which wants to seek.  Without a newline the record would stay open. */
	if (fd < 0 || write(fd, line, (size_t)n) != n)
		return;
	close(fd);
}

/* KVM_RUN until the guest has done its list, or cannot. */
static struct wire_result run_guest(const struct vcpu *vcpu, volatile struct mailbox *box,
				    const volatile struct branch_progress *mine)
{
	struct wire_result result = { .status = STATUS_DONE };
	int error;

	while ((error = kernel_ioctl(vcpu->fd, KVM_RUN, NULL)) < 0) {
		uint64_t verdict = mine->watch.verdict;

		if (error == -EINTR && (!verdict || verdict != box->waiting))
			continue;
		result.ret = error;
		result.value = error == -EINTR ? RUN_INTERRUPTED : RUN_FAILED;
		return result;
	}

	if (vcpu->run->exit_reason == KVM_EXIT_MMIO && vcpu->run->mmio.is_write &&
	    vcpu->run->mmio.phys_addr == GUEST_MMIO_END) {
		result.value = RUN_FINISHED;
	} else {
		result.value = RUN_OTHER;
		result.extra = vcpu->run->exit_reason;
	}
	return result;
}

void vcpu_run(const struct wire_record *record, uint32_t index, unsigned int branch)
{
	volatile struct branch_progress *mine = &progress.branches[branch];
	struct vcpu *vcpu = &vms[record->vm].vcpus[record->vcpu];
	volatile struct mailbox *box = mailbox_of(record->vm, record->vcpu);
	uint32_t count = (uint32_t)record->a;
	bool may_block = fill_mailbox(box, record + 1, count) || vcpu->powered_off;
	struct wire_result result;
	bool panicked;

	mine->run.vm = record->vm;
	mine->run.vcpu = record->vcpu;
	mine->run.first = index + 1;
	mine->run.count = count;

	if (vcpu->restart)
		vcpu_set_entry(record->vm, record->vcpu);
	if (vcpu->powered_off)
		box->waiting = WAITING_TO_START;
	mine->watch.verdict = 0;
	if (may_block) {
		watch(mine, record);
		allow_kick(true);
	}
	vcpu_begin_run(vcpu);
	result = run_guest(vcpu, box, mine);
	if (may_block) {
		__atomic_store_n(&mine->watch.armed, 0, __ATOMIC_RELEASE);
		allow_kick(false);
	}

	if (result.value == RUN_INTERRUPTED && box->waiting != WAITING_TO_START)
		box->entries[box->waiting - 1].status = STATUS_BLOCKED;
	panicked = result.value == RUN_OTHER && result.extra == KVM_EXIT_MMIO &&
		   vcpu->run->mmio.phys_addr == GUEST_MMIO_PANIC;
	if (panicked)
		log_panic(box, record->vcpu);
	vcpu_end_run(vcpu);
	/* After its own reports (END, PANIC) the guest goes back to its entry by itself. */
	vcpu->restart = result.ret || (result.value == RUN_OTHER && !panicked);
	run_harvest(branch);
	progress.results[index] = result;
}
