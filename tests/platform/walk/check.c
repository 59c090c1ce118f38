// SPDX-License-Identifier: GPL-2.0-or-later
/* The console (PL011), checks, memory, and the end. */
#include <stdarg.h>

#include "walk.h"

#define UART ((volatile u32 *)0x09000000ull)

#define PSCI_SYSTEM_OFF 0x84000008

#define SYS_GET_CMDLINE 0x15

u64 smc(u64 function, u64 a, u64 b, u64 c);
u64 semihosting(u64 operation, void *argument);
void *memset(void *to, int byte, size_t size);
void *memcpy(void *to, const void *from, size_t size);
void __attribute__((noreturn)) unforeseen_exception(u64 vector, u64 esr, u64 elr, u64 far);

static const char *current;
static u32 checks, failures;

static void put(char c)
{
	*UART = (unsigned char)c;
}

static void put_string(const char *s)
{
	while (*s)
		put(*s++);
}

static void put_number(u64 val, u32 base)
{
	char digits[20];
	u32 n = 0;

	do {
		digits[n++] = "0123456789abcdef"[val % base];
		val /= base;
	} while (val);
	while (n)
		put(digits[--n]);
}

/* %s, %u, %x and their l forms */
static void format_list(const char *format, va_list args)
{
	for (; *format; format++) {
		bool is_long;
		u64 val;

		if (*format != '%') {
			put(*format);
			continue;
		}
		is_long = *++format == 'l';
		format += is_long;
		if (*format == 's') {
			put_string(va_arg(args, const char *));
			continue;
		}
		val = is_long ? va_arg(args, u64) : va_arg(args, u32);
		put_number(val, *format == 'x' ? 16 : 10);
	}
}

void say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	format_list(format, args);
	va_end(args);
	put('\n');
}

void chapter(const char *name)
{
	current = name;
	say("# %s", name);
}

void check(u64 got, u64 want, const char *name, ...)
{
	va_list args;

	checks++;
	put_string(got == want ? "ok " : "FAIL ");
	put_string(current);
	put_string(": ");
	va_start(args, name);
	format_list(name, args);
	va_end(args);
	if (got != want) {
		failures++;
		put_string(": got 0x");
		put_number(got, 16);
		put_string(" want 0x");
		put_number(want, 16);
	}
	put('\n');
}

void power_off(void)
{
	say("# end: %u checks, %u failed, %u doorbells", checks, failures, host_doorbells);
	smc(PSCI_SYSTEM_OFF, 0, 0, 0);
	for (;;)
		;
}

void give_up(const char *why, u64 a, u64 b, u64 c)
{
	say("GAVE UP %s: 0x%lx 0x%lx 0x%lx", why, a, b, c);
	smc(PSCI_SYSTEM_OFF, 0, 0, 0);
	for (;;)
		;
}

void unforeseen_exception(u64 vector, u64 esr, u64 elr, u64 far)
{
	say("# exception at vector %lu", vector);
	give_up("ESR_EL2, ELR_EL2, FAR_EL2", esr, elr, far);
}

/* The command line is words with blanks between them. */
bool asked_for(const char *word)
{
	static char line[256];
	struct {
		char *buffer;
		u64 size;
	} argument = { line, sizeof(line) };

	if (!line[0] && semihosting(SYS_GET_CMDLINE, &argument))
		give_up("SYS_GET_CMDLINE failed", 0, 0, 0);
	for (const char *p = line; *p; p++) {
		const char *w = word;

		if (p != line && p[-1] != ' ')
			continue;
		while (*w && *p == *w)
			p++, w++;
		if (!*w && (!*p || *p == ' '))
			return true;
		if (!*p)
			break;
	}
	return false;
}

#define HEAP	  0x41000000ull
#define HEAP_SIZE 0x04000000ull

static u64 heap_end = HEAP;

/* RAM starts as zero, and nobody frees anything. */
void *alloc(u64 size, u64 align)
{
	u64 at = (heap_end + align - 1) & ~(align - 1);

	heap_end = at + size;
	if (heap_end > HEAP + HEAP_SIZE)
		give_up("out of memory", size, align, at);
	return (void *)at;
}

u32 memory_changed(void)
{
	volatile u64 *now = (u64 *)HEAP, *then = (u64 *)(HEAP + HEAP_SIZE);
	u32 words = 0;

	for (u64 i = 0; i < (heap_end - HEAP + 7) / 8; i++) {
		words += now[i] != then[i];
		then[i] = now[i];
	}
	return words;
}

/* The compiler may make calls of these. */
void *memset(void *to, int byte, size_t size)
{
	for (char *p = to; size--; p++)
		*p = (char)byte;
	return to;
}

void *memcpy(void *to, const void *from, size_t size)
{
	const char *q = from;

	for (char *p = to; size--;)
		*p++ = *q++;
	return to;
}
