// SPDX-License-Identifier: GPL-2.0-or-later
/* Replays a fuzzer's corpus without the fuzzer: fuzz-replay FILE... */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "types.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

static const char *current;

static void on_abort(int sig)
{
	fprintf(stderr, "gicv5: input %s\n", current);
	_Exit(128 + sig);
}

int main(int argc, char **argv)
{
	static u8 data[1 << 16];

	if (argc < 2) {
		fprintf(stderr, "usage: %s FILE...\n", argv[0]);
		return 2;
	}
	signal(SIGABRT, on_abort);
	for (int i = 1; i < argc; i++) {
		FILE *f = fopen(argv[i], "rb");
		size_t size;

		if (!f) {
			perror(argv[i]);
			return 2;
		}
		size = fread(data, 1, sizeof(data), f);
		fclose(f);
		current = argv[i];
		LLVMFuzzerTestOneInput(data, size);
	}
	printf("gicv5: %d inputs of the corpus replayed\n", argc - 1);
	return 0;
}
