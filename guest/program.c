// SPDX-License-Identifier: GPL-2.0-or-later
/* Execute a program: its operations and parallel sections, in order. */
#include "program.h"

#include "irs.h"
#include "mark.h"

void program_execute(void)
{
	const struct program *program = (const struct program *)&progress.program;
	uint32_t operation = 0;

	progress.width = 1;
	ist_reset();
	for (uint32_t i = 0; i < program->count;) {
		mark(MARK_OPERATION(progress.sequence, operation++));
		if (program->records[i].code == OP_PARALLEL)
			i = parallel_execute(i);
		else
			i = execute_one(i, 0);
	}
	mark(MARK_OPERATION(progress.sequence, operation)); /* its VMs go */
}
