// SPDX-License-Identifier: GPL-2.0-or-later
/* What this host is. */
#include <errno.h>
#include <linux/kvm.h>
#include <sched.h>
#include <sys/ioctl.h>

#include "agent.h"
#include "host.h"
#include "vm.h"

#define ICC_PPI_ENABLER0_EL1 0xc656

static int has_attr(const struct kvm_device_attr *attr)
{
	return ioctl(vms[0].device, KVM_HAS_DEVICE_ATTR, attr) ? errno : 0;
}

/*
 * CPU_SYSREGS and ADDR/IRS on an initialised VGICv5.  No KVM_RUN: an nVHE host of 7.3 dies of the
 * first one, and from 7.4 on the IRS would need its address before.
 */
static void probe_vgic(struct wire_hello *hello)
{
	struct kvm_device_attr init = {
		.group = KVM_DEV_ARM_VGIC_GRP_CTRL,
		.attr = KVM_DEV_ARM_VGIC_CTRL_INIT,
	};
	struct kvm_device_attr sysreg = {
		.group = GRP_CPU_SYSREGS,
		.attr = ICC_PPI_ENABLER0_EL1,
	};
	struct kvm_device_attr irs = { .group = GRP_ADDR, .attr = ADDR_IRS };
	int error = vm_create_device(0, DEV_TYPE_VGIC_V5, 0);

	if (!error)
		error = vm_create_vcpu(0, 0, 0);
	if (!error)
		error = vcpu_init(0, 0, 1 << KVM_ARM_VCPU_PSCI_0_2);
	if (!error && ioctl(vms[0].device, KVM_SET_DEVICE_ATTR, &init))
		error = -errno;
	hello->sysregs_errno = error ? -error : has_attr(&sysreg);
	hello->irs_errno = error ? -error : has_attr(&irs);
}

void probe(struct wire_hello *hello)
{
	cpu_set_t cpus;
	int error = host_open_kvm();

	*hello = (struct wire_hello){ .hash = WIRE_HASH };
	if (!sched_getaffinity(0, sizeof(cpus), &cpus))
		hello->cpus = (uint32_t)CPU_COUNT(&cpus);

	hello->kvm_errno = -error;
	if (!error) {
		int max_vcpus = ioctl(host.kvm, KVM_CHECK_EXTENSION, KVM_CAP_MAX_VCPUS);

		hello->max_vcpus = max_vcpus > 0 ? (uint32_t)max_vcpus : 0;
		hello->pmu = ioctl(host.kvm, KVM_CHECK_EXTENSION, KVM_CAP_ARM_PMU_V3) > 0;
		error = vm_create(0);
	}
	if (!error)
		error = vm_create_device(0, DEV_TYPE_VGIC_V5, KVM_CREATE_DEVICE_TEST);
	hello->vgic_v5_errno = -error;
	hello->sysregs_errno = hello->irs_errno = -error;
	if (!error)
		probe_vgic(hello);
	vm_close(0);
}
