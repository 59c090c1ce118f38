// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * kexec: start the kernel in /Image with the initramfs in /initramfs, with this kernel's device
 * tree and at the addresses it was itself given, without a reset of the machine.
 *   kernel, initrd, tree: physical addresses; kernel_size: from the Image's header
 */
#include <fcntl.h>
#include <linux/kexec.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "stress.h"

#define PAGE	    4096ul
#define ROUND_UP(n) (((n) + PAGE - 1) & ~(PAGE - 1))

static struct kexec_segment segment(const char *path, uint64_t address, size_t room)
{
	static char tree[1 << 20];
	int fd = open(path, O_RDONLY);
	struct stat st;
	void *data;
	size_t size;

	if (fd < 0 || fstat(fd, &st))
		fail(path);
	size = (size_t)st.st_size;
	data = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (data == MAP_FAILED) { /* sysfs: it can only be read */
		ssize_t n = read(fd, tree, sizeof(tree));

		if (n <= 0)
			fail(path);
		data = tree;
		size = (size_t)n;
	}
	close(fd);
	return (struct kexec_segment){
		.buf = data,
		.bufsz = size,
		.mem = (void *)address,
		.memsz = ROUND_UP(room > size ? room : size),
	};
}

int kexec_main(void)
{
	struct kexec_segment segments[] = {
		segment("/Image", option("kernel", 0), option("kernel_size", 0)),
		segment("/initramfs", option("initrd", 0), 0),
		segment("/sys/firmware/fdt", option("tree", 0), 0),
	};

	if (syscall(SYS_kexec_load, option("kernel", 0), 3, segments, KEXEC_ARCH_AARCH64))
		fail("kexec_load");
	reboot(RB_KEXEC);
	fail("RB_KEXEC");
}
