/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a hypervisor does before a VM has interrupts: tables in memory, and the IRS told of them. */
#ifndef TABLES_H
#define TABLES_H

#include "check.h"

#define VMT_BASER	(0x200)
#define VMT_CFGR	(0x210)
#define VMT_STATUSR	(0x214)
#define VPE_SELR	(0x240)
#define VPE_DBR		(0x248)
#define VPE_HPPIR	(0x250)
#define VPE_CR0		(0x258)
#define VPE_STATUSR	(0x25c)
#define VMAP_L2_VMTR	(0x2c0)
#define VMAP_VMR	(0x2c8)
#define VMAP_VISTR	(0x2d0)
#define VMAP_L2_VISTR	(0x2d8)
#define VMAP_VPER	(0x2e0)
#define SAVE_VMR	(0x300)
#define SAVE_VM_STATUSR (0x308)

#define M BIT(63)
#define U BIT(62)

/* Where things are: a linear VMT, and 64 KB of tables for each of 8 VMs */
#define VMT	     (MEM_BASE)
#define VMTE(vm)     (VMT + 32 * (u64)(vm))
#define VPET(vm)     (MEM_BASE + 0x10000 * ((u64)(vm) + 1))
#define VPETE(vm, v) (VPET(vm) + 8 * (u64)(v))
#define SPI_IST(vm)  (VPET(vm) + 0x1000)
#define LPI_IST(vm)  (VPET(vm) + 0x4000)

/* ISTE */
#define PEND	1u
#define ACTIVE	2u
#define HM	4u
#define EN	8u
#define PRIO(p) ((u32)(p) << 11)
#define VPE(v)	((u32)(v) << 16)

/* VMTE word 2 or 3, linear with 4-byte entries */
#define IST_WORD(addr, id_bits) ((u64)(id_bits) << 59 | (addr))

#define RESIDENT(vm, vpe) (BIT(63) | (u64)(vpe) << 32 | (vm))
#define PUT_DB(dbpm)	  (BIT(60) | (u64)(dbpm) << 55)

void make_vmt(void); /* linear, 256 VMs */
/* A VM with 4 VPEs, 32 SPIs and 4096 LPIs, all of it valid. Host LPI 100 + vpe is its doorbell. */
void make_vm(u32 vm);
/* Two CPUs, VM 1; VPE 0 is resident on CPU 0, VPE 1 on CPU 1, both in the guest. */
void start_guest(void);
void vdpend(u32 vm, u32 intid, bool pending);
u64 guest_cfg(unsigned int cpu, u32 intid);
u32 spi_iste(u32 vm, u32 id);
u32 lpi_iste(u32 vm, u32 id);

#endif
