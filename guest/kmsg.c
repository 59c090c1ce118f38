// SPDX-License-Identifier: GPL-2.0-or-later
#include "kmsg.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RECORD_MAX 8192 /* CONSOLE_EXT_LOG_MAX: one read() gives one record */
#define LINE_MAX   (RECORD_MAX + 64)

static int kmsg = -1;

void kmsg_open(void)
{
	kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (kmsg >= 0)
		lseek(kmsg, 0, SEEK_END);
}

/* "prio,sequence,microseconds,flags;message\n KEY=value...\n" as one line.  Returns its size. */
static size_t format(char *line, char *record)
{
	char *message = strchr(record, ';'), *field = record;
	unsigned long long micro;
	unsigned long priority;
	int n;

	if (!message)
		return 0;
	*message++ = '\0';
	message[strcspn(message, "\n")] = '\0';
	priority = strtoul(field, &field, 10);
	field = strchr(*field ? field + 1 : field, ',');
	micro = field ? strtoull(field + 1, NULL, 10) : 0;
	n = snprintf(line, LINE_MAX, "<%lu>[%llu.%06llu] %s\n", priority & 7, micro / 1000000,
		     micro % 1000000, message);
	return n < LINE_MAX ? (size_t)n : LINE_MAX - 1;
}

size_t kmsg_read(const char **text)
{
	static char buffer[2 * KMSG_LIMIT + LINE_MAX];
	char record[RECORD_MAX + 1];
	size_t used = 0, skip = 0;

	*text = buffer;
	for (;;) {
		ssize_t n = read(kmsg, record, RECORD_MAX);

		if (n < 0 && errno == EPIPE) /* older records were overwritten */
			continue;
		if (n <= 0)
			break;
		record[n] = '\0';
		used += format(buffer + used, record);
		if (used > 2 * KMSG_LIMIT) {
			memmove(buffer, buffer + used - KMSG_LIMIT, KMSG_LIMIT);
			used = KMSG_LIMIT;
			skip = 1; /* begins in the middle of a line */
		}
	}
	if (used > KMSG_LIMIT)
		skip = used - KMSG_LIMIT;
	if (skip) {
		const char *line = memchr(buffer + skip - 1, '\n', used - skip + 1);

		skip = line ? (size_t)(line + 1 - buffer) : used;
	}
	*text = buffer + skip;
	return used - skip;
}
