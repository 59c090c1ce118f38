// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * vm: VMs with counting guests (guest.c), each in a process of its own.
 *   vms, vcpus   how many, and vCPUs in each
 *   rounds       timer rounds per vCPU; max_delta: ticks until the farthest timer
 *   burst        edges on SW_PPI are raised in groups of 1 to ``burst`` without waiting
 *   stop=1       stop and continue the VMs' processes meanwhile (SIGSTOP, SIGCONT)
 *   move=1       move the vCPUs' threads from CPU to CPU meanwhile
 *   seed
 *
 * What must hold (gicv5-kvm F.2): an edge that finds the one before it unacknowledged merges with
 * it.  So a group of edges gives at least one interrupt and at most as many as it has edges, and
 * none is lost: the handler that follows the last edge reads its number.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "box.h"
#include "stress.h"

#define DEV_TYPE_VGIC_V5 16 /* not in the headers of distributions yet */
#define MAX_VCPUS	 8
#define SW_PPI		 3

struct vcpu {
	pthread_t thread;
	int fd;
	struct kvm_run *run;
	volatile struct box *box;
	volatile bool ended;
	volatile uint64_t fault; /* errno of KVM_RUN, or an exit that has no place here */
	uint64_t groups;	 /* of edges */
};

struct vm {
	unsigned int number, nr_vcpus;
	int fd;
	struct vcpu vcpu[MAX_VCPUS];
};

extern const uint8_t guest_image[], guest_image_end[];

static int must(int ret, const char *what)
{
	if (ret < 0)
		fail(what);
	return ret;
}

static void set_reg(int fd, uint64_t reg, uint64_t value)
{
	struct kvm_one_reg one = {
		.id = KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM_CORE | reg,
		.addr = (uintptr_t)&value,
	};

	must(ioctl(fd, KVM_SET_ONE_REG, &one), "KVM_SET_ONE_REG");
}

static void create_vcpu(struct vm *vm, unsigned int i, uint8_t *memory, size_t run_size)
{
	struct vcpu *vcpu = &vm->vcpu[i];
	struct kvm_vcpu_init init = { 0 };
	uint64_t seed = option("seed", 1);

	vcpu->fd = must(ioctl(vm->fd, KVM_CREATE_VCPU, i), "KVM_CREATE_VCPU");
	vcpu->run = mmap(NULL, run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
	must(ioctl(vm->fd, KVM_ARM_PREFERRED_TARGET, &init), "KVM_ARM_PREFERRED_TARGET");
	init.features[0] = 1 << KVM_ARM_VCPU_PSCI_0_2;
	must(ioctl(vcpu->fd, KVM_ARM_VCPU_INIT, &init), "KVM_ARM_VCPU_INIT");
	set_reg(vcpu->fd, KVM_REG_ARM_CORE_REG(regs.pc), GUEST_BASE);
	set_reg(vcpu->fd, KVM_REG_ARM_CORE_REG(regs.regs[0]), BOX_BASE + i * BOX_SIZE);
	vcpu->box = (void *)(memory + CODE_SIZE + i * BOX_SIZE);
	vcpu->box->rounds = option("rounds", 100);
	vcpu->box->max_delta = option("max_delta", 300000);
	vcpu->box->seed = seed * 0x9e3779b97f4a7c15 + vm->number * MAX_VCPUS + i + 1;
}

static void create(struct vm *vm)
{
	struct kvm_create_device device = { .type = DEV_TYPE_VGIC_V5 };
	struct kvm_device_attr init = { .group = KVM_DEV_ARM_VGIC_GRP_CTRL,
					.attr = KVM_DEV_ARM_VGIC_CTRL_INIT };
	struct kvm_userspace_memory_region region = {
		.guest_phys_addr = GUEST_BASE,
		.memory_size = CODE_SIZE + MAX_VCPUS * BOX_SIZE,
	};
	int kvm = must(open("/dev/kvm", O_RDWR), "/dev/kvm");
	int size = must(ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0), "KVM_GET_VCPU_MMAP_SIZE");
	uint8_t *memory = mmap(NULL, region.memory_size, PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	memcpy(memory, guest_image, (size_t)(guest_image_end - guest_image));
	region.userspace_addr = (uintptr_t)memory;
	do /* a stop signal interrupts this one */
		vm->fd = ioctl(kvm, KVM_CREATE_VM, 0);
	while (vm->fd < 0 && errno == EINTR);
	must(vm->fd, "KVM_CREATE_VM");
	must(ioctl(vm->fd, KVM_CREATE_DEVICE, &device), "KVM_CREATE_DEVICE");
	must(ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &region), "KVM_SET_USER_MEMORY_REGION");
	for (unsigned int i = 0; i < vm->nr_vcpus; i++)
		create_vcpu(vm, i, memory, (size_t)size);
	must(ioctl((int)device.fd, KVM_SET_DEVICE_ATTR, &init), "CTRL_INIT");
}

