// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * spi: an echo on the virtio port "echo" (an edge) and on the console (PL011, a level), while the
 * interrupts of all devices are moved from CPU to CPU (but with move=0).  Ends when both have been
 * told to stop.
 *
 * affinity: all device interrupts to the CPUs in ``mask``.
 *
 * gpio: the edges of GPIO line 3, which QEMU's power button (QMP: system_powerdown) pulls.
 *   presses      of the button, each a rising and a falling edge
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/gpio.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "stress.h"

#define PORTS	    "/sys/class/virtio-ports"
#define BUTTON_LINE 3
#define STOP	    UINT64_MAX

/* The interrupts that could be moved to the CPUs in @mask; PPIs cannot. */
static unsigned int move_all(const char *mask, int irqs[16])
{
	DIR *all = opendir("/proc/irq");
	struct dirent *entry;
	unsigned int n = 0;

	while (all && (entry = readdir(all)) && n < 16) {
		char path[300];
		int irq = atoi(entry->d_name);

		snprintf(path, sizeof(path), "/proc/irq/%d/smp_affinity", irq);
		if (irq > 0 && write_file(path, mask))
			irqs[n++] = irq;
	}
	if (all)
		closedir(all);
	return n;
}

static volatile unsigned int running;

static int open_port(const char *wanted)
{
	DIR *ports = opendir(PORTS);
	struct dirent *entry;

	while (ports && (entry = readdir(ports))) {
		char path[300], name[32] = "";
		int fd;

		snprintf(path, sizeof(path), PORTS "/%s/name", entry->d_name);
		fd = open(path, O_RDONLY);
		if (fd < 0)
			continue;
		if (read(fd, name, sizeof(name) - 1) > 0)
			name[strcspn(name, "\n")] = '\0';
		close(fd);
		if (strcmp(name, wanted))
			continue;
		snprintf(path, sizeof(path), "/dev/%s", entry->d_name);
		closedir(ports);
		return open(path, O_RDWR);
	}
	errno = ENOENT;
	return -1;
}

/* Each message comes after the answer to the one before; poll() sleeps until an interrupt. */
static void *echo(void *arg)
{
	uint64_t *count = arg, message = 0;
	int fd = open_port("echo");

	if (fd < 0)
		fail("no virtio port 'echo'");
	while (message != STOP) {
		struct pollfd ready = { .fd = fd, .events = POLLIN };

		if (poll(&ready, 1, -1) < 1 || !(ready.revents & POLLIN) ||
		    read(fd, &message, sizeof(message)) != sizeof(message))
			continue;
		++*count;
		if (write(fd, &message, sizeof(message)) != sizeof(message))
			fail("write to the port");
	}
	close(fd);
	running--;
	return NULL;
}

/*
 * The same in lines on the console, which is a level interrupt: at least one for each.  "mask X"
 * moves all device interrupts to the CPUs in X before it is answered.
 */
static void *uart(void *arg)
{
	struct termios saved, raw;
	uint64_t *count = arg;
	char line[64], answer[80];
	int irqs[16];
	size_t used = 0;
	int fd = open("/dev/ttyAMA0", O_RDWR | O_NOCTTY);

	if (fd < 0 || tcgetattr(fd, &saved))
		fail("/dev/ttyAMA0");
	raw = saved;
	cfmakeraw(&raw);
	tcsetattr(fd, TCSAFLUSH, &raw);
	dprintf(fd, "stress ready\n");
	do {
		ssize_t n = read(fd, line + used, sizeof(line) - 1 - used);

		if (n < 0)
			fail("read of the console");
		used += (size_t)n;
		line[used] = '\0';
		if (!strchr(line, '\n') && used < sizeof(line) - 1)
			continue;
		++*count;
		if (!strncmp(line, "mask ", 5)) {
			line[strcspn(line, "\n")] = '\0';
			move_all(line + 5, irqs);
			strcat(line, "\n");
		}
		n = snprintf(answer, sizeof(answer), "stress %s", line);
		if (write(fd, answer, (size_t)n) != n)
			fail("write to the console");
		used = 0;
	} while (used || strcmp(line, "stop\n"));
	tcdrain(fd);
	tcsetattr(fd, TCSAFLUSH, &saved);
	close(fd);
	running--;
	return NULL;
}

