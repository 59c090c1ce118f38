// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_DEV_ARM_VGIC_GRP_CPU_SYSREGS for the VGICv5 device.
 *
 * Userspace sets the PPI state of a vCPU raw: no set accessor knows which
 * PPIs the guest may see. Hiding the others is the job of whoever finalizes
 * the PPI state at the first run (vgic-v5.c, vgic-v5-mask.c).
 */

#include <linux/bitfield.h>
#include <linux/init.h>
#include <linux/irqchip/arm-gic-v5.h>
#include <linux/kvm_host.h>

#include <asm/kvm_emulate.h>

#include "vgic.h"
#include "sys_regs.h"

/*
 * What becomes of a write after any vCPU of the VM has run:
 * refused - -EBUSY;
 * exposed - accepted, and since no masking follows the first run, whatever
 *           it sets is what the guest sees at its next entry.
 */
static bool late_writes_exposed __ro_after_init;

static int __init early_late_writes_cfg(char *arg)
{
	if (arg && !strcmp(arg, "exposed"))
		late_writes_exposed = true;
	else if (arg && !strcmp(arg, "refused"))
		late_writes_exposed = false;
	else
		pr_err("kvm: kvm-arm.vgic_v5_late_writes=%s: not one of refused, exposed; keeping %s\n",
		       arg ?: "", late_writes_exposed ? "exposed" : "refused");

	return 0;
}
early_param("kvm-arm.vgic_v5_late_writes", early_late_writes_cfg);

/* ENABLER, SACTIVER, SPENDR: bank 1 has no storage, it is RAZ/WI. */
static bool is_bank1(const struct sys_reg_desc *r)
{
	return r->Op2 & 1;
}

/* PRIORITYR0-7 and 8-15 are CRm 14 and 15. The latter have no storage. */
static bool has_priorities(const struct sys_reg_desc *r)
{
	return r->CRm == 14;
}

static void set_ppis(struct kvm_vcpu *vcpu, u64 val,
		     void (*set)(struct vgic_irq *irq, bool bit))
{
	int i;

	for (i = 0; i < VGIC_V5_NR_PRIVATE_IRQS; i++) {
		struct vgic_irq *irq = vgic_get_vcpu_irq(vcpu, vgic_v5_make_ppi(i));

		scoped_guard(raw_spinlock_irqsave, &irq->irq_lock)
			set(irq, val & BIT_ULL(i));

		vgic_put_irq(vcpu->kvm, irq);
	}
}

static u64 get_ppis(struct kvm_vcpu *vcpu, bool (*get)(struct vgic_irq *irq))
{
	u64 val = 0;
	int i;

	for (i = 0; i < VGIC_V5_NR_PRIVATE_IRQS; i++) {
		struct vgic_irq *irq = vgic_get_vcpu_irq(vcpu, vgic_v5_make_ppi(i));

		scoped_guard(raw_spinlock_irqsave, &irq->irq_lock)
			if (get(irq))
				val |= BIT_ULL(i);

		vgic_put_irq(vcpu->kvm, irq);
	}

	return val;
}

static void irq_set_enabled(struct vgic_irq *irq, bool bit)
{
	irq->enabled = bit;
}

static bool irq_get_enabled(struct vgic_irq *irq)
{
	return irq->enabled;
}

static int set_ppi_enabler(struct kvm_vcpu *vcpu, const struct sys_reg_desc *r,
			   u64 val)
{
	if (is_bank1(r))
		return 0;

	bitmap_write(vcpu->arch.vgic_cpu.vgic_v5.vgic_ppi_enabler, val, 0, 64);
	set_ppis(vcpu, val, irq_set_enabled);

	return 0;
}

static int get_ppi_enabler(struct kvm_vcpu *vcpu, const struct sys_reg_desc *r,
			   u64 *val)
{
	*val = is_bank1(r) ? 0 : get_ppis(vcpu, irq_get_enabled);

	return 0;
}

static void irq_set_active(struct vgic_irq *irq, bool bit)
{
	irq->active = bit;
}

static bool irq_get_active(struct vgic_irq *irq)
{
	return irq->active;
}

static int set_ppi_activer(struct kvm_vcpu *vcpu, const struct sys_reg_desc *r,
			   u64 val)
{
	if (is_bank1(r))
		return 0;

	bitmap_write(vcpu->arch.vgic_cpu.vgic_v5.vgic_ppi_activer, val, 0, 64);
	set_ppis(vcpu, val, irq_set_active);

	return 0;
}

static int get_ppi_activer(struct kvm_vcpu *vcpu, const struct sys_reg_desc *r,
			   u64 *val)
{
	*val = is_bank1(r) ? 0 : get_ppis(vcpu, irq_get_active);

	return 0;
}