static void *run_vcpu(void *arg)
{
	struct vcpu *vcpu = arg;

	while (ioctl(vcpu->fd, KVM_RUN, 0) == 0 || errno == EINTR || errno == EAGAIN) {
		if (vcpu->run->exit_reason == KVM_EXIT_INTR)
			continue;
		if (vcpu->run->exit_reason != KVM_EXIT_MMIO ||
		    vcpu->run->mmio.phys_addr != MMIO_END)
			vcpu->fault = 1000 + vcpu->run->exit_reason;
		vcpu->ended = true;
		return NULL;
	}
	vcpu->fault = (uint64_t)errno;
	vcpu->ended = true;
	return NULL;
}

static void start(struct vcpu *vcpu)
{
	pthread_attr_t attr;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 65536);
	if (pthread_create(&vcpu->thread, &attr, run_vcpu, vcpu))
		fail("pthread_create");
}

/* ---- edges -------------------------------------------------------------------- */
static void raise_edge(struct vm *vm, unsigned int i)
{
	struct kvm_irq_level line = {
		.irq = KVM_ARM_IRQ_TYPE_PPI << KVM_ARM_IRQ_TYPE_SHIFT |
		       i << KVM_ARM_IRQ_VCPU_SHIFT | SW_PPI,
		.level = 1,
	};

	vm->vcpu[i].box->sent++;
	must(ioctl(vm->fd, KVM_IRQ_LINE, &line), "KVM_IRQ_LINE");
	line.level = 0; /* no effect on an edge */
	must(ioctl(vm->fd, KVM_IRQ_LINE, &line), "KVM_IRQ_LINE");
}

static void await_seen(const struct vcpu *vcpu)
{
	/* Who waits in vain is found by the watchdog. */
	while (vcpu->box->seen != vcpu->box->sent && !vcpu->ended)
		usleep(50);
}

static void *send_edges(void *arg)
{
	struct vm *vm = arg;
	uint64_t random = option("seed", 1) * 0x9e3779b97f4a7c15 + 77 + vm->number;
	uint64_t burst = option("burst", 1);
	unsigned int left = vm->nr_vcpus;

	for (unsigned int i = 0; left; i = (i + 1) % vm->nr_vcpus) {
		struct vcpu *vcpu = &vm->vcpu[i];
		volatile struct box *box = vcpu->box;
		uint64_t edges = random_next(&random) % burst + 1;

		if (box->stop)
			continue;
		await_seen(vcpu);
		if (box->finished) { /* and asleep: the last edge wakes the guest for its end */
			box->stop = 1;
			edges = 1;
			left--;
		}
		vcpu->groups++;
		for (; edges; edges--)
			raise_edge(vm, i);
		if (random_next(&random) & 1)
			usleep((useconds_t)(random_next(&random) % 500));
	}
	return NULL;
}

/* ---- judging ------------------------------------------------------------------- */
static void move_vcpus(struct vm *vm, uint64_t *random, unsigned int cpus)
{
	struct vcpu *vcpu = &vm->vcpu[random_next(random) % vm->nr_vcpus];
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(random_next(random) % cpus, &set);
	if (!vcpu->ended)
		pthread_setaffinity_np(vcpu->thread, sizeof(set), &set);
}

static bool all_ended(const struct vm *vm)
{
	for (unsigned int i = 0; i < vm->nr_vcpus; i++)
		if (!vm->vcpu[i].ended)
			return false;
	return true;
}

/*
 * False: none of the vCPUs has got on for STUCK_SECONDS. One alone may have to wait for longer, if
 * there are many for few CPUs; when the others have ended, it has to get on.
 */
