/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The IRS of a VGICv5 and its interrupt state tables (IST), from Linux 7.4 on. */
#pragma once

#include "wire.h"

/* PLACE_IRS: the address, if the device has that attribute. */
struct wire_result irs_place(const struct wire_record *record);

/* IST: save to an image or restore from one.  IST_ENTRY: one word of an image. */
struct wire_result ist_attr(const struct wire_record *record);
struct wire_result ist_entry(const struct wire_record *record);

/* A new program: all images are zero. */
void ist_reset(void);

/* What is wrong with an IST or IST_ENTRY record, or NULL. */
const char *ist_check(const struct wire_record *record);
