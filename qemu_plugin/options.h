/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Arguments of the plugin that choose what the IRS implements, and what is wrong with it. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include "gicv5.h"

/* @arg: KEY=VALUE. False, and an error is reported: not one of ours. */
bool options_apply(const char *arg, struct gicv5_options *o);

#endif
