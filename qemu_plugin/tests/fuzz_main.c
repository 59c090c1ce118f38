// SPDX-License-Identifier: GPL-2.0-or-later
/* Replays a fuzzer's corpus without the fuzzer: fuzz-replay FILE... */
#include <stdio.h>
#include <stdlib.h>

#include "types.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

int main(int argc, char **argv)
{
	static u8 data[1 << 16];

	if (argc < 2) {
		fprintf(stderr, "usage: %s FILE...\n", argv[0]);
		return 2;
	}
	for (int i = 1; i < argc; i++) {
		FILE *f = fopen(argv[i], "rb");
		size_t size;

		if (!f) {
			perror(argv[i]);
			return 2;
		}
		size = fread(data, 1, sizeof(data), f);
		fclose(f);
		printf("\r%s", argv[i]); /* the last one seen, if it aborts */
		fflush(stdout);
		LLVMFuzzerTestOneInput(data, size);
	}
	printf("\rgicv5: %d inputs of the corpus replayed\n", argc - 1);
	return 0;
}
