// SPDX-License-Identifier: GPL-2.0-or-later
/* Execute an operation: one ioctl per record. */
#include <errno.h>
#include <linux/kvm.h>
#include <string.h>

#include "attribute.h"
#include "counter.h"
#include "host.h"
#include "irs.h"
#include "kernel.h"
#include "program.h"
#include "vm.h"

/* Larger than what any attribute or register writes. */
union buffer {
	uint64_t words[32];
	int32_t number;
};

static struct wire_result done(int ret)
{
	return (struct wire_result){ .ret = ret < 0 ? ret : 0, .status = STATUS_DONE };
}

static int attribute(int fd, const struct wire_record *record, const void *buffer)
{
	struct kvm_device_attr attr = {
		.group = record->arg >> 16,
		.attr = record->b,
		.addr = attribute_address(record, buffer),
	};

	return kernel_ioctl(fd, attribute_request(record->arg & 0xff), &attr);
}

/* Whether a value came back. */
static bool fetched(const struct wire_record *record, const struct wire_result *result)
{
	return !result->ret && (record->arg & 0xff) == ACTION_GET &&
	       (record->arg >> 8 & 0xff) == POINTER_VALUE;
}

static struct wire_result device_attr(const struct wire_record *record)
{
	union buffer buffer = { .words = { record->c } };
	struct wire_result result;

	/* Of USERSPACE_PPIS the kernel writes two words; the second is 0, which must be seen */
	if (record->arg >> 16 == KVM_DEV_ARM_VGIC_GRP_CTRL)
		buffer.words[1] = ~0ULL;
	result = done(attribute(vms[record->vm].device, record, &buffer));
	if (fetched(record, &result)) {
		result.value = buffer.words[0];
		result.extra = buffer.words[1];
	}
	return result;
}

static struct wire_result vcpu_attr(const struct wire_record *record)
{
	union buffer buffer = { .number = (int32_t)record->c };
	int fd = vms[record->vm].vcpus[record->vcpu].fd;
	struct wire_result result = done(attribute(fd, record, &buffer));

	if (fetched(record, &result))
		result.value = (uint32_t)buffer.number;
	return result;
}

static struct wire_result copy_reg(const struct wire_record *record)
{
	uint64_t value = 0;
	struct kvm_device_attr attr = {
		.group = record->arg >> 16,
		.attr = record->b,
		.addr = (uintptr_t)&value,
	};
	struct wire_result result =
		done(kernel_ioctl(vms[record->vm].device, KVM_GET_DEVICE_ATTR, &attr));

	if (result.ret)
		return result;
	result = done(kernel_ioctl(vms[record->arg & 0xffff].device, KVM_SET_DEVICE_ATTR, &attr));
	result.value = value;
	return result;
}

static struct wire_result one_reg(const struct wire_record *record)
{
	union buffer buffer = { .words = { record->c } };
	struct kvm_one_reg reg = { .id = record->b, .addr = (uintptr_t)&buffer };
	int fd = vms[record->vm].vcpus[record->vcpu].fd;
	struct wire_result result;

	if (record->arg == ACTION_SET)
		return done(kernel_ioctl(fd, KVM_SET_ONE_REG, &reg));
	result = done(kernel_ioctl(fd, KVM_GET_ONE_REG, &reg));
	if (!result.ret)
		result.value = buffer.words[0];
	return result;
}

static struct wire_result irq_line(const struct wire_record *record)
{
	struct kvm_irq_level line = { .irq = (uint32_t)record->a, .level = record->arg };

	return done(kernel_ioctl(vms[record->vm].fd, KVM_IRQ_LINE, &line));
}

static struct wire_result execute(const struct wire_record *record)
{
	switch (record->code) {
	case OP_CREATE_VM:
		return done(vm_create(record->vm));
	case OP_CLOSE_VM:
		return done(progress.width > 1 ? vm_close_shared(record->vm) :
						 vm_close(record->vm));
	case OP_CREATE_DEVICE:
		return done(vm_create_device(record->vm, record->arg, (uint32_t)record->a));
	case OP_PLACE_IRS:
		return irs_place(record);
	case OP_CREATE_VCPU:
		return done(vm_create_vcpu(record->vm, record->vcpu, record->a));
	case OP_INIT_VCPU:
		return done(vcpu_init(record->vm, record->vcpu, (uint32_t)record->a));
	case OP_DEVICE_ATTR:
		return device_attr(record);
	case OP_VCPU_ATTR:
		return vcpu_attr(record);
	case OP_COPY_REG:
		return copy_reg(record);
	case OP_IST:
		return ist_attr(record);
	case OP_IST_ENTRY:
		return ist_entry(record);
	case OP_ONE_REG:
		return one_reg(record);
	case OP_IRQ_LINE:
		return irq_line(record);
	case OP_DELAY:
		delay_ns(record->a);
		return done(0);
	}
	return done(-ENOSYS); /* program_parse() knows all */
}

uint32_t execute_one(uint32_t index, unsigned int branch)
{
	/* The supervisor does not touch the program while it runs. */
	const struct program *program = (const struct program *)&progress.program;
	const struct wire_record *record = &program->records[index];
	volatile struct branch_progress *mine = &progress.branches[branch];

	__atomic_store_n(&mine->record, index, __ATOMIC_RELEASE);
	if (record->code == OP_RUN) {
		vcpu_run(record, index, branch);
		index += (uint32_t)record->a;
	} else {
		progress.results[index] = execute(record);
	}
	__atomic_store_n(&mine->record, NO_RECORD, __ATOMIC_RELEASE);
	return index + 1;
}
