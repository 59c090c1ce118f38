// SPDX-License-Identifier: GPL-2.0-or-later
#include "trace.h"

FILE *trace_file;

bool trace_open(const char *path)
{
	trace_file = fopen(path, "w");
	return trace_file != NULL;
}

void trace_close(void)
{
	if (trace_file)
		fflush(trace_file);
}

void trace_write(const struct trace_event *ev)
{
	fprintf(trace_file, "cpu=%u el=%u pc=0x%llx ctx=%s if=%s op=%s reg=%s val=0x%llx\n",
		ev->cpu, ev->el, (unsigned long long)ev->pc, ev->guest ? "guest" : "host",
		ev->interface, ev->op, ev->reg, (unsigned long long)ev->val);
}
