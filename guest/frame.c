// SPDX-License-Identifier: GPL-2.0-or-later
/* Frames on the channel: sending, receiving, and finding the next one after a loss. */
#include <arm_acle.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "channel.h"
#include "clock.h"

#define FRAME_MAX (sizeof(struct wire_frame) + WIRE_MAX_PAYLOAD)

/* A frame that stops arriving for this long was cut off (a serial line may lose bytes). */
#define CUT_OFF_MS 2000

static uint8_t rx[FRAME_MAX], tx[FRAME_MAX];
static const uint32_t magic = WIRE_MAGIC;

/* The CRC of zlib and of IEEE 802.3; every CPU since Armv8.1 has it as instructions. */
__attribute__((target("+crc"))) uint32_t crc32(const uint8_t *data, size_t size)
{
	uint32_t crc = ~0u;

	for (; size >= sizeof(uint64_t); size -= sizeof(uint64_t), data += sizeof(uint64_t)) {
		uint64_t word;

		memcpy(&word, data, sizeof(word));
		crc = __crc32d(crc, word);
	}
	while (size--)
		crc = __crc32b(crc, *data++);
	return ~crc;
}

int channel_send(struct channel *channel, unsigned int type, uint32_t sequence, const void *head,
		 size_t head_size, const void *body, size_t body_size)
{
	struct wire_frame frame = {
		.magic = WIRE_MAGIC,
		.type = (uint16_t)type,
		.sequence = sequence,
		.length = (uint32_t)(head_size + body_size),
	};
	uint8_t *payload;
	int error = 0;

	if (head_size + body_size > WIRE_MAX_PAYLOAD)
		return -EMSGSIZE;
	if (sizeof(tx) - channel->unsent < sizeof(frame) + frame.length)
		error = channel_flush(channel);
	if (error)
		return error;
	payload = tx + channel->unsent + sizeof(frame);
	if (head_size)
		memcpy(payload, head, head_size);
	if (body_size)
		memcpy(payload + head_size, body, body_size);
	frame.crc = crc32(payload, frame.length);
	memcpy(tx + channel->unsent, &frame, sizeof(frame));
	channel->unsent += sizeof(frame) + frame.length;
	return 0;
}

int channel_flush(struct channel *channel)
{
	size_t done = 0;

	while (done < channel->unsent) {
		ssize_t n = write(channel->out, tx + done, channel->unsent - done);

		if (n > 0)
			done += (size_t)n;
		else if (n < 0 && errno != EINTR && errno != EAGAIN)
			return -errno;
	}
	channel->unsent = 0;
	return 0;
}

static void drop(struct channel *channel, size_t size)
{
	channel->used -= size;
	memmove(rx, rx + size, channel->used);
}

/* Where the magic number, or a beginning of it at the end of the data, is; ``used`` if nowhere. */
static size_t find_magic(const struct channel *channel, size_t from)
{
	for (; from < channel->used; from++) {
		size_t rest = channel->used - from;

		if (!memcmp(rx + from, &magic, rest < sizeof(magic) ? rest : sizeof(magic)))
			break;
	}
	return from;
}

/* More bytes.  1 if some came, 0 if the frame under way was cut off, -1 if the stream ended. */
static int fill(struct channel *channel)
{
	struct pollfd pollfd = { .fd = channel->in, .events = POLLIN };
	bool wait = channel->used;

	if (channel->unsent && poll(&pollfd, 1, 0) == 0 && channel_flush(channel))
		return -1;
	for (;;) {
		ssize_t n;

		if (wait && poll(&pollfd, 1, channel->used ? CUT_OFF_MS : -1) == 0)
			return 0;
		n = read(channel->in, rx + channel->used, sizeof(rx) - channel->used);
		if (n > 0) {
			channel->used += (size_t)n;
			return 1;
		}
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return -1;
		if (n == 0 && !channel->wait_for_peer)
			return -1;
		if (n == 0)
			sleep_ms(2);
		else
			wait = true;
	}
}

static enum reception malformed(struct channel *channel, const char *what, uint32_t have,
				uint32_t want)
{
	int n = snprintf(channel->reason, sizeof(channel->reason), "%s", what);

	snprintf(channel->reason + n, sizeof(channel->reason) - (size_t)n, " (%#x, %#x)", have,
		 want);
	channel->lost = true;
	return MALFORMED;
}

enum reception channel_receive(struct channel *channel, struct wire_frame *head,
			       const uint8_t **payload)
{
	drop(channel, channel->parsed);
	channel->parsed = 0;

	for (;;) {
		size_t garbage = find_magic(channel, 0);
		int filled;

		if (garbage) {
			bool reported = channel->lost;

			drop(channel, garbage);
			channel->lost = true;
			if (!reported) {
				head->sequence = 0;
				return malformed(channel, "no frame: bytes, magic expected",
						 (uint32_t)garbage, magic);
			}
		}
		if (channel->used >= sizeof(*head)) {
			size_t size;

			memcpy(head, rx, sizeof(*head));
			if (head->zero || head->length > WIRE_MAX_PAYLOAD) {
				drop(channel, sizeof(magic));
				return malformed(channel, "bad frame head: zero, length",
						 head->zero, head->length);
			}
			size = sizeof(*head) + head->length;
			if (channel->used >= size) {
				uint32_t crc = crc32(rx + sizeof(*head), head->length);

				channel->lost = false;
				if (crc == head->crc) {
					channel->parsed = size;
					*payload = rx + sizeof(*head);
					return RECEIVED;
				}
				garbage = find_magic(channel, 1);
				drop(channel, garbage < size ? garbage : size);
				return malformed(channel, "bad frame: its CRC, that announced", crc,
						 head->crc);
			}
		}
		filled = fill(channel);
		if (filled < 0)
			return CLOSED;
		if (filled == 0) {
			uint32_t arrived = (uint32_t)channel->used;

			if (arrived < sizeof(*head))
				memset(head, 0, sizeof(*head));
			drop(channel, 1);
			return malformed(channel, "cut off: bytes, announced", arrived,
					 head->length);
		}
	}
}
