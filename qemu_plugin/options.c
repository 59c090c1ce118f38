// SPDX-License-Identifier: GPL-2.0-or-later
#include "options.h"

#include <string.h>

#include "report.h"

struct choice {
	const char *arg;
	size_t field; /* a byte of struct gicv5_options */
	u8 val;
};

#define FIELD_OF(f) offsetof(struct gicv5_options, f)

static const struct choice choices[] = {
	{ "vmt=linear", FIELD_OF(vmt_two_level), false },
	{ "vmt=two-level", FIELD_OF(vmt_two_level), true },
	{ "ist=linear", FIELD_OF(ist_two_level), false },
	{ "ist=two-level", FIELD_OF(ist_two_level), true },
	{ "iste=4", FIELD_OF(iste_size), 4 },
	{ "iste=8", FIELD_OF(iste_size), 8 },
	{ "iste=16", FIELD_OF(iste_size), 16 },
	{ "fault=none", FIELD_OF(fault), GICV5_NO_FAULT },
	{ "fault=vpe-invalid", FIELD_OF(fault), GICV5_FAULT_VPE_INVALID },
	{ "fault=contextr", FIELD_OF(fault), GICV5_FAULT_CONTEXTR },
	{ "fault=sticky-valid", FIELD_OF(fault), GICV5_FAULT_STICKY_VALID },
	{ "fault=vmt-preset", FIELD_OF(fault), GICV5_FAULT_VMT_PRESET },
	{ "fault=vmt-busy", FIELD_OF(fault), GICV5_FAULT_VMT_BUSY },
};

bool options_apply(const char *arg, struct gicv5_options *o)
{
	size_t key = strcspn(arg, "=");
	char values[200] = "";

	for (size_t i = 0; i < ARRAY_SIZE(choices); i++) {
		const struct choice *c = &choices[i];

		if (!strcmp(c->arg, arg)) {
			((u8 *)o)[c->field] = c->val;
			return true;
		}
		if (!strncmp(c->arg, arg, key) && c->arg[key] == '=') {
			strcat(values, *values ? ", " : "");
			strcat(values, c->arg + key + 1);
		}
	}
	if (*values)
		report_error("argument '%s': '%.*s' is one of %s", arg, (int)key, arg, values);
	else
		report_error(
			"unknown argument '%s': there are trace, trace-records, vmt, ist, iste, fault and idle",
			arg);
	return false;
}
