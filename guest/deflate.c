// SPDX-License-Identifier: GPL-2.0-or-later
#include "deflate.h"

#include <stdbool.h>
#include <string.h>

#define MATCH_MIN   3
#define MATCH_MAX   258
#define PROBES	    32
#define END	    256
#define DISTANCES   30
#define LENGTHS	    29
#define MAX_STORED  0xffff
#define FIXED_LIMIT 286

/* Lengths from 257 on and distances: the smallest of each code, and its extra bits. */
static const uint16_t length_base[LENGTHS] = { 3,  4,  5,  6,	7,   8,	  9,   10,  11, 13,
					       15, 17, 19, 23,	27,  31,  35,  43,  51, 59,
					       67, 83, 99, 115, 131, 163, 195, 227, 258 };
static const uint8_t length_extra[LENGTHS] = { 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2,
					       2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0 };
static const uint16_t distance_base[DISTANCES] = { 1,	 2,    3,    4,	    5,	   7,	 9,    13,
						   17,	 25,   33,   49,    65,	   97,	 129,  193,
						   257,	 385,  513,  769,   1025,  1537, 2049, 3073,
						   4097, 6145, 8193, 12289, 16385, 24577 };

static unsigned int distance_extra(unsigned int code)
{
	return code < 4 ? 0 : code / 2 - 1;
}

/* Make room for a chunk: what is further back than the window goes. */
static size_t slide(uint8_t *data, size_t *used)
{
	size_t gone = *used > DEFLATE_WINDOW ? *used - DEFLATE_WINDOW : 0;

	memmove(data, data + gone, *used - gone);
	*used -= gone;
	return gone;
}

struct bits {
	uint8_t *out;
	size_t size;
	uint32_t held;
	unsigned int count;
};

static void put(struct bits *bits, uint32_t value, unsigned int count)
{
	bits->held |= value << bits->count;
	for (bits->count += count; bits->count >= 8; bits->count -= 8) {
		bits->out[bits->size++] = (uint8_t)bits->held;
		bits->held >>= 8;
	}
}

/* Huffman codes go out with their first bit first. */
static void put_code(struct bits *bits, uint32_t code, unsigned int count)
{
	uint32_t turned = 0;

	for (unsigned int i = 0; i < count; i++)
		turned |= (code >> i & 1) << (count - 1 - i);
	put(bits, turned, count);
}

static void put_symbol(struct bits *bits, unsigned int symbol)
{
	if (symbol < 144)
		put_code(bits, 0x30 + symbol, 8);
	else if (symbol < 256)
		put_code(bits, 0x190 + symbol - 144, 9);
	else if (symbol < 280)
		put_code(bits, symbol - 256, 7);
	else
		put_code(bits, 0xc0 + symbol - 280, 8);
}

static void put_match(struct bits *bits, unsigned int length, unsigned int distance)
{
	unsigned int code = LENGTHS - 1;

	while (length < length_base[code])
		code--;
	put_symbol(bits, 257 + code);
	put(bits, length - length_base[code], length_extra[code]);
	code = DISTANCES - 1;
	while (distance < distance_base[code])
		code--;
	put_code(bits, code, 5);
	put(bits, distance - distance_base[code], distance_extra(code));
}