int affinity_main(void)
{
	char mask[16];
	int irqs[16];

	snprintf(mask, sizeof(mask), "%x", (unsigned int)option("mask", 1));
	printf("affinity irqs=%u mask=0x%s\n", move_all(mask, irqs), mask);
	return 0;
}

int spi_main(void)
{
	uint64_t echoes = 0, lines = 0, per_cpu[MAX_CPUS], virtio, pl011, moves = 0;
	uint64_t random = option("seed", 1) + 11;
	unsigned int cpus = online_cpus(), used = 0, n;
	bool move = option("move", 1);
	pthread_t echo_thread, uart_thread;
	int irqs[16];

	n = move_all("1", irqs);
	virtio = interrupts("virtio", per_cpu);
	pl011 = interrupts("uart-pl011", per_cpu);
	running = 2;
	if (pthread_create(&echo_thread, NULL, echo, &echoes) ||
	    pthread_create(&uart_thread, NULL, uart, &lines))
		fail("pthread_create");
	while (running) {
		char path[64], mask[16];

		usleep(move ? 200 : 100000);
		if (!move || cpus < 2 || !n)
			continue;
		snprintf(path, sizeof(path), "/proc/irq/%d/smp_affinity", irqs[moves % n]);
		snprintf(mask, sizeof(mask), "%x", 1u << random_next(&random) % cpus);
		if (!write_file(path, mask))
			fail(path);
		moves++;
	}
	virtio = interrupts("virtio", per_cpu) - virtio;
	for (unsigned int cpu = 0; cpu < cpus; cpu++)
		used += per_cpu[cpu] > 0;
	pl011 = interrupts("uart-pl011", per_cpu) - pl011;
	printf("spi irqs=%u moves=%llu echoes=%llu virtio=%llu cpus=%u lines=%llu uart=%llu\n", n,
	       (unsigned long long)moves, (unsigned long long)echoes, (unsigned long long)virtio,
	       used, (unsigned long long)lines, (unsigned long long)pl011);
	return 0;
}

int gpio_main(void)
{
	uint64_t presses = option("presses", 10), events = 0, gaps = 0, before, after;
	uint64_t per_cpu[MAX_CPUS], random = option("seed", 1) + 13;
	struct gpio_v2_line_request request = {
		.offsets = { BUTTON_LINE },
		.num_lines = 1,
		.consumer = "stress",
		.config.flags = GPIO_V2_LINE_FLAG_INPUT | GPIO_V2_LINE_FLAG_EDGE_RISING |
				GPIO_V2_LINE_FLAG_EDGE_FALLING,
	};
	int chip = open("/dev/gpiochip0", O_RDWR), irqs[16];
	unsigned int cpus = online_cpus(), n;
	uint32_t last = 0;

	if (chip < 0 || ioctl(chip, GPIO_V2_GET_LINE_IOCTL, &request))
		fail("/dev/gpiochip0");
	n = move_all("1", irqs);
	before = interrupts("stress", per_cpu);
	write_file("/dev/kmsg", "stress: listens\n");
	/* The number of the first event is 1; moved on after each. */
	while (events < 2 * presses) {
		struct pollfd ready = { .fd = request.fd, .events = POLLIN };
		struct gpio_v2_line_event event;
		char path[64], mask[16];

		if (poll(&ready, 1, STUCK_SECONDS * 1000) < 1 ||
		    read(request.fd, &event, sizeof(event)) != sizeof(event))
			break;
		gaps += event.seqno != last + 1;
		last = event.seqno;
		events++;
		for (unsigned int i = 0; i < n; i++) {
			snprintf(path, sizeof(path), "/proc/irq/%d/smp_affinity", irqs[i]);
			snprintf(mask, sizeof(mask), "%x", 1u << random_next(&random) % cpus);
			write_file(path, mask);
		}
	}
	after = interrupts("stress", per_cpu);
	printf("gpio presses=%llu events=%llu gaps=%llu interrupts=%llu\n",
	       (unsigned long long)presses, (unsigned long long)events, (unsigned long long)gaps,
	       (unsigned long long)(after - before));
	return events < 2 * presses;
}
