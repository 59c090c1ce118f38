# SPDX-License-Identifier: GPL-2.0-or-later
"""Which PPIs are exposed, and what the first run clears: reference E.4, F.3, F.5 #1-#3."""

from __future__ import annotations

from errno import EBUSY, EINVAL

import pytest
from model_tools import EXPOSED, EXPOSED_PMU, HIDDEN, MASKED, STOCK, UNMASKED, Kernel

from harness.model import Behaviour, HostFacts
from harness.ppi import CNTP, CNTV, PMUIRQ, SW_PPI, U64
from harness.program import FEATURE_POWER_OFF, FEATURE_PSCI_0_2, InitVcpu, Run, pmu_init
from harness.trace import RunEnd

SW_ONLY = 1 << SW_PPI
PMU_ONLY = SW_ONLY | 1 << PMUIRQ


@pytest.mark.parametrize("behaviour", [MASKED, UNMASKED, STOCK])
@pytest.mark.parametrize(("pmu", "mask"), [(None, EXPOSED), ((0, 1), EXPOSED_PMU)])
def test_mask_if_index_0_runs_first(
    behaviour: Behaviour, pmu: tuple[int, ...] | None, mask: int
) -> None:
    kernel = Kernel(behaviour, vcpus=2, pmu=pmu)
    assert kernel.write("ENABLER0", U64) == mask
    assert kernel.write("ENABLER0", U64, vcpu=1) == mask


@pytest.mark.parametrize(
    ("pmu", "mask"), [(None, SW_ONLY), ((0, 1), PMU_ONLY), ((1,), SW_ONLY)],
    ids=["plain", "index-0-has-pmu-init", "index-0-has-no-pmu-init-yet"],
)  # fmt: skip
def test_a_mask_if_index_1_runs_first(pmu: tuple[int, ...] | None, mask: int) -> None:
    """F.5 #1: index 0's timers have no owner yet, and the mask is never made again."""
    kernel = Kernel(STOCK, vcpus=2, pmu=pmu)
    assert kernel.write("ENABLER0", U64, vcpu=1) == mask
    kernel(pmu_init(0))
    assert kernel.write("ENABLER0", U64) == mask


def test_a_depends_on_creation_order_not_id() -> None:
    kernel = Kernel(STOCK, vcpus=3)
    assert kernel.write("ENABLER0", U64, vcpu=2) == SW_ONLY


@pytest.mark.parametrize("first", [0, 1, 2])
def test_c_mask_does_not_depend_on_order(first: int) -> None:
    kernel = Kernel(MASKED, vcpus=3)
    assert kernel.write("ENABLER0", U64, vcpu=first) == EXPOSED


def test_host_without_pmu() -> None:
    kernel = Kernel(host=HostFacts(pmu=False), pmu=())
    assert kernel(InitVcpu(features=1 << 3)) == -EINVAL


def test_failed_first_run_owns_timers_but_does_not_finalize() -> None:
    """A PMU vCPU without PMU_V3/INIT: kvm_timer_enable() comes before the check that fails."""
    kernel = Kernel(STOCK, vcpus=2, pmu=(1,))
    failed = kernel.results(Run())
    assert (failed[0].ret, failed[0].value) == (-EINVAL, RunEnd.FAILED)
    # Thanks to that, A now finds owners on index 0 (but no PMU).
    assert kernel.write("ENABLER0", U64, vcpu=1) == EXPOSED


def test_failed_first_run_is_no_run_for_late_writes() -> None:
    kernel = Kernel(pmu=())
    kernel(Run())
    assert kernel.set("ENABLER0", U64) == 0
    kernel(pmu_init(), Run())
    assert kernel.set("ENABLER0", U64) == -EBUSY


def test_c_clears_hidden_state_at_each_own_first_run() -> None:
    """F.5 #2 and #3."""
    kernel = Kernel(vcpus=2)
    for vcpu in (0, 1):
        kernel.set_state(U64, vcpu)
    assert kernel.view(0) == (EXPOSED, EXPOSED, SW_ONLY)
    assert kernel.get_state(1) == (U64, U64, U64), "vCPU 1 has not run"
    assert kernel.view(1) == (EXPOSED, EXPOSED, SW_ONLY)
    assert kernel.get_state(1) == (EXPOSED, EXPOSED, EXPOSED)


def test_c_keeps_what_is_not_ppi_state() -> None:
    kernel = Kernel()
    for name, value in {"PCR": 0x1F, "APR": 0x80000000, "PRIORITYR5": 0x1F, "ICSR": 1}.items():
        kernel.set(name, value)
    kernel(Run())
    assert (kernel.get("PCR"), kernel.get("APR"), kernel.get("PRIORITYR5")) == (31, 1 << 31, 31)


def test_b_leaks_hidden_enable_and_active() -> None:
    kernel = Kernel(UNMASKED)
    kernel.set_state(U64)
    assert kernel.view() == (U64, U64, SW_ONLY)
    assert kernel.write("ENABLER0", U64) == EXPOSED, "the guest's own write is masked"


def test_timer_of_a_hidden_ppi_still_shows_its_line() -> None:
    """In A with index 1 first: DVI is active, so Pending is the line, but nothing is delivered."""
    kernel = Kernel(STOCK, vcpus=2)
    kernel(Run(vcpu=1))
    guest = kernel.execution.vms[0].vcpus[1]
    guest.vtimer.write_ctl(1)
    assert kernel.read("SPENDR0", vcpu=1) == 1 << CNTV
    assert kernel.read("HPPIR", vcpu=1) == 0


def test_powered_off_vcpu_runs_the_first_run_path() -> None:
    """A secondary that waits for PSCI CPU_ON finalizes for all: in A, with index 0's owners."""
    kernel = Kernel(STOCK, vcpus=2)
    kernel(InitVcpu(0, 1, FEATURE_PSCI_0_2 | FEATURE_POWER_OFF))
    assert kernel.results(Run(vcpu=1))[0].value == RunEnd.INTERRUPTED
    assert kernel.write("ENABLER0", U64) == SW_ONLY


def test_nvhe_exposes_the_emulated_timer_too() -> None:
    kernel = Kernel(host=HostFacts(vhe=False))
    assert kernel.write("ENABLER0", U64) == EXPOSED
    assert kernel.execution.vms[0].vcpus[0].dvir == 1 << CNTV


def test_hmr_follows_the_mask() -> None:
    kernel = Kernel()
    kernel(Run())
    assert kernel.execution.vms[0].hmr == (1 << CNTV | 1 << CNTP)
    assert EXPOSED & HIDDEN == 0
