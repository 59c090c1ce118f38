/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A hypervisor without a kernel. It makes the accesses to the GICv5 that KVM of Linux 7.4 makes,
 * in KVM's order, and looks after each step at the registers, at the tables in memory and at what
 * a guest sees. One line per check on the console.
 *
 * check.c	console and checks
 * host.c	the physical GIC: LPIs, which serve as doorbells
 * kvm.c	what KVM does: probe, VM INIT, vCPU load and put, injection, destroy
 * guest.c	a guest, one instruction at a time
 * The other .c files are the chapters of the story; main.c has their order.
 */
#ifndef WALK_H
#define WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint64_t u64;
typedef uint32_t u32;

#define BIT(n)		      (1ull << (n))
#define FIELD(val, high, low) ((val) >> (low) & (BIT((high) - (low) + 1) - 1))
#define ARRAY_SIZE(a)	      (sizeof(a) / sizeof(*(a)))
#define MAX_CPUS	      8

/* ---- check.c ---- */
void chapter(const char *name);
/* One check: "ok CHAPTER: NAME" or "FAIL CHAPTER: NAME: got X want Y" */
void check(u64 got, u64 want, const char *name, ...) __attribute__((format(printf, 3, 4)));
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The end: everything worked as far as we got, whatever the checks said */
void __attribute__((noreturn)) power_off(void);
void __attribute__((noreturn)) give_up(const char *why, u64 a, u64 b, u64 c);
/* Zeroed memory, never returned; align is a power of two */
void *alloc(u64 size, u64 align);
/* How many 64-bit words of all that was allocated have changed since this was asked last */
u32 memory_changed(void);
/* What the one who started us asks for */
bool asked_for(const char *word);

/* ---- host.c ---- */
#define TYPE_PPI 1ull
#define TYPE_LPI 2ull
#define TYPE_SPI 3ull
#define PPI(n)	 (TYPE_PPI << 29 | (n))
#define LPI(n)	 (TYPE_LPI << 29 | (n))
#define SPI(n)	 (TYPE_SPI << 29 | (n))
#define VALID	 BIT(32) /* in what CDIA and HPPIR return */

extern u32 nr_cpus;
extern u32 host_doorbells; /* acknowledged so far, on all CPUs */
void host_init(void);	   /* the whole GIC; on the first CPU */
void host_cpu_init(void);  /* this CPU's interface and EL2 */
u32 this_cpu(void);
void host_lpi_enable(u32 lpi, u32 cpu, u32 prio);
void host_lpi_target(u32 lpi, u32 cpu);
void host_lpi_pend(u32 lpi);
/* Acknowledge and end everything pending here. How often it was `lpi`; *others counts the rest. */
u32 host_drain(u32 lpi, u32 *others);
u64 host_cdia(void);
void host_eoi(u64 intid);
bool host_irq(void); /* is the physical IRQ signalled to this CPU? */

/* LPIs 1 to 7 wake the CPUs of that number; then there are doorbells. */
#define FIRST_DOORBELL 8
#define LAST_DOORBELL  3999

/* Run a function on another CPU, or with on_cpu() on any, and wait for what it returns. */
typedef u64 (*cpu_fn)(u64 a, u64 b);
void cpu_start(u32 cpu, cpu_fn fn, u64 a, u64 b);
u64 cpu_wait(u32 cpu);
u64 on_cpu(u32 cpu, cpu_fn fn, u64 a, u64 b);
void delay_us(u64 us);

/* ---- IRS ---- */
#ifndef IRS_BASE
#error "IRS_BASE comes from the build: it is the device tree's"
#endif
#define IRS_IDR0	    0x000
#define IRS_IDR1	    0x004
#define IRS_IDR2	    0x008
#define IRS_IDR3	    0x00c
#define IRS_IDR4	    0x010
#define IRS_IDR5	    0x014
#define IRS_IDR6	    0x018
#define IRS_CR0		    0x080
#define IRS_CR1		    0x084
#define IRS_IST_BASER	    0x180
#define IRS_IST_CFGR	    0x190
#define IRS_IST_STATUSR	    0x194
#define IRS_VMT_BASER	    0x200
#define IRS_VMT_CFGR	    0x210
#define IRS_VMT_STATUSR	    0x214
#define IRS_VPE_SELR	    0x240
#define IRS_VPE_DBR	    0x248
#define IRS_VPE_CR0	    0x258
#define IRS_VPE_STATUSR	    0x25c
#define IRS_VMAP_L2_VMTR    0x2c0
#define IRS_VMAP_VMR	    0x2c8
#define IRS_VMAP_VISTR	    0x2d0
#define IRS_VMAP_VPER	    0x2e0
#define IRS_SAVE_VMR	    0x300
#define IRS_SAVE_VM_STATUSR 0x308

