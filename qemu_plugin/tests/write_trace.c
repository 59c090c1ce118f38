// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * write-trace FILE CAPACITY COUNT: a trace of COUNT records as the plugin writes
 * it, for the tests of its reader. Record n says the same of itself whatever the
 * capacity: see below.
 */
#include <stdio.h>
#include <stdlib.h>

#include "gicv5.h"
#include "trace.h"

int main(int argc, char **argv)
{
	if (argc != 4 || !trace_open(argv[1], (u32)strtoul(argv[2], NULL, 10))) {
		perror("write-trace");
		return 1;
	}
	for (u64 n = 1; n <= strtoul(argv[3], NULL, 10); n++) {
		const struct gicv5_op *op = &gicv5_ops[n % gicv5_nr_ops];

		trace_write(&(struct trace_event){
			.pc = 0xffff800080000000ull + 4 * n,
			.val = ~n,
			.reg = op->enc,
			.size = 8,
			.interface = op->class == GICV5_ICH ? TRACE_ICH : TRACE_PHYS,
			.op = n % 2 ? TRACE_WRITE : TRACE_READ,
			.cpu = n % 8,
			.el = 2,
			.guest = n % 3 == 0,
		});
	}
	/* What a killed QEMU leaves: nothing is flushed or closed. */
	_Exit(0);
}
