// SPDX-License-Identifier: GPL-2.0-or-later
#include "trace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "gicv5.h"

_Static_assert(sizeof(struct trace_event) == 24 && sizeof(struct trace_record) == 40,
	       "the layout that describe() writes");

static const char layout[] = "record <QQQQHBBBBBB sequence time pc value reg size interface op "
			     "cpu el guest\n";
static const char *const interfaces[] = {
	[TRACE_PHYS] = "phys", [TRACE_VIRT] = "virt", [TRACE_ICH] = "ich",
	[TRACE_IRS] = "irs",   [TRACE_VD] = "vd",     [TRACE_AGENT] = "agent",
};
static const char *const ops[] = {
	[TRACE_READ] = "read",	 [TRACE_WRITE] = "write", [TRACE_TRAP] = "trap",
	[TRACE_UNDEF] = "undef", [TRACE_MARK] = "mark",
};

struct trace_header *trace_ring;

static struct trace_record *records;

static u64 now(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (u64)ts.tv_sec * 1000000000u + (u64)ts.tv_nsec;
}

/* Everything that a reader must know, or -1 if it does not fit. */
static int describe(char *text, size_t size)
{
	FILE *out = fmemopen(text, size, "w");

	if (!out)
		return -1;
	fputs(layout, out);
	for (size_t i = 0; i < ARRAY_SIZE(interfaces); i++)
		fprintf(out, "interface %zu %s\n", i, interfaces[i]);
	for (size_t i = 0; i < ARRAY_SIZE(ops); i++)
		fprintf(out, "op %zu %s\n", i, ops[i]);
	for (unsigned int i = 0; i < gicv5_nr_ops; i++)
		fprintf(out, "sysreg %x %s\n", gicv5_ops[i].enc, gicv5_ops[i].name);
	for (u32 off = 0; off < 0x10000; off += 4) {
		char buf[16];
		const char *name = gicv5_irs_name(off, buf, sizeof(buf));

		if (name != buf)
			fprintf(out, "irs %x %s\n", off, name);
	}
	fflush(out);
	if (ferror(out) || strlen(text) == size - 1) {
		fclose(out);
		errno = EFBIG;
		return -1;
	}
	return fclose(out);
}

bool trace_open(const char *path, u32 capacity)
{
	size_t size = TRACE_HEADER_SIZE + (size_t)capacity * sizeof(struct trace_record);
	struct trace_header *ring = MAP_FAILED;
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0)
		return false;
	/* Not ftruncate(): a full disk must not be noticed by a SIGBUS. */
	errno = posix_fallocate(fd, 0, (off_t)size);
	if (!errno)
		ring = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (ring == MAP_FAILED ||
	    describe((char *)(ring + 1), TRACE_HEADER_SIZE - sizeof(*ring)) < 0)
		return false;
	ring->version = TRACE_VERSION;
	ring->header_size = TRACE_HEADER_SIZE;
	ring->record_size = sizeof(struct trace_record);
	ring->capacity = capacity;
	ring->started = now(CLOCK_MONOTONIC);
	ring->realtime = now(CLOCK_REALTIME);
	records = (struct trace_record *)((char *)ring + TRACE_HEADER_SIZE);
	memcpy(ring->magic, TRACE_MAGIC, sizeof(ring->magic));
	trace_ring = ring;
	return true;
}

void trace_write(const struct trace_event *event)
{
	u64 sequence = trace_ring->written + 1;
	struct trace_record *record = &records[(sequence - 1) % trace_ring->capacity];

	/*
	 * QEMU may be killed between any two of these stores. A reader of a machine that
	 * runs looks when the program is over.
	 */
	__atomic_store_n(&record->sequence, 0, __ATOMIC_RELAXED);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	record->time = now(CLOCK_MONOTONIC);
	record->event = *event;
	__atomic_store_n(&record->sequence, sequence, __ATOMIC_RELEASE);
	__atomic_store_n(&trace_ring->written, sequence, __ATOMIC_RELEASE);
}
