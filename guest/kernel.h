/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * System calls without libc: they return a negative errno and touch no memory of the caller's.  The
 * threads of a program share the agent's errno and all else that libc keeps for a thread.
 */
#pragma once

#include <stdint.h>
#include <sys/syscall.h>

static inline long kernel(long number, long a, long b, long c, long d)
{
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;

	__asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3) : "memory", "cc");
	return x0;
}

static inline int kernel_ioctl(int fd, unsigned long request, const void *argument)
{
	return (int)kernel(SYS_ioctl, fd, (long)request, (long)argument, 0);
}

static inline int kernel_close(int fd)
{
	return (int)kernel(SYS_close, fd, 0, 0, 0);
}
