/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Raw deflate (RFC 1951), with fixed Huffman codes or stored: what a serial line needs of it.  A
 * stream is made of chunks that each end on a byte boundary and share one window.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define DEFLATE_WINDOW 32768
#define DEFLATE_CHUNK  4096 /* bytes, uncompressed */
/* A literal takes 9 bits at most; then the end of the block and an empty stored one. */
#define DEFLATE_BOUND (DEFLATE_CHUNK * 9 / 8 + 16)

#define DEFLATE_HASH 4096

struct deflate {
	uint8_t data[DEFLATE_WINDOW + DEFLATE_CHUNK]; /* the window, then the chunk */
	size_t used;
	uint32_t start;		     /* what data[0]'s position in the stream is */
	uint32_t last[DEFLATE_HASH]; /* 1 + position of the last occurrence of three bytes, or 0 */
	uint32_t before[DEFLATE_WINDOW]; /* 1 + position of the occurrence before that, or 0 */
};

/* Compress at most DEFLATE_CHUNK bytes; returns the size of what is in ``out``. */
size_t deflate_chunk(struct deflate *state, const uint8_t *in, size_t size,
		     uint8_t out[DEFLATE_BOUND]);

struct inflate {
	uint8_t data[DEFLATE_WINDOW + DEFLATE_CHUNK];
	size_t used;
};

/* Decompress one chunk.  ``out`` stays valid until the next call.  The size, or -1: damaged. */
int inflate_chunk(struct inflate *state, const uint8_t *in, size_t size, const uint8_t **out);
