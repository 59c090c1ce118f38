// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reproducers of defects in KVM's GICv5, for an arm64 host with a GICv5 and /dev/kvm.  Nothing else
 * is needed; as PID 1 (rdinit=/reproduce -- NAME) it needs no user space either.
 *
 *	aarch64-linux-gnu-gcc -O2 -Wall -Wextra -static -o reproduce reproduce.c
 *	./reproduce first-run		any VGICv5 vCPU (nVHE: the host dies)
 *	./reproduce vcpu-order		other vCPU than the first-created one runs first
 *	./reproduce stale-virtual-ppi	VM without a vGIC after a VGICv5 guest, on one CPU
 *
 * Prints one line; exit status: 0 not affected, 1 affected, 4 cannot tell.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <sched.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef KVM_DEV_TYPE_ARM_VGIC_V5 /* since Linux 7.1 */
#define KVM_DEV_TYPE_ARM_VGIC_V5 16
#endif

#define PPI_SW_PPI 3
#define RAM_BASE   0x40000000UL
#define RAM_SIZE   0x10000UL

enum { NOT_AFFECTED = 0, AFFECTED = 1, CANNOT_TELL = 4 };

struct vm {
	int fd, device;
};

struct vcpu {
	int fd;
	struct kvm_run *run;
};

/*
 * What guests execute, at the start of their memory.  Each reports one value by a store to an
 * address that is not memory, which ends KVM_RUN.
 */
asm(".pushsection .rodata\n"
    ".balign 2048\n" /* for the vectors; the copy is in a page of its own */
    ".global guest_enables_all, guest_wants_the_sw_ppi, guest_without_a_gic, guests_end\n"
    "guest_enables_all:\n" /* ICC_PPI_ENABLER0_EL1: write all ones, read */
    "	mov	x0, #-1\n"
    "	msr	S3_0_C12_C10_6, x0\n"
    "	isb\n"
    "	mrs	x0, S3_0_C12_C10_6\n"
    "	mov	x1, #0x10000000\n"
    "	str	x0, [x1]\n"
    "guest_wants_the_sw_ppi:\n" /* but never takes it: PSTATE.I is set */
    "	mov	x0, #31\n"
    "	msr	S3_1_C12_C0_2, x0\n" /* ICC_PCR_EL1: every priority */
    "	mov	x0, #1\n"
    "	msr	S3_1_C12_C0_1, x0\n" /* ICC_CR0_EL1.EN */
    "	mov	x0, #8\n"
    "	msr	S3_0_C12_C10_6, x0\n" /* ICC_PPI_ENABLER0_EL1: PPI 3 */
    "	isb\n"
    "1:	mrs	x0, S3_0_C12_C13_6\n" /* ICC_PPI_SPENDR0_EL1 */
    "	mov	x1, #0x10000000\n"
    "	str	x0, [x1]\n"
    "	b	1b\n"
    "guest_without_a_gic:\n" /* 1: an IRQ was taken */
    "	adr	x0, vectors\n"
    "	msr	vbar_el1, x0\n"
    "	msr	daifclr, #2\n"
    "	isb\n"
    "	mov	x0, #0\n"
    "	b	report\n"
    "	.balign 2048\n"
    "vectors:\n"
    "	.skip	0x280\n" /* IRQ, current EL with SPx */
    "	mov	x0, #1\n"
    "report:	mov	x1, #0x10000000\n"
    "	str	x0, [x1]\n"
    "guests_end:\n"
    ".popsection\n");

extern const char guest_enables_all[], guest_wants_the_sw_ppi[], guest_without_a_gic[];
extern const char guests_end[];

static int finish(int status)
{
	fflush(stdout);
	if (getpid() == 1)
		reboot(RB_POWER_OFF);
	exit(status);
}

/* The host cannot do what is asked for: nothing to be told. */
static void give_up(const char *what)
{
	printf("cannot tell: %s: %s\n", what, strerror(errno));
	finish(CANNOT_TELL);
}

static int must(int ret, const char *what)
{
	if (ret < 0)
		give_up(what);
	return ret;
}

static int verdict(int affected, const char *format, ...)
{
	va_list args;

	fputs(affected ? "affected: " : "not affected: ", stdout);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	return affected ? AFFECTED : NOT_AFFECTED;
}

static struct vm create_vm(int kvm, int with_vgic)
{
	struct kvm_create_device device = { .type = KVM_DEV_TYPE_ARM_VGIC_V5 };
	struct kvm_userspace_memory_region memory = {
		.guest_phys_addr = RAM_BASE,
		.memory_size = RAM_SIZE,
	};
	struct vm vm = { .fd = must(ioctl(kvm, KVM_CREATE_VM, 0), "KVM_CREATE_VM"), .device = -1 };
	void *ram =
		mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (ram == MAP_FAILED)
		give_up("mmap");
	memcpy(ram, guest_enables_all, guests_end - guest_enables_all);
	memory.userspace_addr = (uintptr_t)ram;
	must(ioctl(vm.fd, KVM_SET_USER_MEMORY_REGION, &memory), "KVM_SET_USER_MEMORY_REGION");
	if (with_vgic) {
		must(ioctl(vm.fd, KVM_CREATE_DEVICE, &device), "no VGICv5: KVM_CREATE_DEVICE");
		vm.device = device.fd;
	}
	return vm;
}

