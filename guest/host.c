// SPDX-License-Identifier: GPL-2.0-or-later
#include "host.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define DATA_SIZE (MAX_VCPUS * MAILBOX_SIZE)

struct host host = { .kvm = -1, .vm = -1, .nothing = -1, .cpus = 1 };

extern const uint8_t guest_image[], guest_image_end[];

int host_open_kvm(void)
{
	int fd, size;

	if (host.kvm >= 0)
		return 0;
	fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	size = fd < 0 ? -1 : ioctl(fd, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (size < 0) {
		host.kvm = -errno;
		if (fd >= 0)
			close(fd);
		return host.kvm;
	}
	host.kvm = fd;
	host.run_size = (size_t)size;
	return 0;
}

void host_keep_vm(void)
{
	if (host.kvm >= 0 && host.vm < 0)
		host.vm = ioctl(host.kvm, KVM_CREATE_VM, 0);
}

void host_drop_vm(void)
{
	if (host.vm >= 0)
		close(host.vm);
	host.vm = -1;
}

/* One file: the image, then the mailboxes of each VM.  Each VM's memory maps both, side by side. */
static int allocate_memory(void)
{
	size_t total = GUEST_CODE_SIZE + MAX_VMS * DATA_SIZE;
	size_t image_size = (size_t)(guest_image_end - guest_image);
	int fd = memfd_create("gicv5-guest", MFD_CLOEXEC);
	int error = 0;

	if (fd < 0 || ftruncate(fd, (off_t)total) ||
	    pwrite(fd, guest_image, image_size, 0) != (ssize_t)image_size)
		goto failed;

	for (unsigned int vm = 0; vm < MAX_VMS; vm++) {
		off_t data = GUEST_CODE_SIZE + vm * DATA_SIZE;
		uint8_t *memory = mmap(NULL, GUEST_MEMORY_SIZE, PROT_READ, MAP_SHARED, fd, 0);

		if (memory == MAP_FAILED)
			goto failed;
		if (mmap(memory + GUEST_CODE_SIZE, DATA_SIZE, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_FIXED, fd, data) == MAP_FAILED)
			goto failed;
		host.memory[vm] = memory;
	}
	goto out;
failed:
	error = -errno;
out:
	if (fd >= 0)
		close(fd);
	return error;
}

static void on_kick(int signal)
{
	(void)signal; /* interrupting KVM_RUN is all */
}

int host_init(void)
{
	struct sigaction kick = { .sa_handler = on_kick }; /* no SA_RESTART */
	sigset_t blocked;

	sigemptyset(&blocked);
	sigaddset(&blocked, SIGCHLD);
	sigaddset(&blocked, SIGNAL_WATCH);
	sigaddset(&blocked, SIGNAL_KICK);
	if (sigprocmask(SIG_BLOCK, &blocked, NULL) || sigaction(SIGNAL_KICK, &kick, NULL))
		return -errno;
	signal(SIGPIPE, SIG_IGN);
	host.nothing = open("/", O_PATH | O_CLOEXEC);
	if (host.nothing < 0)
		return -errno;
	host.cpus = (unsigned int)sysconf(_SC_NPROCESSORS_ONLN);
	host_open_kvm();
	return allocate_memory();
}
