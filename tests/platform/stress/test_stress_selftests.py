# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel's own KVM selftests on the platform.

arm64/vgic_v5 always; the others, which take minutes to build, with --kernel-selftests.  Many skip:
they need a GICv3 guest, and this host has no legacy support.  That KVM refuses one is in the
``errno`` family (harness/suite/errno.py).
"""

from __future__ import annotations

import pytest
from stress_rig import Rig, StressHost

from harness.provision.images import load_images
from harness.provision.paths import default_images
from harness.provision.provisioner import Provisioner

SKIPPED = 4  # KSFT_SKIP
# tools/testing/selftests/kvm/Makefile.kvm of 7.3, but those that measure, or need what is not built
OTHERS = (
    "arm64/aarch32_id_regs", "arm64/arch_timer_edge_cases", "arm64/at", "arm64/debug-exceptions",
    "arm64/external_aborts", "arm64/hello_el2", "arm64/hidden_features", "arm64/host_sve",
    "arm64/hypercalls", "arm64/idreg-idst", "arm64/kvm-uuid", "arm64/mmio_sign_ext",
    "arm64/no-vgic", "arm64/page_fault_test", "arm64/psci_test", "arm64/sea_to_user",
    "arm64/set_id_regs", "arm64/smccc_filter", "arm64/vcpu_width_config", "arm64/vgic_init",
    "arm64/vgic_irq", "arm64/vpmu_counter_access", "arch_timer", "get-reg-list",
    "kvm_binary_stats_test", "set_memory_region_test", "steal_time",
)  # fmt: skip
# No RAS in the emulated CPU: KVM_SET_VCPU_EVENTS gives EINVAL, as on QEMU's own GICv3 machine.
FAILS = {"arm64/external_aborts"}


@pytest.mark.parametrize("name", ["arm64/vgic_v5", *OTHERS])
def test_selftest(rig: Rig, name: str, request: pytest.FixtureRequest) -> None:
    if name in OTHERS and not request.config.getoption("--kernel-selftests", default=False):
        pytest.skip("takes minutes to build: --kernel-selftests")
    provisioner = Provisioner(load_images(default_images()))
    binary = provisioner.selftest(provisioner.kernel("stock"), name).path
    machine, target = rig.machine("stock", 2, {"/selftest": binary})
    host = StressHost(machine, target.tree, target.provenance)
    try:
        done = host.command(["/selftest"], timeout=115)
    finally:
        host.close()
    if name in FAILS:
        assert done.status not in (0, SKIPPED), "it passes now: take it off the list"
    elif done.status == SKIPPED:
        pytest.skip(done.text.strip().splitlines()[-1])
    else:
        assert done.status == 0, done.text
