// SPDX-License-Identifier: GPL-2.0-or-later
#include "arq.h"

#include <string.h>

#include "channel.h"

#define RS   0x1e
#define US   0x1f
#define DLE  0x10
#define FLIP 0x40

#define HEAD 6
#define CRC  4

static bool is_stuffed(uint8_t byte)
{
	return byte == RS || byte == US || byte == DLE || byte == '\n' || byte == '\r' ||
	       byte == 0x11 || byte == 0x13 || byte == 0x1d;
}

void arq_init(struct arq *arq, uint8_t session, uint32_t patience_ms, uint64_t now)
{
	memset(arq, 0, sizeof(*arq));
	arq->session = session;
	arq->patience_ms = patience_ms;
	arq->heard = arq->spoke_at = now;
	arq->nak_for = UINT32_MAX;
}

bool arq_room(const struct arq *arq)
{
	return ARQ_QUEUE - (arq->end - arq->base) >= (2 + DEFLATE_BOUND) / ARQ_PAYLOAD + 2;
}

static void enqueue(struct arq *arq, uint8_t kind, const uint8_t *data, size_t size)
{
	typeof(&arq->queue[0]) slot = &arq->queue[arq->end++ % ARQ_QUEUE];

	slot->kind = kind;
	slot->size = (uint8_t)size;
	memcpy(slot->data, data, size);
}

void arq_send(struct arq *arq, const uint8_t *data, size_t size)
{
	uint8_t chunk[2 + DEFLATE_BOUND];
	size_t packed = deflate_chunk(&arq->deflate, data, size, chunk + 2);

	chunk[0] = (uint8_t)packed;
	chunk[1] = (uint8_t)(packed >> 8);
	packed += 2;
	for (size_t at = 0; at < packed; at += ARQ_PAYLOAD)
		enqueue(arq, ARQ_DATA, chunk + at,
			packed - at < ARQ_PAYLOAD ? packed - at : ARQ_PAYLOAD);
}

void arq_finish(struct arq *arq)
{
	enqueue(arq, ARQ_FIN, (const uint8_t *)"", 0);
}

bool arq_idle(const struct arq *arq)
{
	return arq->base == arq->end;
}

static void go_back(struct arq *arq, uint64_t now)
{
	arq->next = arq->base;
	arq->went_back = now;
	arq->nak_for = UINT32_MAX;
}

static void acknowledged(struct arq *arq, uint16_t number, bool again, uint64_t now)
{
	uint16_t done = (uint16_t)(number - arq->base);

	if (done > arq->end - arq->base)
		return;
	arq->base += done;
	if (arq->next < arq->base)
		arq->next = arq->base;
	if (done)
		arq->sent_at = now;
	if (again && now - arq->went_back > ARQ_AGAIN_MS)
		go_back(arq, now);
}

static void complain(struct arq *arq)
{
	if (arq->nak_for == arq->expected)
		return;
	arq->nak_for = arq->expected;
	arq->owed = ARQ_NAK;
}

/* The stream's next bytes: whole chunks of it go on, decompressed. */
static void stream(struct arq *arq, const uint8_t *data, size_t size, arq_sink *deliver,
		   void *context)
{
	memcpy(arq->chunk + arq->chunk_size, data, size);
	arq->chunk_size += size;
	while (arq->chunk_size >= 2) {
		size_t packed = arq->chunk[0] | (size_t)arq->chunk[1] << 8;
		const uint8_t *plain;
		int length;

		if (packed > DEFLATE_BOUND) {
			arq->broken = true;
			return;
		}
		if (arq->chunk_size < 2 + packed)
			return;
		length = inflate_chunk(&arq->inflate, arq->chunk + 2, packed, &plain);
		if (length < 0) {
			arq->broken = true;
			return;
		}
		deliver(context, plain, (size_t)length);
		arq->chunk_size -= 2 + packed;
		memmove(arq->chunk, arq->chunk + 2 + packed, arq->chunk_size);
	}
}

