// SPDX-License-Identifier: GPL-2.0-or-later
/* The EL1 guest: executes the list in its vCPU's mailbox. */
#include "counter.h"
#include "mailbox.h"
#include "mark.h"
#include "registers.h"

#define INTID_PPI(n) (1u << 29 | (n))
#define CDIA_VALID   (1ULL << 32)
#define IRQ_LIMIT    64 /* per WINDOW; one that fires for ever must not hang the guest */

uint64_t guest_irq(volatile struct mailbox *box);
void guest_main(volatile struct mailbox *box);

/* The IRQ handler.  Non-zero: leave IRQs masked. */
uint64_t guest_irq(volatile struct mailbox *box)
{
	uint64_t acknowledged = read_register(REG_GICR_CDIA);
	uint32_t intid = (uint32_t)acknowledged;

	if (box->fault) /* not a GICv5 */
		return 1;
	gsb_ack();

	if (!box->irqs)
		box->first_intid = intid;
	box->irqs++;

	if (acknowledged & CDIA_VALID) {
		if (intid == INTID_PPI(27))
			write_register(REG_CNTV_CTL_EL0, 0);
		else if (intid == INTID_PPI(30))
			write_register(REG_CNTP_CTL_EL0, 0);
		isb();
		write_register(REG_GIC_CDEOI, 0);
		write_register(REG_GIC_CDDI, intid);
		gsb_sys();
	}
	return box->irqs >= IRQ_LIMIT;
}

static void do_read(volatile struct mailbox *box, volatile struct guest_entry *entry)
{
	entry->value = read_register(entry->reg);
	if (entry->flags & GUEST_INSTRUCTION && !box->fault)
		gsb_ack();
}

static void do_write(volatile struct mailbox *box, volatile struct guest_entry *entry)
{
	write_register(entry->reg, entry->operand);
	if (box->fault)
		return;
	if (entry->flags & GUEST_INSTRUCTION)
		gsb_sys();
	else
		isb();
	if (entry->flags & GUEST_READ_BACK)
		entry->value = read_register(entry->reg);
}

static void do_wfi(volatile struct mailbox *box, uint64_t index)
{
	box->waiting = index + 1;
	__asm__ volatile("dsb sy\n\twfi" ::: "memory");
	box->waiting = 0;
}

static void do_window(volatile struct mailbox *box, volatile struct guest_entry *entry)
{
	box->irqs = 0;
	box->first_intid = 0;
	__asm__ volatile("dsb sy\n\t"
			 "msr daifclr, #2\n\t"
			 "isb\n\t"
			 "nop\n\tnop\n\tnop\n\tnop\n\t"
			 "msr daifset, #2\n\t"
			 "isb" ::
				 : "memory");
	entry->value = box->irqs;
	entry->extra = box->first_intid;
}

/*
 * One load or store each, of the simplest form: KVM decodes no other.  Not with x0: if nobody emulates
 * the access, KVM completes a load after the agent has started the guest afresh, with x0 its argument.
 */
static void do_irs(volatile struct guest_entry *entry)
{
	uint64_t address = IRS_BASE + entry->offset;
	register uint64_t value __asm__("x2") = entry->operand;

	if (entry->code == OP_GUEST_IRS_WRITE) {
		if (entry->flags & GUEST_WIDE)
			__asm__ volatile("str %0, [%1]" ::"r"(value), "r"(address) : "memory");
		else
			__asm__ volatile("str %w0, [%1]" ::"r"(value), "r"(address) : "memory");
		__asm__ volatile("dsb sy\n\tisb" ::: "memory");
		return;
	}
	if (entry->flags & GUEST_WIDE)
		__asm__ volatile("ldr %0, [%1]" : "=r"(value) : "r"(address) : "memory");
	else
		__asm__ volatile("ldr %w0, [%1]" : "=r"(value) : "r"(address) : "memory");
	entry->value = value;
}

void guest_main(volatile struct mailbox *box)
{
	box->waiting = 0;
	for (uint64_t i = 0; i < box->count; i++) {
		volatile struct guest_entry *entry = &box->entries[i];

		box->fault = 0;
		mark(i);
		switch (entry->code) {
		case OP_GUEST_READ:
			do_read(box, entry);
			break;
		case OP_GUEST_WRITE:
			do_write(box, entry);
			break;
		case OP_GUEST_WFI:
			do_wfi(box, i);
			break;
		case OP_GUEST_WINDOW:
			do_window(box, entry);
			break;
		case OP_GUEST_IRS_READ:
		case OP_GUEST_IRS_WRITE:
			do_irs(entry);
			break;
		case OP_GUEST_SPIN:
			delay_ns(entry->operand);
			break;
		default:
			return;
		}
		if (box->fault) {
			entry->value = box->fault & ~(1ULL << FAULT_TAKEN_BIT);
			entry->extra = 0;
			entry->status = STATUS_EXCEPTION;
		} else {
			entry->status = STATUS_DONE;
		}
	}
}
