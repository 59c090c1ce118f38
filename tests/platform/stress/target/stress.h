/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stress MODE [key=value ...]: load on a GICv5 host that counts its interrupts.  Each mode prints
 * lines "MODE key=value ..."; whoever started it judges the numbers.  Exit status 1: stuck.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MAX_CPUS      8
#define STUCK_SECONDS 60 /* an emulator on a busy machine was seen to take 20 */

/* main.c */
uint64_t option(const char *key, uint64_t absent);
uint64_t now_us(void);
uint64_t random_next(uint64_t *state);
void pin(unsigned int cpu);
unsigned int online_cpus(void);
bool write_file(const char *path, const char *text);
/* Sum over the CPUs of the lines of /proc/interrupts that contain @what; "" is all of them. */
uint64_t interrupts(const char *what, uint64_t per_cpu[MAX_CPUS]);
void fail(const char *what) __attribute__((noreturn)); /* with errno */

int vm_main(void);
int ipi_main(void);
int ring_main(void);
int spi_main(void);
int affinity_main(void);
int gpio_main(void);
int cpus_main(void);
