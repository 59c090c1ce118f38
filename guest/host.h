/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What all programs on this host use: /dev/kvm, the guest's memory, the signals. */
#pragma once

#include <signal.h>
#include <stddef.h>
#include <stdint.h>

#include "mailbox.h"

/* Not in the kernel headers of the distributions that we build on. */
#define DEV_TYPE_VGIC_V5 16

/* From a program to its supervisor: look at ``watch``.  The reverse: stop waiting in KVM_RUN. */
#define SIGNAL_WATCH SIGUSR2
#define SIGNAL_KICK  SIGUSR1

#define GUEST_MEMORY_SIZE (GUEST_CODE_SIZE + MAX_VCPUS * MAILBOX_SIZE)

struct host {
	int kvm;     /* or a negative errno */
	int vm;	     /* see host_keep_vm() */
	int nothing; /* a file on which every ioctl is EBADF */
	unsigned int cpus;
	size_t run_size;
	/*
	 * GUEST_MEMORY_SIZE bytes for each VM index.  The image is the same pages in all of them,
	 * for ever: TCG keeps its translations by physical page.
	 */
	uint8_t *memory[MAX_VMS];
};

extern struct host host;

/* Open KVM if it is there, allocate the guest memory, set the signals up.  0 or a negative errno. */
int host_init(void);

/* Open /dev/kvm if it is not: not in a program's process.  0 or a negative errno. */
int host_open_kvm(void);

/*
 * Have a VM open between programs.  With the first one KVM patches a hook into the scheduler, and
 * out of it with the last; TCG would translate the scheduler again for each program.
 */
void host_keep_vm(void);
void host_drop_vm(void);

static inline volatile struct mailbox *mailbox_of(unsigned int vm, unsigned int vcpu)
{
	return (volatile void *)(host.memory[vm] + GUEST_CODE_SIZE + vcpu * MAILBOX_SIZE);
}

/* What the guest finds in x0. */
static inline uint64_t mailbox_address(unsigned int vcpu)
{
	return GUEST_DATA_BASE + vcpu * MAILBOX_SIZE;
}