static struct vcpu create_vcpu(int kvm, struct vm vm, int id, const char *entry)
{
	uint64_t pc = RAM_BASE + (entry - guest_enables_all);
	struct kvm_one_reg set_pc = {
		.id = KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM_CORE |
		      KVM_REG_ARM_CORE_REG(regs.pc),
		.addr = (uintptr_t)&pc,
	};
	int size = must(ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0), "KVM_GET_VCPU_MMAP_SIZE");
	struct kvm_vcpu_init init = { 0 };
	struct vcpu vcpu = { .fd = must(ioctl(vm.fd, KVM_CREATE_VCPU, id), "KVM_CREATE_VCPU") };

	must(ioctl(vm.fd, KVM_ARM_PREFERRED_TARGET, &init), "KVM_ARM_PREFERRED_TARGET");
	init.features[0] = 1 << KVM_ARM_VCPU_PSCI_0_2;
	must(ioctl(vcpu.fd, KVM_ARM_VCPU_INIT, &init), "KVM_ARM_VCPU_INIT");
	must(ioctl(vcpu.fd, KVM_SET_ONE_REG, &set_pc), "KVM_SET_ONE_REG");
	vcpu.run = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu.fd, 0);
	if (vcpu.run == MAP_FAILED)
		give_up("mmap");
	return vcpu;
}

static void init_vgic(struct vm vm)
{
	struct kvm_device_attr init = {
		.group = KVM_DEV_ARM_VGIC_GRP_CTRL,
		.attr = KVM_DEV_ARM_VGIC_CTRL_INIT,
	};

	must(ioctl(vm.device, KVM_SET_DEVICE_ATTR, &init), "KVM_DEV_ARM_VGIC_CTRL_INIT");
}

/* KVM_RUN until the guest reports; what it reported. */
static uint64_t run(struct vcpu vcpu)
{
	uint64_t value;

	must(ioctl(vcpu.fd, KVM_RUN, 0), "KVM_RUN");
	if (vcpu.run->exit_reason != KVM_EXIT_MMIO) {
		errno = EPROTO;
		give_up("the guest did not report");
	}
	memcpy(&value, vcpu.run->mmio.data, sizeof(value));
	return value;
}

/* Nothing but a first KVM_RUN: on an affected nVHE host this does not return. */
static int first_run(int kvm)
{
	struct vm vm = create_vm(kvm, 1);
	struct vcpu vcpu = create_vcpu(kvm, vm, 0, guest_enables_all);

	init_vgic(vm);
	run(vcpu);
	return verdict(0, "a VGICv5 vCPU ran, and the host is alive");
}

/* The vCPU with index 1 runs first; then none may have lost its timers (PPIs 27 and 30). */
static int vcpu_order(int kvm)
{
	const uint64_t timers = 1ULL << 27 | 1ULL << 30;
	struct vm vm = create_vm(kvm, 1);
	struct vcpu first = create_vcpu(kvm, vm, 0, guest_enables_all);
	struct vcpu second = create_vcpu(kvm, vm, 1, guest_enables_all);
	uint64_t enabler[2];

	init_vgic(vm);
	enabler[1] = run(second);
	enabler[0] = run(first);
	return verdict((enabler[0] & enabler[1] & timers) != timers,
		       "ENABLER0 after writing all ones: 0x%llx on vCPU 1, then 0x%llx on vCPU 0",
		       (unsigned long long)enabler[1], (unsigned long long)enabler[0]);
}

/* On one CPU: a VGICv5 guest leaves with a pending interrupt; then a VM without a vGIC runs. */
static int stale_virtual_ppi(int kvm)
{
	struct kvm_irq_level raise = {
		.irq = KVM_ARM_IRQ_TYPE_PPI << KVM_ARM_IRQ_TYPE_SHIFT | PPI_SW_PPI,
		.level = 1,
	};
	struct vm v5 = create_vm(kvm, 1), bare = create_vm(kvm, 0);
	struct vcpu listener = create_vcpu(kvm, v5, 0, guest_wants_the_sw_ppi);
	struct vcpu victim = create_vcpu(kvm, bare, 0, guest_without_a_gic);
	cpu_set_t cpu;

	CPU_ZERO(&cpu);
	CPU_SET(sched_getcpu(), &cpu);
	must(sched_setaffinity(0, sizeof(cpu), &cpu), "sched_setaffinity");
	init_vgic(v5);
	run(listener);
	must(ioctl(v5.fd, KVM_IRQ_LINE, &raise), "KVM_IRQ_LINE");
	if (!(run(listener) & 1 << PPI_SW_PPI)) {
		errno = EPROTO;
		give_up("the SW_PPI is not pending");
	}
	return run(victim) ? verdict(1, "a VM without a vGIC took an IRQ") :
			     verdict(0, "a VM without a vGIC took no IRQ");
}

int main(int argc, char **argv)
{
	const char *name = argc == 2 ? argv[1] : "";
	int kvm;

	if (getpid() == 1) {
		mkdir("/dev", 0755);
		mount("dev", "/dev", "devtmpfs", 0, NULL);
	}
	kvm = must(open("/dev/kvm", O_RDWR), "/dev/kvm");
	if (!strcmp(name, "first-run"))
		return finish(first_run(kvm));
	if (!strcmp(name, "vcpu-order"))
		return finish(vcpu_order(kvm));
	if (!strcmp(name, "stale-virtual-ppi"))
		return finish(stale_virtual_ppi(kvm));
	fprintf(stderr, "usage: reproduce first-run|vcpu-order|stale-virtual-ppi\n");
	return finish(CANNOT_TELL);
}
