// SPDX-License-Identifier: GPL-2.0-or-later
/* Creating and closing VMs and vCPUs. */
#include "vm.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

#include "host.h"
#include "kernel.h"
#include "program.h"

#define CORE_REG(name) \
	(KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM_CORE | KVM_REG_ARM_CORE_REG(name))

/*
 * Where each vCPU's kvm_run is mapped, far from what the kernel places itself.  Such a mapping keeps
 * its VM alive, and outlives the process of a program that is killed: it must be possible to find.
 */
#define RUN_AREA 0x1000000000

struct vm vms[MAX_VMS] = {
	[0 ... MAX_VMS - 1] = {
		.fd = -1,
		.device = -1,
		.vcpus = { [0 ... MAX_VCPUS - 1] = { .fd = -1 } },
	},
};

/* 0 or a negative errno. */
static int without_value(int ret)
{
	return ret < 0 ? ret : 0;
}

static void close_vcpu(struct vcpu *vcpu)
{
	if (vcpu->run) /* the mapping alone would keep the VM */
		munmap(vcpu->run, host.run_size);
	if (vcpu->fd >= 0)
		close(vcpu->fd);
	*vcpu = (struct vcpu){ .fd = -1 };
}

int vm_close(unsigned int index)
{
	struct vm *vm = &vms[index];
	int ret;

	for (unsigned int i = 0; i < MAX_VCPUS; i++)
		close_vcpu(&vm->vcpus[i]);
	if (vm->device >= 0)
		close(vm->device);
	ret = kernel_close(vm->fd);
	vm->device = -1;
	vm->fd = -1;
	return ret;
}

/* As after close(), but the number stays taken. */
static void close_softly(int fd)
{
	if (fd >= 0)
		kernel(SYS_dup3, host.nothing, fd, O_CLOEXEC, 0);
}

int vm_close_shared(unsigned int index)
{
	struct vm *vm = &vms[index];

	if (vm->fd < 0 || __atomic_exchange_n(&vm->closing, true, __ATOMIC_ACQ_REL))
		return -EBADF;
	for (unsigned int i = 0; i < MAX_VCPUS; i++) {
		struct vcpu *vcpu = &vm->vcpus[i];

		if (vcpu->fd < 0)
			continue;
		close_softly(vcpu->fd);
		if (!(__atomic_fetch_or(&vcpu->use, VCPU_CLOSED, __ATOMIC_ACQ_REL) & VCPU_RUNS))
			munmap(vcpu->run, host.run_size);
	}
	close_softly(vm->device);
	close_softly(vm->fd);
	return 0;
}

void vm_reap_all(void)
{
	for (unsigned int index = 0; index < MAX_VMS; index++) {
		struct vm *vm = &vms[index];

		if (!vm->closing)
			continue;
		for (unsigned int i = 0; i < MAX_VCPUS; i++)
			vm->vcpus[i].run = NULL; /* it is gone */
		vm_close(index);
		vm->closing = false;
	}
}

void vcpu_begin_run(struct vcpu *vcpu)
{
	__atomic_fetch_or(&vcpu->use, VCPU_RUNS, __ATOMIC_ACQ_REL);
}

void vcpu_end_run(struct vcpu *vcpu)
{
	if (__atomic_fetch_and(&vcpu->use, ~VCPU_RUNS, __ATOMIC_ACQ_REL) & VCPU_CLOSED)
		munmap(vcpu->run, host.run_size);
}

void vm_close_all(void)
{
	for (unsigned int vm = 0; vm < MAX_VMS; vm++)
		if (vms[vm].fd >= 0)
			vm_close(vm);
}

void vm_bury_all(void)
{
	munmap((void *)RUN_AREA, MAX_VMS * MAX_VCPUS * host.run_size);
	for (unsigned int vm = 0; vm < MAX_VMS; vm++) {
		vms[vm].fd = vms[vm].device = -1;
		vms[vm].closing = false;
		for (unsigned int vcpu = 0; vcpu < MAX_VCPUS; vcpu++)
			vms[vm].vcpus[vcpu] = (struct vcpu){ .fd = -1 };
	}
}

int vm_create(unsigned int index)
{
	struct kvm_userspace_memory_region memory = {
		.guest_phys_addr = GUEST_CODE_BASE,
		.memory_size = GUEST_MEMORY_SIZE,
		.userspace_addr = (uintptr_t)host.memory[index],
	};
	struct vm *vm = &vms[index];
	int ret;

	if (vm->fd >= 0)
		vm_close(index);
	if (host.kvm < 0)
		return host.kvm;
	vm->fd = kernel_ioctl(host.kvm, KVM_CREATE_VM, NULL);
	if (vm->fd < 0)
		return vm->fd;
	ret = without_value(kernel_ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &memory));
	if (ret)
		vm_close(index);
	return ret;
}

int vm_create_device(unsigned int index, uint32_t type, uint32_t flags)
{
	struct kvm_create_device create = { .type = type, .flags = flags, .fd = ~0u };
	struct vm *vm = &vms[index];
	int ret = without_value(kernel_ioctl(vm->fd, KVM_CREATE_DEVICE, &create));

	if (ret || flags & KVM_CREATE_DEVICE_TEST)
		return ret;
	if (vm->device < 0)
		vm->device = (int)create.fd;
	else
		close((int)create.fd);
	return 0;
}

int vm_create_vcpu(unsigned int index, unsigned int vcpu_index, uint64_t id)
{
	struct vm *vm = &vms[index];
	struct vcpu *vcpu = &vm->vcpus[vcpu_index];
	int fd = (int)kernel(SYS_ioctl, vm->fd, KVM_CREATE_VCPU, (long)id, 0);
	size_t number = index * MAX_VCPUS + vcpu_index;
	void *run = (void *)(RUN_AREA + number * host.run_size);

	if (fd < 0)
		return fd;
	close_vcpu(vcpu);
	run = mmap(run, host.run_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
	if (run == MAP_FAILED) {
		int error = errno;

		close(fd);
		return -error;
	}
	vcpu->fd = fd;
	vcpu->run = run;
	return 0;
}

static int set_core(int fd, uint64_t id, uint64_t value)
{
	struct kvm_one_reg reg = { .id = id, .addr = (uintptr_t)&value };

	return without_value(kernel_ioctl(fd, KVM_SET_ONE_REG, &reg));
}

int vcpu_set_entry(unsigned int vm, unsigned int vcpu)
{
	int fd = vms[vm].vcpus[vcpu].fd;
	int ret = set_core(fd, CORE_REG(regs.pc), GUEST_CODE_BASE);

	return ret ? ret : set_core(fd, CORE_REG(regs.regs[0]), mailbox_address(vcpu));
}

int vcpu_init(unsigned int vm, unsigned int index, uint32_t features)
{
	struct vcpu *vcpu = &vms[vm].vcpus[index];
	struct kvm_vcpu_init init = { 0 };
	int ret = without_value(kernel_ioctl(vms[vm].fd, KVM_ARM_PREFERRED_TARGET, &init));

	if (ret)
		return ret;
	init.features[0] = features;
	ret = without_value(kernel_ioctl(vcpu->fd, KVM_ARM_VCPU_INIT, &init));
	if (ret)
		return ret;
	vcpu->powered_off = features & 1 << KVM_ARM_VCPU_POWER_OFF;
	vcpu->restart = false;
	return vcpu_set_entry(vm, index);
}
