// SPDX-License-Identifier: GPL-2.0-only
/*
 * First run of a vCPU of a VGICv5 VM: decide which PPIs the guest may see,
 * and hide the state of all others.
 */

#include <linux/bitmap.h>

#include <kvm/arm_vgic.h>

#include "vgic.h"

/*
 * A PPI is exposed if the host implements it and either an emulated device
 * owns it or it is the SW_PPI. Emulated devices claim their PPI per vCPU; only
 * those of the running vCPU are certain to have done so by now.
 */
static void expose_ppis(struct kvm_vcpu *vcpu)
{
	struct vgic_v5_vm *vm = &vcpu->kvm->arch.vgic.gicv5_vm;
	unsigned long *impl = kvm_vgic_global_state.vgic_v5_ppi_caps.impl_ppi_mask;
	int i;

	bitmap_zero(vm->vgic_ppi_mask, VGIC_V5_NR_PRIVATE_IRQS);
	bitmap_zero(vm->vgic_ppi_hmr, VGIC_V5_NR_PRIVATE_IRQS);

	for_each_set_bit(i, impl, VGIC_V5_NR_PRIVATE_IRQS) {
		struct vgic_irq *irq = vgic_get_vcpu_irq(vcpu, vgic_v5_make_ppi(i));

		scoped_guard(raw_spinlock_irqsave, &irq->irq_lock) {
			if (i == GICV5_ARCH_PPI_SW_PPI || irq->owner) {
				__set_bit(i, vm->vgic_ppi_mask);
				__assign_bit(i, vm->vgic_ppi_hmr,
					     irq->config == VGIC_CONFIG_LEVEL);
			}
		}

		vgic_put_irq(vcpu->kvm, irq);
	}
}

/*
 * Drop what userspace set for PPIs that are not exposed, in the registers
 * that reach the hardware as in the vgic_irqs behind the accessors. Pending
 * needs no register here: it is collected from the vgic_irqs at each entry.
 */
static void hide_ppis(struct kvm_vcpu *vcpu)
{
	unsigned long *mask = vcpu->kvm->arch.vgic.gicv5_vm.vgic_ppi_mask;
	struct vgic_v5_cpu_if *cpu_if = &vcpu->arch.vgic_cpu.vgic_v5;
	unsigned long *enabler = cpu_if->vgic_ppi_enabler;
	unsigned long *activer = cpu_if->vgic_ppi_activer;
	int i;

	bitmap_and(enabler, enabler, mask, VGIC_V5_NR_PRIVATE_IRQS);
	bitmap_and(activer, activer, mask, VGIC_V5_NR_PRIVATE_IRQS);

	for (i = 0; i < VGIC_V5_NR_PRIVATE_IRQS; i++) {
		struct vgic_irq *irq = vgic_get_vcpu_irq(vcpu, vgic_v5_make_ppi(i));

		scoped_guard(raw_spinlock_irqsave, &irq->irq_lock) {
			irq->enabled = test_bit(i, enabler);
			irq->active = test_bit(i, activer);

			if (!test_bit(i, mask)) {
				irq->pending_latch = false;
				irq->line_level = false;
			}
		}

		vgic_put_irq(vcpu->kvm, irq);
	}
}

/*
 * The mask is one per VM, made by the vCPU that runs first (a mask with the
 * SW_PPI in it is made). The state is per vCPU: each hides its own.
 */
int vgic_v5_finalize_vcpu_ppi_state(struct kvm_vcpu *vcpu)
{
	if (!vgic_is_v5(vcpu->kvm))
		return 0;

	guard(mutex)(&vcpu->kvm->arch.config_lock);

	if (!test_bit(GICV5_ARCH_PPI_SW_PPI,
		      vcpu->kvm->arch.vgic.gicv5_vm.vgic_ppi_mask))
		expose_ppis(vcpu);

	hide_ppis(vcpu);

	return 0;
}
