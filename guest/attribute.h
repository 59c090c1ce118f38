/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the records of attributes say. */
#pragma once

#include <linux/kvm.h>
#include <stdint.h>

#include "wire.h"

/* Nothing is ever mapped that low (vm.mmap_min_addr). */
#define UNMAPPED_ADDRESS 8

/* The ioctl of a record's action (an ACTION_*). */
static inline unsigned long attribute_request(unsigned int action)
{
	static const unsigned long requests[] = {
		[ACTION_SET] = KVM_SET_DEVICE_ATTR,
		[ACTION_GET] = KVM_GET_DEVICE_ATTR,
		[ACTION_HAS] = KVM_HAS_DEVICE_ATTR,
	};

	return requests[action];
}

/* The address that its POINTER_* stands for. */
static inline uint64_t attribute_address(const struct wire_record *record, const void *buffer)
{
	switch (record->arg >> 8 & 0xff) {
	case POINTER_VALUE:
		return (uintptr_t)buffer;
	case POINTER_UNMAPPED:
		return UNMAPPED_ADDRESS;
	}
	return 0;
}