static void packet(struct arq *arq, uint64_t now, arq_sink *deliver, void *context)
{
	size_t size = arq->size - CRC;
	uint16_t sequence, number;
	uint32_t crc;

	if (arq->bad || arq->escaped || arq->size < HEAD + CRC) {
		complain(arq);
		return;
	}
	memcpy(&crc, arq->body + size, sizeof(crc));
	if (crc != crc32(arq->body, size)) {
		complain(arq);
		return;
	}
	if (arq->body[0] == ARQ_KILL) {
		arq->killed = true;
		return;
	}
	if (arq->body[1] != arq->session)
		return;
	arq->heard = now;
	memcpy(&sequence, arq->body + 2, sizeof(sequence));
	memcpy(&number, arq->body + 4, sizeof(number));
	acknowledged(arq, number, arq->body[0] == ARQ_NAK, now);
	if (arq->body[0] != ARQ_DATA)
		return;
	if (sequence != (uint16_t)arq->expected) {
		if ((uint16_t)(sequence - arq->expected) < ARQ_WINDOW)
			complain(arq);
		else if (!arq->owed)
			arq->owed = ARQ_ACK;
		return;
	}
	arq->expected++;
	arq->owed = ARQ_ACK;
	stream(arq, arq->body + HEAD, size - HEAD, deliver, context);
}

void arq_receive(struct arq *arq, const uint8_t *data, size_t size, uint64_t now, arq_sink *deliver,
		 void *context)
{
	for (; size--; data++) {
		uint8_t byte = *data;

		if (byte == RS) {
			if (arq->inside && arq->size)
				complain(arq); /* one that was cut off */
			arq->inside = true;
			arq->escaped = arq->bad = false;
			arq->size = 0;
		} else if (!arq->inside) {
			continue;
		} else if (byte == US) {
			arq->inside = false;
			packet(arq, now, deliver, context);
		} else if (byte == DLE && !arq->escaped) {
			arq->escaped = true;
		} else if (is_stuffed(byte) || arq->size == sizeof(arq->body)) {
			arq->bad = true;
		} else {
			arq->body[arq->size++] = arq->escaped ? byte ^ FLIP : byte;
			arq->escaped = false;
		}
	}
}

static void emit(struct arq *arq, uint8_t kind, uint32_t sequence, const uint8_t *data, size_t size,
		 arq_sink *put, void *context)
{
	uint8_t body[ARQ_BODY] = { kind, arq->session }, out[ARQ_STUFFED];
	uint16_t numbers[2] = { (uint16_t)sequence, (uint16_t)arq->expected };
	uint32_t crc;
	size_t n = 0;

	memcpy(body + 2, numbers, sizeof(numbers));
	memcpy(body + HEAD, data, size);
	size += HEAD;
	crc = crc32(body, size);
	memcpy(body + size, &crc, CRC);
	size += CRC;
	out[n++] = RS;
	for (size_t i = 0; i < size; i++) {
		bool stuffed = is_stuffed(body[i]);

		if (stuffed)
			out[n++] = DLE;
		out[n++] = stuffed ? body[i] ^ FLIP : body[i];
	}
	out[n++] = US;
	put(context, out, n);
}

void arq_output(struct arq *arq, uint64_t now, arq_sink *put, void *context)
{
	bool spoke = false;

	if (arq->next > arq->base && now - arq->sent_at > arq->patience_ms)
		go_back(arq, now);
	for (; arq->next < arq->end && arq->next - arq->base < ARQ_WINDOW; arq->next++) {
		typeof(&arq->queue[0]) slot = &arq->queue[arq->next % ARQ_QUEUE];

		emit(arq, slot->kind, arq->next, slot->data, slot->size, put, context);
		arq->sent_at = now;
		if (arq->owed == ARQ_ACK)
			arq->owed = 0;
		spoke = true;
	}
	if (now - arq->spoke_at > ARQ_KEEPALIVE_MS && !spoke && !arq->owed)
		arq->owed = ARQ_ACK;
	if (arq->owed) {
		emit(arq, arq->owed, arq->next, (const uint8_t *)"", 0, put, context);
		arq->owed = 0;
		spoke = true;
	}
	if (spoke)
		arq->spoke_at = now;
}
