// SPDX-License-Identifier: GPL-2.0-or-later
/* The story, chapter by chapter; that of an IRS with a fault is another one. */
#include "walk.h"

void main(void);

void main(void)
{
	static void (*const story[])(void) = {
		physical_chapter,    probe_chapter,    tables_chapter, residency_chapter,
		virtual_spi_chapter, ordering_chapter, lpi_chapter,    ist_chapter,
		doorbell_chapter,    save_chapter,     smp_chapter,
	};

	host_init();
	if (!fault_chapter())
		for (u32 i = 0; i < ARRAY_SIZE(story); i++)
			story[i]();
	power_off();
}