static unsigned int hash(const uint8_t *at)
{
	uint32_t word = (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16;

	return word * 0x9e3779b1u >> 20;
}

/* Note that three bytes stand here; returns where they stood before: 1 + position, or 0. */
static uint32_t note(struct deflate *state, size_t at)
{
	uint32_t *last = &state->last[hash(state->data + at)];
	uint32_t position = state->start + (uint32_t)at, before = *last;

	state->before[position % DEFLATE_WINDOW] = before;
	*last = position + 1;
	return before;
}

static size_t longest(const struct deflate *state, size_t at, uint32_t candidate, size_t *distance)
{
	size_t limit = state->used - at < MATCH_MAX ? state->used - at : MATCH_MAX, best = 0;

	for (int probe = 0; probe < PROBES && candidate > state->start; probe++) {
		size_t from = candidate - 1 - state->start, length = 0;

		if (from >= at || at - from >= DEFLATE_WINDOW)
			break;
		while (length < limit && state->data[from + length] == state->data[at + length])
			length++;
		if (length > best) {
			best = length;
			*distance = at - from;
		}
		candidate = state->before[(candidate - 1) % DEFLATE_WINDOW];
	}
	return best;
}

size_t deflate_chunk(struct deflate *state, const uint8_t *in, size_t size,
		     uint8_t out[DEFLATE_BOUND])
{
	struct bits bits = { .out = out };
	size_t at;

	state->start += (uint32_t)slide(state->data, &state->used);
	at = state->used;
	memcpy(state->data + at, in, size);
	state->used += size;

	put(&bits, 0, 1); /* not the last block */
	put(&bits, 1, 2); /* fixed codes */
	while (at < state->used) {
		size_t distance = 0, length = 0;

		if (state->used - at >= MATCH_MIN)
			length = longest(state, at, note(state, at), &distance);
		if (length < MATCH_MIN) {
			put_symbol(&bits, state->data[at++]);
			continue;
		}
		put_match(&bits, (unsigned int)length, (unsigned int)distance);
		for (at++; --length; at++)
			if (state->used - at >= MATCH_MIN)
				note(state, at);
	}
	put_symbol(&bits, END);
	put(&bits, 0, 3); /* a stored block, which begins on a byte: of no bytes */
	put(&bits, 0, (8 - bits.count) % 8);
	memcpy(out + bits.size, "\0\0\xff\xff", 4);
	return bits.size + 4;
}

struct reader {
	const uint8_t *in;
	size_t size, bit;
	bool damaged;
};

static uint32_t get(struct reader *reader, unsigned int count)
{
	uint32_t value = 0;

	if (reader->bit + count > reader->size * 8) {
		reader->damaged = true;
		return 0;
	}
	for (unsigned int i = 0; i < count; i++, reader->bit++)
		value |= (uint32_t)(reader->in[reader->bit / 8] >> reader->bit % 8 & 1) << i;
	return value;
}

static uint32_t get_code(struct reader *reader, unsigned int count)
{
	uint32_t value = 0;

	while (count--)
		value = value << 1 | get(reader, 1);
	return value;
}

static unsigned int get_symbol(struct reader *reader)
{
	uint32_t code = get_code(reader, 7);

	if (code < 0x18)
		return 256 + code;
	code = code << 1 | get(reader, 1);
	if (code < 0xc0)
		return code - 0x30;
	if (code < 0xc8)
		return 280 + code - 0xc0;
	return 144 + (code << 1 | get(reader, 1)) - 0x190;
}

static bool stored(struct inflate *state, struct reader *reader, size_t limit)
{
	size_t size;

	reader->bit = (reader->bit + 7) / 8 * 8;
	size = get(reader, 16);
	if (reader->damaged || get(reader, 16) != (size ^ MAX_STORED) ||
	    reader->bit / 8 + size > reader->size || state->used + size > limit)
		return false;
	memcpy(state->data + state->used, reader->in + reader->bit / 8, size);
	state->used += size;
	reader->bit += size * 8;
	return true;
}

static bool fixed(struct inflate *state, struct reader *reader, size_t limit)
{
	for (;;) {
		unsigned int symbol = get_symbol(reader), code;
		size_t length, distance;

		if (reader->damaged || symbol >= FIXED_LIMIT)
			return false;
		if (symbol == END)
			return true;
		if (symbol < END) {
			if (state->used == limit)
				return false;
			state->data[state->used++] = (uint8_t)symbol;
			continue;
		}
		code = symbol - 257;
		length = length_base[code] + get(reader, length_extra[code]);
		code = get_code(reader, 5);
		if (code >= DISTANCES)
			return false;
		distance = distance_base[code] + get(reader, distance_extra(code));
		if (reader->damaged || distance > state->used || state->used + length > limit)
			return false;
		for (; length--; state->used++)
			state->data[state->used] = state->data[state->used - distance];
	}
}

int inflate_chunk(struct inflate *state, const uint8_t *in, size_t size, const uint8_t **out)
{
	struct reader reader = { .in = in, .size = size };
	size_t from;

	slide(state->data, &state->used);
	from = state->used;
	*out = state->data + from;
	while (reader.bit < size * 8) {
		unsigned int type;

		get(&reader, 1);
		type = get(&reader, 2);
		if (type == 0 ? !stored(state, &reader, sizeof(state->data)) :
		    type == 1 ? !fixed(state, &reader, sizeof(state->data)) :
				true)
			return -1;
	}
	return reader.damaged ? -1 : (int)(state->used - from);
}
