// SPDX-License-Identifier: GPL-2.0-or-later
/* The agent's side of a serial line (guest/arq.c), for test_line.py to talk to. */
#include <stdlib.h>
#include <string.h>

#include "arq.h"

static uint8_t stream[1 << 22], line[1 << 22];
static size_t stream_size, line_size;

/* The agent's own uses the CPU's instructions. */
uint32_t crc32(const uint8_t *data, size_t size)
{
	uint32_t crc = ~0u;

	while (size--) {
		crc ^= *data++;
		for (int i = 0; i < 8; i++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
	}
	return ~crc;
}

static void to_stream(void *context, const uint8_t *data, size_t size)
{
	(void)context;
	memcpy(stream + stream_size, data, size);
	stream_size += size;
}

static void to_line(void *context, const uint8_t *data, size_t size)
{
	(void)context;
	memcpy(line + line_size, data, size);
	line_size += size;
}

struct arq *shim_new(int session, int patience_ms)
{
	struct arq *arq = malloc(sizeof(*arq));

	arq_init(arq, (uint8_t)session, (uint32_t)patience_ms, 0);
	return arq;
}

const uint8_t *shim_receive(struct arq *arq, const uint8_t *data, size_t size, uint64_t now,
			    size_t *out)
{
	stream_size = 0;
	arq_receive(arq, data, size, now, to_stream, NULL);
	*out = stream_size;
	return stream;
}

const uint8_t *shim_output(struct arq *arq, uint64_t now, size_t *out)
{
	line_size = 0;
	arq_output(arq, now, to_line, NULL);
	*out = line_size;
	return line;
}

int shim_state(const struct arq *arq)
{
	return arq->killed | arq->broken << 1 | arq_idle(arq) << 2 | arq_room(arq) << 3;
}
