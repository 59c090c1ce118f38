// SPDX-License-Identifier: GPL-2.0-or-later
#include "fake_qemu.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "platform.h"

#define IRS_BASE 0x080a0000ull
#define IRS_END	 0x080b0000ull

struct qemu_plugin_register {
	char name[24];
	unsigned int size;
	pthread_t owner;
	u64 val;
};

struct qemu_plugin_insn {
	u64 vaddr;
	u32 word;
	unsigned int nr;
	struct {
		void (*cb)(unsigned int cpu, void *ref);
		enum qemu_plugin_cb_flags flags;
		void *ref;
	} call[4];
};

struct qemu_plugin_tb {
	struct qemu_plugin_insn insn;
};

struct fake_vcpu {
	unsigned int index;
	enum qemu_plugin_cb_flags flags; /* of the callback that runs */
	jmp_buf redirect;
	struct qemu_plugin_register reg[NR_VCPU_REGS];
};

static pthread_mutex_t bql = PTHREAD_MUTEX_INITIALIZER;
static void (*on_vcpu_init)(unsigned int vcpu, void *);
static void (*on_translate)(struct qemu_plugin_tb *tb, void *);
static void (*on_exit_)(void *);
static __thread struct fake_vcpu *self;
static __thread bool holds_bql, holds_platform;

void fake_fail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fprintf(stderr, "fake QEMU: CPU %d: ", self ? (int)self->index : -1);
	vfprintf(stderr, fmt, ap);
	fprintf(stderr, "\n");
	va_end(ap);
	_exit(1);
}

/* ---- locks: the linker sends every pthread_mutex_lock() here (--wrap) ----------- */
int __real_pthread_mutex_lock(pthread_mutex_t *m);
int __real_pthread_mutex_unlock(pthread_mutex_t *m);
int __wrap_pthread_mutex_lock(pthread_mutex_t *m);
int __wrap_pthread_mutex_unlock(pthread_mutex_t *m);

int __wrap_pthread_mutex_lock(pthread_mutex_t *m)
{
	if (m == &platform.lock) {
		if (holds_bql)
			fake_fail("the plugin's lock is taken while QEMU's is held");
		if (holds_platform)
			fake_fail("the plugin's lock is taken twice");
		holds_platform = true;
	}
	return __real_pthread_mutex_lock(m);
}

int __wrap_pthread_mutex_unlock(pthread_mutex_t *m)
{
	if (m == &platform.lock)
		holds_platform = false;
	return __real_pthread_mutex_unlock(m);
}

void fake_bql_lock(void)
{
	if (holds_bql)
		fake_fail("QEMU's lock is taken twice");
	__real_pthread_mutex_lock(&bql);
	holds_bql = true;
}

void fake_bql_unlock(void)
{
	holds_bql = false;
	__real_pthread_mutex_unlock(&bql);
}

/* ---- GLib ------------------------------------------------------------------------ */
GByteArray *g_byte_array_new(void)
{
	return calloc(1, sizeof(GByteArray));
}

GByteArray *g_byte_array_set_size(GByteArray *array, unsigned int length)
{
	array->data = realloc(array->data, length ? length : 1);
	array->len = length;
	return array;
}

static void append(GByteArray *array, const void *from, unsigned int len)
{
	unsigned int old = array->len;

	g_byte_array_set_size(array, old + len);
	memcpy(array->data + old, from, len);
}

char *g_array_free(GArray *array, int free_segment)
{
	if (free_segment)
		free(array->data);
	free(array);
	return NULL;
}

/* ---- life cycle ------------------------------------------------------------------- */
void qemu_plugin_register_vcpu_init_cb(qemu_plugin_id_t id, void (*cb)(unsigned int, void *),
				       void *udata)
{
	(void)id;
	(void)udata;
	on_vcpu_init = cb;
}

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id,
					   void (*cb)(struct qemu_plugin_tb *, void *), void *udata)
{
	(void)id;
	(void)udata;
	on_translate = cb;
}

void qemu_plugin_register_atexit_cb(qemu_plugin_id_t id, void (*cb)(void *), void *udata)
{
	(void)id;
	(void)udata;
	on_exit_ = cb;
}

