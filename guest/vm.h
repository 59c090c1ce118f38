/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The VMs of the program that this process executes. */
#pragma once

#include <linux/kvm.h>
#include <stdbool.h>
#include <stdint.h>

#include "wire.h"

struct vcpu {
	int fd;
	struct kvm_run *run;
	bool powered_off; /* initialised with KVM_ARM_VCPU_POWER_OFF */
	bool restart;	  /* the last Run left the guest in the middle */
	unsigned int use; /* VCPU_* */
};

/* Who takes ``run`` away if one branch closes a vCPU that another one runs: the last of the two. */
#define VCPU_RUNS   1
#define VCPU_CLOSED 2

/* An absent file descriptor is -1, so that ioctls on what does not exist give EBADF. */
struct vm {
	int fd, device;
	bool closing; /* by a branch of the parallel section under way */
	struct vcpu vcpus[MAX_VCPUS];
};

extern struct vm vms[MAX_VMS];

/* Like the ioctls, but 0 or a negative errno. */
int vm_create(unsigned int vm);
int vm_close(unsigned int vm);

/*
 * The same in a parallel section.  No other file may get a number that another branch is about to
 * use, so the numbers stay taken, by a file on which every ioctl is EBADF, until vm_reap_all().
 */
int vm_close_shared(unsigned int vm);
void vm_reap_all(void);
void vcpu_begin_run(struct vcpu *vcpu);
void vcpu_end_run(struct vcpu *vcpu);
void vm_close_all(void);
int vm_create_device(unsigned int vm, uint32_t type, uint32_t flags);
int vm_create_vcpu(unsigned int vm, unsigned int vcpu, uint64_t id);

/* The process with their file descriptors is dead: remove what is left of its VMs. */
void vm_bury_all(void);

/* KVM_ARM_VCPU_INIT, then PC and x0 for the guest. */
int vcpu_init(unsigned int vm, unsigned int vcpu, uint32_t features);
int vcpu_set_entry(unsigned int vm, unsigned int vcpu);

/* Execute a RUN record and the guest operations behind it; ``index`` is its own number. */
void vcpu_run(const struct wire_record *record, uint32_t index, unsigned int branch);
