/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel log. */
#pragma once

#include <stddef.h>

#define KMSG_LIMIT 65536

/* From now on; without a readable log every kmsg_read() gives nothing. */
void kmsg_open(void);

/*
 * What was logged since the last call, as lines "<level>[seconds.micro] message".  The newest
 * KMSG_LIMIT bytes of it; valid until the next call.  Returns the size.
 */
size_t kmsg_read(const char **text);
