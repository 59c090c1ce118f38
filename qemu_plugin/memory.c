// SPDX-License-Identifier: GPL-2.0-or-later
/* Physical memory, where the IRS has its tables. A guest's caches do not exist under TCG. */
#include <string.h>

#include "platform.h"
#include "report.h"

static bool complain(const char *what, u64 addr)
{
	if (report_once((u64)1 << 60 | addr))
		report_warning("the IRS cannot %s its tables at 0x%llx: is there memory?", what,
			       (unsigned long long)addr);
	return false;
}

bool memory_read(void *ctx, u64 addr, void *buf, size_t len)
{
	GByteArray *b = platform.wire.buf;

	(void)ctx;
	g_byte_array_set_size(b, 0);
	if (qemu_plugin_read_memory_hwaddr(addr, b, len) || b->len < len)
		return complain("read", addr);
	memcpy(buf, b->data, len);
	return true;
}

bool memory_write(void *ctx, u64 addr, const void *buf, size_t len)
{
	GByteArray *b = platform.wire.buf;

	(void)ctx;
	g_byte_array_set_size(b, (unsigned int)len);
	memcpy(b->data, buf, len);
	if (qemu_plugin_write_memory_hwaddr(addr, b))
		return complain("write", addr);
	return true;
}