#define IDLE	   1u
#define STATUSR_V  2u
#define MAP_M	   BIT(63)
#define MAP_U	   BIT(62)
#define VMT_TWO	   BIT(16) /* VMT_CFGR.STRUCTURE */
#define VM_ID_BITS 8
#define VMS	   256
#define VMS_PER_L2 128
#define VMTE_WORDS 4

/* KVM uses LDR and STR with nothing but a base register (readl, writeq, ...) */
static inline u32 irs_read(u32 off)
{
	u32 val;

	asm volatile("ldr %w0, [%1]" : "=r"(val) : "r"((u64)IRS_BASE + off) : "memory");
	return val;
}

static inline u64 irs_read64(u32 off)
{
	u64 val;

	asm volatile("ldr %0, [%1]" : "=r"(val) : "r"((u64)IRS_BASE + off) : "memory");
	return val;
}

static inline void irs_write(u32 off, u32 val)
{
	asm volatile("str %w0, [%1]" ::"r"(val), "r"((u64)IRS_BASE + off) : "memory");
}

static inline void irs_write64(u32 off, u64 val)
{
	asm volatile("str %0, [%1]" ::"r"(val), "r"((u64)IRS_BASE + off) : "memory");
}

#define read_sysreg(name)                                           \
	({                                                          \
		u64 _v;                                             \
		asm volatile("mrs %0, " name : "=r"(_v)::"memory"); \
		_v;                                                 \
	})
#define write_sysreg(val, name) \
	asm volatile("msr " name ", %x0\n\tisb" ::"rZ"((u64)(val)) : "memory")

#define ICC_PPI_ENABLER0 "S3_0_C12_C10_6"
#define ICC_CR0		 "S3_1_C12_C0_1"
#define ICC_PCR		 "S3_1_C12_C0_2"
#define ICC_ICSR	 "S3_0_C12_C10_4"
#define ICH_APR		 "S3_4_C12_C8_4"
#define ICH_HFGRTR	 "S3_4_C12_C9_4"
#define ICH_HFGWTR	 "S3_4_C12_C9_6"
#define ICH_HFGITR	 "S3_4_C12_C9_7"
#define ICH_DVIR0	 "S3_4_C12_C10_0"
#define ICH_ENABLER0	 "S3_4_C12_C10_2"
#define ICH_PENDR0	 "S3_4_C12_C10_4"
#define ICH_ACTIVER0	 "S3_4_C12_C10_6"
#define ICH_PRIORITYR0	 "S3_4_C12_C14_0"
#define ICH_VCTLR	 "S3_4_C12_C11_4"
#define ICH_CONTEXTR	 "S3_4_C12_C11_6"
#define ICH_VMCR	 "S3_4_C12_C11_7"

/* ---- kvm.c ---- */
/* IST entry, and the result of CDRCFG in ICC_ICSR_EL1 */
#define I_PEND		      BIT(0)
#define I_ACT		      BIT(1)
#define I_HM		      BIT(2)
#define I_EN		      BIT(3)
#define I_PRIO(p)	      ((u64)(p) << 11)
#define I_AFF(vpe)	      ((u64)(vpe) << 16)
#define ICSR_F		      BIT(0)
#define ICSR_EN		      BIT(1)
#define ICSR_PEND	      BIT(2)
#define ICSR_ACT	      BIT(4)
#define ICSR_HM		      BIT(5)
#define ICSR(aff, prio, bits) ((u64)(aff) << 32 | (u64)(prio) << 11 | (bits))

