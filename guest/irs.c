// SPDX-License-Identifier: GPL-2.0-or-later
#include "irs.h"

#include <errno.h>
#include <linux/kvm.h>
#include <stdbool.h>
#include <string.h>

#include "attribute.h"
#include "channel.h"
#include "host.h"
#include "kernel.h"
#include "vm.h"

/* struct kvm_vgic_v5_ist: not in a released header yet. */
struct ist_buffers {
	uint64_t spi_address, spi_size;
	uint64_t lpi_address, lpi_size;
};

/* A place for what IST saves; the entries are 32-bit words. */
static struct image {
	bool used;
	uint32_t tables[2][MAX_IST_BYTES / sizeof(uint32_t)];
} images[MAX_VMS];

static uint32_t *table_of(struct image *image, unsigned int type)
{
	return image->tables[type == TABLE_LPI];
}

static struct wire_result done(int ret)
{
	return (struct wire_result){ .ret = ret < 0 ? ret : 0, .status = STATUS_DONE };
}

struct wire_result irs_place(const struct wire_record *record)
{
	uint64_t address = record->a;
	struct kvm_device_attr attr = {
		.group = GRP_ADDR,
		.attr = ADDR_IRS,
		.addr = (uintptr_t)&address,
	};
	int fd = vms[record->vm].device;
	struct wire_result result = done(kernel_ioctl(fd, KVM_HAS_DEVICE_ATTR, &attr));

	if (result.ret == -ENXIO)
		return done(0); /* no IRS, no need for an address */
	if (result.ret)
		return result;
	result = done(kernel_ioctl(fd, KVM_SET_DEVICE_ATTR, &attr));
	result.value = !result.ret;
	return result;
}

struct wire_result ist_attr(const struct wire_record *record)
{
	struct image *image = &images[record->arg >> 16];
	struct ist_buffers buffers = {
		.spi_size = record->a & UINT32_MAX,
		.lpi_size = record->a >> 32,
	};
	struct kvm_device_attr attr = { .group = GRP_IST, .attr = record->b };
	uint32_t *spis = table_of(image, TABLE_SPI), *lpis = table_of(image, TABLE_LPI);
	unsigned int action = record->arg & 0xff;
	struct wire_result result;

	if (buffers.spi_size)
		buffers.spi_address = (uintptr_t)spis;
	if (buffers.lpi_size)
		buffers.lpi_address = (uintptr_t)lpis;
	attr.addr = attribute_address(record, &buffers);
	image->used = true;
	result = done(kernel_ioctl(vms[record->vm].device, attribute_request(action), &attr));
	if (!result.ret && action == ACTION_GET) {
		result.value = crc32((const uint8_t *)spis, buffers.spi_size);
		result.extra = crc32((const uint8_t *)lpis, buffers.lpi_size);
	}
	return result;
}

struct wire_result ist_entry(const struct wire_record *record)
{
	struct image *image = &images[record->arg >> 16];
	uint32_t *entry = &table_of(image, record->arg >> 8 & 0xff)[record->a];

	image->used = true;
	if ((record->arg & 0xff) == ACTION_SET)
		*entry = (uint32_t)record->c;
	return (struct wire_result){ .status = STATUS_DONE, .value = *entry };
}

void ist_reset(void)
{
	for (unsigned int i = 0; i < MAX_VMS; i++)
		if (images[i].used)
			memset(&images[i], 0, sizeof(images[i]));
}

const char *ist_check(const struct wire_record *record)
{
	unsigned int table = record->arg >> 8 & 0xff;

	if (record->arg >> 16 >= MAX_VMS)
		return "no such image";
	if (record->code == OP_IST)
		return (record->a & UINT32_MAX) <= MAX_IST_BYTES &&
				       record->a >> 32 <= MAX_IST_BYTES ?
			       NULL :
			       "more than an image holds";
	if ((record->arg & 0xff) > ACTION_GET)
		return "no such action";
	if (table != TABLE_SPI && table != TABLE_LPI)
		return "no such table";
	return record->a < MAX_IST_BYTES / sizeof(uint32_t) ? NULL : "no such entry";
}