void fake_start(unsigned int nr_cpus, int argc, char **argv)
{
	qemu_info_t info = { .target_name = "aarch64", .system_emulation = true };

	info.version.min = 2;
	info.version.cur = QEMU_PLUGIN_API_VERSION;
	info.system.smp_vcpus = info.system.max_vcpus = (int)nr_cpus;
	if (qemu_plugin_install(1, &info, argc, argv))
		fake_fail("the plugin refuses to be installed");
}

void fake_exit(void)
{
	fake_bql_lock();
	on_exit_(NULL);
	fake_bql_unlock();
}

/* ---- registers ----------------------------------------------------------------------- */
static const char *const names[] = {
	"pc",	    "cpsr",	"HCR_EL2",  "ID_AA64MMFR0_EL1", "ID_AA64PFR2_EL1", "ESR_EL1",
	"ESR_EL2",  "FAR_EL1",	"FAR_EL2",  "ELR_EL1",		"ELR_EL2",	   "SPSR_EL1",
	"SPSR_EL2", "VBAR_EL1", "VBAR_EL2", "SCTLR_EL1",	"SCTLR_EL2",
};

void fake_vcpu_begin(unsigned int cpu)
{
	struct fake_vcpu *v = calloc(1, sizeof(*v));

	v->index = cpu;
	for (unsigned int i = 0; i < NR_VCPU_REGS; i++) {
		struct qemu_plugin_register *r = &v->reg[i];

		if (i < 31)
			snprintf(r->name, sizeof(r->name), "x%u", i);
		else if (i - 31 < ARRAY_SIZE(names))
			snprintf(r->name, sizeof(r->name), "%s", names[i - 31]);
		r->size = strcmp(r->name, "cpsr") ? 8 : 4;
		r->owner = pthread_self();
	}
	self = v;
	fake_set_reg("ID_AA64MMFR0_EL1", (u64)1 << 56);
	fake_bql_lock();
	on_vcpu_init(cpu, NULL);
	fake_bql_unlock();
}

void fake_vcpu_end(void)
{
	free(self);
	self = NULL;
}

unsigned int fake_current_cpu(void)
{
	return self->index;
}

static struct qemu_plugin_register *named(const char *name)
{
	for (unsigned int i = 0; i < NR_VCPU_REGS; i++)
		if (!strcmp(self->reg[i].name, name))
			return &self->reg[i];
	fake_fail("no register %s", name);
}

u64 fake_reg(const char *name)
{
	return named(name)->val;
}

void fake_set_reg(const char *name, u64 val)
{
	named(name)->val = val;
}

GArray *qemu_plugin_get_registers(void)
{
	qemu_plugin_reg_descriptor *d = calloc(NR_VCPU_REGS, sizeof(*d));
	GArray *array = calloc(1, sizeof(*array));

	for (unsigned int i = 0; i < NR_VCPU_REGS; i++)
		d[i] = (qemu_plugin_reg_descriptor){ &self->reg[i], self->reg[i].name, "", false };
	array->data = (char *)d;
	array->len = NR_VCPU_REGS;
	return array;
}

static void check_owner(const struct qemu_plugin_register *r)
{
	if (!pthread_equal(r->owner, pthread_self()))
		fake_fail("%s of another vCPU", r->name);
}

bool qemu_plugin_read_register(struct qemu_plugin_register *r, GByteArray *buf)
{
	check_owner(r);
	append(buf, &r->val, r->size);
	return true;
}

bool qemu_plugin_write_register(struct qemu_plugin_register *r, GByteArray *buf)
{
	check_owner(r);
	if (buf->len != r->size)
		fake_fail("%u bytes for %s", buf->len, r->name);
	r->val = 0;
	memcpy(&r->val, buf->data, buf->len);
	return self->flags >= QEMU_PLUGIN_CB_RW_REGS;
}