#define CONTEXTR_V	 BIT(63)
#define CONTEXTR_F	 BIT(62)
#define CONTEXTR_IRI_DIS BIT(61)
#define CONTEXTR_DB	 BIT(60)
#define CONTEXTR_DBPM(p) ((u64)(p) << 55)
#define DBPM_ALL	 31

struct ist {
	u32 id_bits;
	u32 size;	/* entries are 4 << size bytes */
	bool two_level; /* with level 2 arrays of 4 KB */
	u64 *l1;	/* if it has two levels */
	char *base;	/* the linear table, or the level 2 arrays one after the other */
};

struct vm {
	u32 id, nr_vpes;
	u64 *vpet;
	char *vmd, *vped;
	struct ist spi, lpi;
	u32 doorbell; /* host LPI of VPE 0; the others follow */
};

enum probe_result { PROBE_OK, PROBE_BUSY, PROBE_TIMEOUT };

extern u64 *vmt; /* level 1, or the whole table */
extern bool vmt_two_level;

enum probe_result kvm_probe(void);
bool vmt_command(u32 off, u64 val); /* poll, write, poll; false: never idle */
u64 *vmte(u32 vm);
void vmt_make_l2(u32 vm);
struct vm *vm_alloc(u32 id, u32 nr_vpes);
void vm_write_vmte(struct vm *vm);
void ist_init(struct ist *ist, u32 id_bits, u32 size, bool two_level);
u64 ist_vmte_word(const struct ist *ist);
volatile u32 *iste(const struct ist *ist, u32 id);
/* The whole of VM INIT, with 32 SPIs, and the return value of its weakest step: true if V was 1 */
bool vm_init(struct vm *vm);
bool vpe_reset(struct vm *vm, u32 vpe);
struct vm *vm_create(u32 id, u32 nr_vpes);
void vm_map_lpis(struct vm *vm, u32 id_bits, u32 size, bool two_level);
void vm_unmap_lpis(struct vm *vm);
/* Is the entry invalid afterwards? If not, KVM leaks it. */
bool vm_destroy(struct vm *vm);
u64 vpe_load(const struct vm *vm, u32 vpe, u64 flags); /* CONTEXTR as it reads back */
void vpe_put(u64 val);
void vdpend(const struct vm *vm, u64 intid, bool pending);

/* ---- guest.c, guest.S ---- */
struct guest_exit {
	u64 esr; /* or GUEST_IRQ: there is a physical interrupt */
	u64 x0;
};
#define GUEST_IRQ   (~(u64)0)
#define ESR_EC(esr) ((esr) >> 26)
#define EC_WFX	    0x01
#define EC_HVC	    0x16
#define PRIO_ALL    31

#define HCR_TWI BIT(13)
extern u64 guest_hcr; /* further bits of HCR_EL2 while a guest runs, on all CPUs */

struct guest_exit guest_run(const void *code, u64 x0);
u64 guest(const void *code, u64 x0); /* ... and it must not end in any way but HVC */
/* KVM's reset values for a loaded vCPU: nothing active, all priorities let through, enabled */
void guest_open(void);
void guest_cd(const void *code, u64 intid, u64 operand);
u64 guest_rcfg(u64 intid);
void guest_setup(u64 intid, u32 vpe, u32 prio); /* CDPRI, CDAFF, CDEN */
u64 guest_ack(void);				/* CDIA */
void guest_end(u64 intid);			/* CDEOI, CDDI */

extern const char g_nop[], g_cddis[], g_cden[], g_cdpri[], g_cdaff[], g_cdpend[], g_rcfg[],
	g_cdeoi[], g_cddi[], g_cdhm[], g_cdia[], g_hppir[], g_isr[], g_set_pcr[], g_set_cr0[],
	g_get_apr[], g_wfi[], g_take[], g_spin[];

/* ---- the chapters ---- */
void physical_chapter(void);
void probe_chapter(void);
void tables_chapter(void);
void residency_chapter(void);
void virtual_spi_chapter(void);
void ordering_chapter(void);
void lpi_chapter(void);
void ist_chapter(void);
void doorbell_chapter(void);
void save_chapter(void);
void smp_chapter(void);
bool fault_chapter(void); /* was there one? */

#endif