static void irq_set_pending(struct vgic_irq *irq, bool bit)
{
	if (irq->config == VGIC_CONFIG_EDGE)
		irq->pending_latch = bit;
	else
		irq->line_level = bit;
}

/* There is no bitmap to store to: each entry collects pending from the irqs */
static int set_ppi_pendr(struct kvm_vcpu *vcpu, const struct sys_reg_desc *r,
			 u64 val)
{
	if (!is_bank1(r))
		set_ppis(vcpu, val, irq_set_pending);

	return 0;
}

static int get_ppi_pendr(struct kvm_vcpu *vcpu, const struct sys_reg_desc *r,
			 u64 *val)
{
	*val = is_bank1(r) ? 0 : get_ppis(vcpu, irq_is_pending);

	return 0;
}

static int set_ppi_priorityr(struct kvm_vcpu *vcpu, const struct sys_reg_desc *r,
			     u64 val)
{
	int i;

	if (!has_priorities(r))
		return 0;

	/* 5 bits of priority in each byte */
	val &= 0x1f1f1f1f1f1f1f1fULL;
	vcpu->arch.vgic_cpu.vgic_v5.vgic_ppi_priorityr[r->Op2] = val;

	for (i = 0; i < 8; i++) {
		u32 intid = vgic_v5_make_ppi(r->Op2 * 8 + i);
		struct vgic_irq *irq = vgic_get_vcpu_irq(vcpu, intid);

		scoped_guard(raw_spinlock_irqsave, &irq->irq_lock)
			irq->priority = val >> (i * 8);

		vgic_put_irq(vcpu->kvm, irq);
	}

	return 0;
}

static int get_ppi_priorityr(struct kvm_vcpu *vcpu, const struct sys_reg_desc *r,
			     u64 *val)
{
	if (has_priorities(r))
		*val = vcpu->arch.vgic_cpu.vgic_v5.vgic_ppi_priorityr[r->Op2];
	else
		*val = 0;

	return 0;
}

static int set_icsr(struct kvm_vcpu *vcpu, const struct sys_reg_desc *r, u64 val)
{
	vcpu->arch.vgic_cpu.vgic_v5.vgic_icsr = val & ~ICC_ICSR_EL1_RES0;

	return 0;
}

static int get_icsr(struct kvm_vcpu *vcpu, const struct sys_reg_desc *r, u64 *val)
{
	*val = vcpu->arch.vgic_cpu.vgic_v5.vgic_icsr;

	return 0;
}

static int set_apr(struct kvm_vcpu *vcpu, const struct sys_reg_desc *r, u64 val)
{
	vcpu->arch.vgic_cpu.vgic_v5.vgic_apr = lower_32_bits(val);

	return 0;
}

static int get_apr(struct kvm_vcpu *vcpu, const struct sys_reg_desc *r, u64 *val)
{
	*val = vcpu->arch.vgic_cpu.vgic_v5.vgic_apr;

	return 0;
}

static int set_cr0(struct kvm_vcpu *vcpu, const struct sys_reg_desc *r, u64 val)
{
	struct vgic_vmcr vmcr;

	vgic_v5_get_vmcr(vcpu, &vmcr);
	vmcr.en = FIELD_GET(ICC_CR0_EL1_EN, val);
	vgic_v5_set_vmcr(vcpu, &vmcr);

	return 0;
}

static int get_cr0(struct kvm_vcpu *vcpu, const struct sys_reg_desc *r, u64 *val)
{
	struct vgic_vmcr vmcr;

	/* The link of a virtual CPU interface is always up and idle */
	vgic_v5_get_vmcr(vcpu, &vmcr);
	*val = FIELD_PREP(ICC_CR0_EL1_EN, vmcr.en) |
	       ICC_CR0_EL1_LINK | ICC_CR0_EL1_LINK_IDLE;

	return 0;
}

static int set_pcr(struct kvm_vcpu *vcpu, const struct sys_reg_desc *r, u64 val)
{
	struct vgic_vmcr vmcr;

	vgic_v5_get_vmcr(vcpu, &vmcr);
	vmcr.pmr = FIELD_GET(ICC_PCR_EL1_PRIORITY, val);
	vgic_v5_set_vmcr(vcpu, &vmcr);

	return 0;
}

static int get_pcr(struct kvm_vcpu *vcpu, const struct sys_reg_desc *r, u64 *val)
{
	struct vgic_vmcr vmcr;

	vgic_v5_get_vmcr(vcpu, &vmcr);
	*val = FIELD_PREP(ICC_PCR_EL1_PRIORITY, vmcr.pmr);

	return 0;
}

