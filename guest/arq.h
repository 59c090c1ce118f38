/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A reliable byte stream over a serial line that loses bytes and carries kernel messages, too.
 * harness/targets/arq.py is the other side, and says what the packets are.  No I/O here.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "deflate.h"

#define ARQ_PAYLOAD 224
#define ARQ_WINDOW  16
#define ARQ_BODY    (6 + ARQ_PAYLOAD + 4)
#define ARQ_STUFFED (2 * ARQ_BODY + 2)
#define ARQ_QUEUE   128 /* payloads that wait; a chunk of the stream takes 21 at most */

#define ARQ_KEEPALIVE_MS 2000
#define ARQ_AGAIN_MS	 50

enum arq_kind { ARQ_DATA = 1, ARQ_ACK, ARQ_NAK, ARQ_FIN, ARQ_KILL };

struct arq {
	uint8_t session;
	uint32_t patience_ms;
	bool killed, broken;
	uint64_t heard; /* when a good packet came last, ms */
	/* sending: numbers from base to next are under way, to end are queued */
	struct {
		uint8_t kind, size, data[ARQ_PAYLOAD];
	} queue[ARQ_QUEUE];
	uint32_t base, next, end;
	uint64_t sent_at, went_back, spoke_at;
	/* receiving */
	uint32_t expected, nak_for;
	uint8_t owed;
	bool inside, escaped, bad;
	size_t size;
	uint8_t body[ARQ_BODY];
	size_t chunk_size;
	uint8_t chunk[2 + DEFLATE_BOUND + ARQ_PAYLOAD];
	struct deflate deflate;
	struct inflate inflate;
};

void arq_init(struct arq *arq, uint8_t session, uint32_t patience_ms, uint64_t now);

/* Whether another chunk can be queued. */
bool arq_room(const struct arq *arq);

/* Queue at most DEFLATE_CHUNK bytes, or the end of the stream. */
void arq_send(struct arq *arq, const uint8_t *data, size_t size);
void arq_finish(struct arq *arq);

/* All that was queued has arrived. */
bool arq_idle(const struct arq *arq);

typedef void arq_sink(void *context, const uint8_t *data, size_t size);

/* What came on the line; ``deliver`` gets the bytes of the stream. */
void arq_receive(struct arq *arq, const uint8_t *data, size_t size, uint64_t now, arq_sink *deliver,
		 void *context);

/* ``put`` gets what must be written to the line now. */
void arq_output(struct arq *arq, uint64_t now, arq_sink *put, void *context);