void qemu_plugin_set_pc(uint64_t vaddr)
{
	if (holds_platform || holds_bql)
		fake_fail("set_pc with a lock held");
	if (self->flags != QEMU_PLUGIN_CB_RW_REGS_PC)
		fake_fail("set_pc from a callback that may not");
	fake_set_reg("pc", vaddr);
	longjmp(self->redirect, 1);
}

/* ---- memory: the GICv2, RAM for tables, and instructions that translate to themselves --- */
static u8 ram[FAKE_RAM_SIZE];

static bool in_ram(u64 addr, size_t len)
{
	return addr >= FAKE_RAM_BASE && addr - FAKE_RAM_BASE <= FAKE_RAM_SIZE - len;
}

int qemu_plugin_read_memory_hwaddr(uint64_t addr, GByteArray *data, size_t len)
{
	u32 val;

	g_byte_array_set_size(data, 0);
	fake_bql_lock();
	if (in_ram(addr, len)) {
		append(data, ram + (addr - FAKE_RAM_BASE), (unsigned int)len);
	} else {
		if (len != 4)
			fake_fail("read of %zu bytes at 0x%llx", len, (unsigned long long)addr);
		val = fake_gicv2_read(self->index, addr);
		append(data, &val, 4);
	}
	fake_bql_unlock();
	return 0;
}

int qemu_plugin_write_memory_hwaddr(uint64_t addr, GByteArray *data)
{
	u32 val;

	fake_bql_lock();
	if (in_ram(addr, data->len)) {
		memcpy(ram + (addr - FAKE_RAM_BASE), data->data, data->len);
	} else {
		if (data->len != 4)
			fake_fail("write of %u bytes at 0x%llx", data->len,
				  (unsigned long long)addr);
		memcpy(&val, data->data, 4);
		fake_gicv2_write(self->index, addr, val);
	}
	fake_bql_unlock();
	return 0;
}

void fake_poke(u64 addr, u64 val)
{
	if (!in_ram(addr, 8))
		fake_fail("no RAM at 0x%llx", (unsigned long long)addr);
	fake_bql_lock();
	memcpy(ram + (addr - FAKE_RAM_BASE), &val, 8);
	fake_bql_unlock();
}

/* The address is the instruction: a load or store of x1 is what the ELR points to. */
bool qemu_plugin_read_memory_vaddr(uint64_t addr, GByteArray *data, size_t len)
{
	u32 word = (u32)(addr >> 16);

	(void)len;
	append(data, &word, 4);
	return true;
}

bool qemu_plugin_translate_vaddr(uint64_t vaddr, uint64_t *hwaddr)
{
	*hwaddr = vaddr;
	return vaddr >= IRS_BASE && vaddr < IRS_END;
}

/* ---- translation and execution ------------------------------------------------------------ */
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb)
{
	(void)tb;
	return 1;
}

struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t idx)
{
	(void)idx;
	return (struct qemu_plugin_insn *)&tb->insn;
}

size_t qemu_plugin_insn_data(const struct qemu_plugin_insn *insn, void *dest, size_t len)
{
	memcpy(dest, &insn->word, len < 4 ? len : 4);
	return 4;
}

uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn)
{
	return insn->vaddr;
}

void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn,
					    void (*cb)(unsigned int, void *),
					    enum qemu_plugin_cb_flags flags, void *udata)
{
	if (insn->nr == ARRAY_SIZE(insn->call))
		fake_fail("too many callbacks on one instruction");
	insn->call[insn->nr].cb = cb;
	insn->call[insn->nr].flags = flags;
	insn->call[insn->nr++].ref = udata;
}

bool fake_execute(u64 vaddr, u32 word)
{
	struct qemu_plugin_tb tb = { .insn = { .vaddr = vaddr, .word = word } };
	struct qemu_plugin_insn *insn = &tb.insn;

	fake_set_reg("pc", vaddr);
	on_translate(&tb, NULL);
	for (volatile unsigned int i = 0; i < insn->nr; i++) {
		self->flags = insn->call[i].flags;
		if (setjmp(self->redirect))
			return true;
		insn->call[i].cb(self->index, insn->call[i].ref);
		if (holds_platform || holds_bql)
			fake_fail("a callback returned with a lock held");
	}
	return false;
}