#define V5_REG(reg, name)				\
	{						\
		SYS_DESC(SYS_ICC_ ## reg ## _EL1),	\
		.get_user = get_ ## name,		\
		.set_user = set_ ## name,		\
	}

/* Sorted by encoding, for the binary search */
static const struct sys_reg_desc gic_v5_icc_reg_descs[] = {
	V5_REG(ICSR, icsr),
	V5_REG(PPI_ENABLER0, ppi_enabler),
	V5_REG(PPI_ENABLER1, ppi_enabler),
	V5_REG(PPI_SACTIVER0, ppi_activer),
	V5_REG(PPI_SACTIVER1, ppi_activer),
	V5_REG(PPI_SPENDR0, ppi_pendr),
	V5_REG(PPI_SPENDR1, ppi_pendr),
	V5_REG(PPI_PRIORITYR0, ppi_priorityr),
	V5_REG(PPI_PRIORITYR1, ppi_priorityr),
	V5_REG(PPI_PRIORITYR2, ppi_priorityr),
	V5_REG(PPI_PRIORITYR3, ppi_priorityr),
	V5_REG(PPI_PRIORITYR4, ppi_priorityr),
	V5_REG(PPI_PRIORITYR5, ppi_priorityr),
	V5_REG(PPI_PRIORITYR6, ppi_priorityr),
	V5_REG(PPI_PRIORITYR7, ppi_priorityr),
	V5_REG(PPI_PRIORITYR8, ppi_priorityr),
	V5_REG(PPI_PRIORITYR9, ppi_priorityr),
	V5_REG(PPI_PRIORITYR10, ppi_priorityr),
	V5_REG(PPI_PRIORITYR11, ppi_priorityr),
	V5_REG(PPI_PRIORITYR12, ppi_priorityr),
	V5_REG(PPI_PRIORITYR13, ppi_priorityr),
	V5_REG(PPI_PRIORITYR14, ppi_priorityr),
	V5_REG(PPI_PRIORITYR15, ppi_priorityr),
	V5_REG(APR, apr),
	V5_REG(CR0, cr0),
	V5_REG(PCR, pcr),
};

static u64 attr_to_id(u64 attr)
{
	return ARM64_SYS_REG(FIELD_GET(KVM_REG_ARM_VGIC_SYSREG_OP0_MASK, attr),
			     FIELD_GET(KVM_REG_ARM_VGIC_SYSREG_OP1_MASK, attr),
			     FIELD_GET(KVM_REG_ARM_VGIC_SYSREG_CRN_MASK, attr),
			     FIELD_GET(KVM_REG_ARM_VGIC_SYSREG_CRM_MASK, attr),
			     FIELD_GET(KVM_REG_ARM_VGIC_SYSREG_OP2_MASK, attr));
}

/* Before INIT too: userspace probes for the registers with this. */
int vgic_v5_has_cpu_sysregs_attr(struct kvm_device *dev,
				 struct kvm_device_attr *attr)
{
	struct vgic_reg_attr reg_attr;
	int ret;

	/* The affinity in attr[63:32] is that of GICv3. -EINVAL if unknown */
	ret = vgic_v3_parse_attr(dev, attr, &reg_attr);
	if (ret)
		return ret;

	if (!get_reg_by_id(attr_to_id(attr->attr), gic_v5_icc_reg_descs,
			   ARRAY_SIZE(gic_v5_icc_reg_descs)))
		return -ENXIO;

	return 0;
}

static int cpu_sysregs_access(struct kvm_vcpu *vcpu,
			      struct kvm_device_attr *attr, bool is_write)
{
	struct kvm_one_reg reg = {
		.id	= attr_to_id(attr->attr),
		.addr	= attr->addr,
	};

	guard(mutex)(&vcpu->kvm->arch.config_lock);

	if (!vgic_initialized(vcpu->kvm))
		return -EBUSY;

	if (!is_write)
		return kvm_sys_reg_get_user(vcpu, &reg, gic_v5_icc_reg_descs,
					    ARRAY_SIZE(gic_v5_icc_reg_descs));

	if (kvm_vm_has_ran_once(vcpu->kvm) && !late_writes_exposed)
		return -EBUSY;

	return kvm_sys_reg_set_user(vcpu, &reg, gic_v5_icc_reg_descs,
				    ARRAY_SIZE(gic_v5_icc_reg_descs));
}

int vgic_v5_cpu_sysregs_uaccess(struct kvm_device *dev,
				struct kvm_device_attr *attr, bool is_write)
{
	struct vgic_reg_attr reg_attr;
	int ret;

	ret = vgic_v3_parse_attr(dev, attr, &reg_attr);
	if (ret)
		return ret;

	guard(mutex)(&dev->kvm->lock);

	/* No vCPU may be in KVM_RUN */
	if (kvm_trylock_all_vcpus(dev->kvm))
		return -EBUSY;

	ret = cpu_sysregs_access(reg_attr.vcpu, attr, is_write);
	kvm_unlock_all_vcpus(dev->kvm);

	return ret;
}
