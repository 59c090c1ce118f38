// SPDX-License-Identifier: GPL-2.0-or-later
#include "report.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

/* One write per message, so that those of several vCPUs do not mix. */
static void say(const char *kind, const char *fmt, va_list ap)
{
	char text[400];

	vsnprintf(text, sizeof(text), fmt, ap);
	fprintf(stderr, "gicv5: %s: %s\n", kind, text);
	fflush(stderr);
}

void report_error(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say("error", fmt, ap);
	va_end(ap);
}

void report_warning(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say("warning", fmt, ap);
	va_end(ap);
}

bool report_once(u64 key)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static unsigned int nr;
	static u64 seen[512];
	bool first = true;

	pthread_mutex_lock(&lock);
	for (unsigned int i = 0; i < nr && first; i++)
		first = seen[i] != key;
	if (first && nr == ARRAY_SIZE(seen))
		first = false;
	else if (first)
		seen[nr++] = key;
	pthread_mutex_unlock(&lock);
	return first;
}

void report_refuse(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say("error", fmt, ap);
	va_end(ap);
	/*
	 * Not exit(): this is a vCPU's thread, possibly with QEMU's lock held,
	 * and QEMU's exit handlers would wait for that very thread.
	 */
	_exit(1);
}