static bool watch(struct vm *vm)
{
	uint64_t progress[MAX_VCPUS] = { 0 }, since = now_us(), random = option("seed", 1) + 3;
	unsigned int cpus = online_cpus();
	bool move = option("move", 0);

	while (!all_ended(vm)) {
		usleep(5000);
		if (move)
			move_vcpus(vm, &random, cpus);
		for (unsigned int i = 0; i < vm->nr_vcpus; i++) {
			if (vm->vcpu[i].box->progress == progress[i])
				continue;
			progress[i] = vm->vcpu[i].box->progress;
			since = now_us();
		}
		if (now_us() - since > STUCK_SECONDS * 1000000)
			return false;
	}
	return true;
}

static void report_vcpu(const struct vm *vm, unsigned int i)
{
	const struct vcpu *vcpu = &vm->vcpu[i];
	volatile struct box *b = vcpu->box;

#define U(x) ((unsigned long long)(x))
	printf("vm vm=%u vcpu=%u ended=%d fault=%llu due_v=%llu fired_v=%llu due_p=%llu "
	       "fired_p=%llu cancelled=%llu sent=%llu groups=%llu handled=%llu seen=%llu "
	       "spurious=%llu unexpected=%llu early=%llu extra=%llu late_us=%llu "
	       "vector=%llu esr=%#llx elr=%#llx\n",
	       vm->number, i, vcpu->ended, U(vcpu->fault), U(b->due[TIMER_V]), U(b->fired[TIMER_V]),
	       U(b->due[TIMER_P]), U(b->fired[TIMER_P]), U(b->cancelled), U(b->sent),
	       U(vcpu->groups), U(b->handled), U(b->seen), U(b->spurious), U(b->unexpected),
	       U(b->early), U(b->extra), U(b->late / 1000), U(b->vector), U(b->esr), U(b->elr));
#undef U
}

static int run_vm(unsigned int number)
{
	struct vm vm = { .number = number, .nr_vcpus = (unsigned int)option("vcpus", 1) };
	pthread_t sender;
	bool done;

	if (!vm.nr_vcpus || vm.nr_vcpus > MAX_VCPUS)
		return 2;
	create(&vm);
	/* Linux 7.3 takes the PPIs of the vCPU with index 0 for all, so that one goes first. */
	start(&vm.vcpu[0]);
	while (!vm.vcpu[0].box->progress && !vm.vcpu[0].ended)
		usleep(100);
	for (unsigned int i = 1; i < vm.nr_vcpus; i++)
		start(&vm.vcpu[i]);
	if (pthread_create(&sender, NULL, send_edges, &vm))
		fail("pthread_create");
	done = watch(&vm);
	for (unsigned int i = 0; i < vm.nr_vcpus; i++)
		report_vcpu(&vm, i);
	fflush(stdout);
	_exit(done ? 0 : 1);
}

int vm_main(void)
{
	uint64_t vms = option("vms", 1), random = option("seed", 1) + 5, stops = 0;
	bool stop = option("stop", 0);
	unsigned int left = (unsigned int)vms;
	pid_t pid[64];
	int status, worst = 0;

	for (unsigned int i = 0; i < vms && i < 64; i++) {
		pid[i] = fork();
		if (pid[i] == 0)
			run_vm(i);
	}
	while (left) {
		pid_t ended = waitpid(-1, &status, stop ? WNOHANG : 0);

		if (ended > 0) {
			for (unsigned int i = 0; i < vms; i++)
				if (pid[i] == ended)
					pid[i] = 0;
			if (!WIFEXITED(status) || WEXITSTATUS(status))
				worst = WIFEXITED(status) ? WEXITSTATUS(status) : 3;
			left--;
			continue;
		}
		if (stop) {
			pid_t one = pid[random_next(&random) % vms];

			usleep((useconds_t)(random_next(&random) % 5000));
			if (!one)
				continue;
			kill(one, SIGSTOP);
			usleep((useconds_t)(random_next(&random) % 5000));
			kill(one, SIGCONT);
			stops++;
		}
	}
	printf("vms vms=%llu stops=%llu status=%d\n", (unsigned long long)vms,
	       (unsigned long long)stops, worst);
	return worst;
}
