/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Registers of the IRS configuration frame: byte offsets. IRS_CR0 is in gicv5.h. */
#ifndef GICV5_IRS_H
#define GICV5_IRS_H

#define IRS_IDR0	    0x000
#define IRS_IDR1	    0x004
#define IRS_IDR2	    0x008
#define IRS_IDR3	    0x00c
#define IRS_IDR4	    0x010
#define IRS_IDR5	    0x014
#define IRS_IDR6	    0x018
#define IRS_IDR7	    0x01c
#define IRS_IIDR	    0x040
#define IRS_AIDR	    0x044
#define IRS_CR1		    0x084
#define IRS_SYNCR	    0x0c0
#define IRS_SYNC_STATUSR    0x0c4
#define IRS_SPI_SELR	    0x108
#define IRS_SPI_DOMAINR	    0x10c
#define IRS_SPI_RESAMPLER   0x110
#define IRS_SPI_CFGR	    0x114
#define IRS_SPI_STATUSR	    0x118
#define IRS_PE_SELR	    0x140
#define IRS_PE_STATUSR	    0x144
#define IRS_PE_CR0	    0x148
#define IRS_IST_BASER	    0x180
#define IRS_IST_CFGR	    0x190
#define IRS_IST_STATUSR	    0x194
#define IRS_MAP_L2_ISTR	    0x1c0
#define IRS_VMT_BASER	    0x200
#define IRS_VMT_CFGR	    0x210
#define IRS_VMT_STATUSR	    0x214
#define IRS_VPE_SELR	    0x240
#define IRS_VPE_DBR	    0x248
#define IRS_VPE_HPPIR	    0x250
#define IRS_VPE_CR0	    0x258
#define IRS_VPE_STATUSR	    0x25c
#define IRS_VM_SELR	    0x288
#define IRS_VM_STATUSR	    0x28c
#define IRS_VMAP_L2_VMTR    0x2c0
#define IRS_VMAP_VMR	    0x2c8
#define IRS_VMAP_VISTR	    0x2d0
#define IRS_VMAP_L2_VISTR   0x2d8
#define IRS_VMAP_VPER	    0x2e0
#define IRS_SAVE_VMR	    0x300
#define IRS_SAVE_VM_STATUSR 0x308
#define IRS_DEVARCH	    0xffbc
#define IRS_CIDR0	    0xfff0

#define STATUSR_IDLE BIT(0)
#define STATUSR_V    BIT(1)

#endif
