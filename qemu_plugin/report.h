/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the plugin says on stderr: one line each, "gicv5: error|warning|stats ...". */
#ifndef REPORT_H
#define REPORT_H

#include "types.h"

#define PRINTF(n) __attribute__((format(printf, n, (n) + 1)))

void report_error(const char *fmt, ...) PRINTF(1);
void report_warning(const char *fmt, ...) PRINTF(1);
/* The first time it is called with @key: true. Any thread may ask. */
bool report_once(u64 key);
/* The machine is not one that this plugin can serve: say so and end QEMU. */
void report_refuse(const char *fmt, ...) PRINTF(1) __attribute__((noreturn));

#endif
