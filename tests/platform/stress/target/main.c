// SPDX-License-Identifier: GPL-2.0-or-later
#include "stress.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char **options;

uint64_t option(const char *key, uint64_t absent)
{
	size_t n = strlen(key);

	for (char **o = options; *o; o++)
		if (!strncmp(*o, key, n) && (*o)[n] == '=')
			return strtoull(*o + n + 1, NULL, 0);
	return absent;
}

uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

uint64_t random_next(uint64_t *state) /* xorshift64 */
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

void fail(const char *what)
{
	fprintf(stderr, "stress: %s: %s\n", what, strerror(errno));
	exit(2);
}

void pin(unsigned int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		fail("sched_setaffinity");
}

unsigned int online_cpus(void)
{
	return (unsigned int)sysconf(_SC_NPROCESSORS_ONLN);
}

bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool done = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return done;
}

uint64_t interrupts(const char *what, uint64_t per_cpu[MAX_CPUS])
{
	FILE *file = fopen("/proc/interrupts", "r");
	unsigned int cpus = online_cpus();
	char line[512];
	uint64_t sum = 0;

	if (!file)
		fail("/proc/interrupts");
	memset(per_cpu, 0, MAX_CPUS * sizeof(*per_cpu));
	while (fgets(line, sizeof(line), file)) {
		char *at = strchr(line, ':'), *end;

		if (!at || !strstr(line, what) || strstr(line, "Err:"))
			continue;
		at++;
		for (unsigned int cpu = 0; cpu < cpus; cpu++, at = end) {
			uint64_t n = strtoull(at, &end, 10);

			if (end == at)
				break;
			per_cpu[cpu] += n;
			sum += n;
		}
	}
	fclose(file);
	return sum;
}

/* SPIs that no handler of their device wanted. */
static uint64_t unhandled(void)
{
	FILE *all = fopen("/proc/interrupts", "r");
	uint64_t sum = 0;
	char line[512];

	while (all && fgets(line, sizeof(line), all)) {
		unsigned long long n;
		char path[64];
		FILE *file;

		if (!strstr(line, "GICv5-SPI"))
			continue;
		snprintf(path, sizeof(path), "/proc/irq/%d/spurious", atoi(line));
		file = fopen(path, "r");
		if (file && fscanf(file, "count %*u unhandled %llu", &n) == 1)
			sum += n;
		if (file)
			fclose(file);
	}
	if (all)
		fclose(all);
	return sum;
}

static int interrupts_main(void)
{
	uint64_t per_cpu[MAX_CPUS];
	char text[4096];
	int fd = open("/proc/interrupts", O_RDONLY);
	ssize_t n;

	printf("interrupts total=%llu unhandled=%llu\n",
	       (unsigned long long)interrupts("", per_cpu), (unsigned long long)unhandled());
	fflush(stdout);
	while ((n = read(fd, text, sizeof(text))) > 0)
		fwrite(text, 1, (size_t)n, stdout);
	return 0;
}

static int reboot_main(void)
{
	reboot(RB_AUTOBOOT);
	return 2;
}

static int uptime_main(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	printf("uptime ms=%llu cpus=%u\n",
	       (unsigned long long)t.tv_sec * 1000 + (unsigned long long)t.tv_nsec / 1000000,
	       online_cpus());
	return 0;
}

static const struct mode {
	const char *name;
	int (*run)(void);
} modes[] = {
	{ "vm", vm_main },
	{ "ipi", ipi_main },
	{ "ring", ring_main },
	{ "spi", spi_main },
	{ "affinity", affinity_main },
	{ "gpio", gpio_main },
	{ "cpus", cpus_main },
	{ "reboot", reboot_main },
	{ "uptime", uptime_main },
	{ "interrupts", interrupts_main },
};

static const struct mode *find_mode(const char *name)
{
	for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++)
		if (!strcmp(modes[i].name, name))
			return &modes[i];
	fprintf(stderr, "stress: no mode '%s'\n", name);
	exit(2);
}

/* "vm,ring,spi": all at once, each in a process of its own. */
int main(int argc, char **argv)
{
	int status, worst = 0;

	if (argc < 2) {
		fprintf(stderr, "usage: %s MODE[,MODE ...] [key=value ...]\n", argv[0]);
		return 2;
	}
	options = argv + 2;
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (char *name = strtok(argv[1], ","); name; name = strtok(NULL, ",")) {
		const struct mode *mode = find_mode(name);

		if (fork() == 0)
			exit(mode->run());
	}
	while (wait(&status) > 0) {
		int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);

		worst = code > worst ? code : worst;
	}
	return worst;
}
