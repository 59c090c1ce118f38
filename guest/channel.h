/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The byte stream to the harness, and the frames on it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire.h"

#define REASON_SIZE 128

struct channel {
	int in, out;
	bool wait_for_peer;  /* reading 0 bytes means: nobody has connected yet */
	bool lost;	     /* what precedes the next frame was reported already */
	size_t used, parsed; /* bytes in the receive buffer, and of the frame handed out last */
	size_t unsent;
	char reason[REASON_SIZE];
};

enum reception { RECEIVED, MALFORMED, CLOSED };

/*
 * Open the channel of a host that was booted for us: the path on the kernel command line
 * (gicv5.channel=), or the virtio port named "gicv5".  0 or a negative errno.
 */
int channel_open(struct channel *channel);

/* The same over file descriptors that are open already. */
void channel_init(struct channel *channel, int in, int out, bool wait_for_peer);

/*
 * Wait for a frame.  The payload stays valid until the next call.  MALFORMED: ``reason`` says why,
 * head->sequence is the frame's if it was readable; the stream goes on at the next magic number.
 */
enum reception channel_receive(struct channel *channel, struct wire_frame *head,
			       const uint8_t **payload);

/*
 * Send one frame whose payload is in two parts.  It leaves with the next channel_flush(), or when
 * channel_receive() has to wait: each write costs as much as several ioctls.  0 or a negative errno.
 */
int channel_send(struct channel *channel, unsigned int type, uint32_t sequence, const void *head,
		 size_t head_size, const void *body, size_t body_size);
int channel_flush(struct channel *channel);

/* The CRC-32 of a frame: that of zlib. */
uint32_t crc32(const uint8_t *data, size_t size);
