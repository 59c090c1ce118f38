# SPDX-License-Identifier: GPL-2.0-or-later
"""Kernel reports in golden logs.

Real ones: nvhe, init-exit, boot, and of kernel/misdeeds.patch kasan, ubsan, list-corruption,
lockdep-order, sleep-in-atomic, wait-context, suspicious-rcu, hung-task and
inconsistent-lock.
The rest is modelled on the kernel's sources.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.console import MAX_EXCERPT, ReportKind, find_reports, kernel_lines

GOLDEN = Path(__file__).parent / "golden"
VGIC = "arch/arm64/kvm/vgic/vgic-v5.c"
SYSREGS = "arch/arm64/kvm/vgic/vgic-sys-reg-v5.c"
K = ReportKind

# log: (kind, function, file) of each report
EXPECTED = {
    "atomic-sleep": [(K.ATOMIC, "vgic_v5_set_ppi", "kernel/locking/mutex.c")],
    "bug-at": [(K.BUG, "vgic_v5_ppi_queue_irq_unlock", VGIC)],
    "end-of-a-report": [(K.BUG, "", "")],
    "hyp-panic": [(K.PANIC, "", "")],
    "innocent-boot": [],
    "kasan": [(K.KASAN, "misdeed_of_set", "")],
    "lockdep-order": [(K.LOCKDEP, "misdeed_of_set", "")],
    "sleep-in-atomic": [(K.ATOMIC, "misdeed_of_set", "./include/linux/sched/mm.h")],
    "wait-context": [(K.LOCKDEP, "misdeed_of_set", "")],
    "suspicious-rcu": [(K.LOCKDEP, "misdeed_of_set", "")],
    "hung-task": [(K.HUNG_TASK, "long_misdeed_of_set", "")],
    "inconsistent-lock": [(K.LOCKDEP, "long_misdeed_of_set", "")],
    "kcsan": [(K.KCSAN, "misdeed_of_set", ""), (K.KCSAN, "vgic_v5_load", "")],
    "list-corruption": [(K.WARNING, "misdeed_of_set", "lib/list_debug.c")],
    "lockdep-circular": [(K.LOCKDEP, "vgic_v5_finalize_ppi_state", "")],
    "lockup-and-hung-task": [
        (K.LOCKUP, "vgic_v5_flush_ppi_state", ""),
        (K.HUNG_TASK, "kvm_vcpu_ioctl", ""),
    ],
    "oops-null-caller-id": [(K.OOPS, "vgic_v5_finalize_ppi_state", ""), (K.PANIC, "", "")],
    "oops-nvhe-v5": [(K.UNDEFINED, "__vgic_v5_restore_ppi_state", ""), (K.PANIC, "", "")],
    "oops-nvhe-v5-stamped": [(K.UNDEFINED, "__vgic_v5_restore_ppi_state", ""), (K.PANIC, "", "")],
    "oops-truncated": [(K.OOPS, "", "")],
    "panic-init-exit": [(K.PANIC, "", "")],
    "rcu-stall": [(K.RCU_STALL, "vgic_v5_flush_ppi_state", "")],
    "serror": [(K.SERROR, "gicv5_irs_wait_for_idle", ""), (K.PANIC, "", "")],
    "ubsan": [(K.UBSAN, "misdeed_of_set", SYSREGS)],
    "warning-kmsg": [(K.WARNING, "vgic_v5_fold_ppi_state", VGIC)],
    "warning-old-style": [
        (K.WARNING, "kvm_put_kvm", "lib/refcount.c"),
        (K.WARNING, "refcount_warn_saturate", "lib/refcount.c"),
    ],
}


def golden(name: str) -> str:
    return (GOLDEN / f"{name}.log").read_text()


def test_every_golden_log_is_listed() -> None:
    assert {path.stem for path in GOLDEN.glob("*.log")} == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_golden(name: str) -> None:
    found = [(r.kind, r.function, r.file) for r in find_reports(golden(name))]
    assert found == EXPECTED[name]


@pytest.mark.parametrize("name", EXPECTED)
def test_line_ends_and_stamps_change_nothing(name: str) -> None:
    plain = "\n".join(kernel_lines(golden(name)))
    expected = [r.fingerprint for r in find_reports(golden(name))]
    if name == "innocent-boot":  # user text counts as the kernel's where nothing is stamped
        return
    assert [r.fingerprint for r in find_reports(plain)] == expected
    assert [r.fingerprint for r in find_reports(plain.replace("\n", "\r\n"))] == expected


def test_the_excerpt_is_the_report_and_no_more() -> None:
    (oops, panic) = find_reports(golden("oops-null-caller-id"))
    assert oops.excerpt[0].startswith("Unable to handle kernel NULL pointer")
    assert oops.excerpt[-1] == "---[ end trace 0000000000000000 ]---"
    assert not any("still talking" in line for line in oops.excerpt)
    assert panic.title == "Kernel panic - not syncing: Oops: Fatal exception"
    (kasan,) = find_reports(golden("kasan"))
    assert set(kasan.excerpt[-1]) == {"="}
    for name in ("atomic-sleep", "lockdep-circular"):
        (report,) = find_reports(golden(name))
        assert "next program" not in report.excerpt[-1]


def test_the_title_of_a_warning_is_its_message() -> None:
    report = find_reports(golden("warning-old-style"))[0]
    assert report.title == "refcount_t: underflow; use-after-free."
    assert report.summary == (
        "WARNING in kvm_put_kvm: refcount_t: underflow; use-after-free."
    )  # fmt: skip


def test_fingerprints_are_stable() -> None:
    text = golden("oops-nvhe-v5")
    other = text.replace("0xa8", "0xb0").replace("ffff80008065ba30", "ffff8000806fb000")
    assert [r.fingerprint for r in find_reports(text)] == [
        r.fingerprint for r in find_reports(other)
    ]
    moved = golden("warning-kmsg").replace(":381", ":399").replace("CPU#0", "CPU#3")
    assert find_reports(moved)[0].fingerprint == find_reports(golden("warning-kmsg"))[0].fingerprint


def test_a_repeated_report_is_one() -> None:
    assert len(find_reports(golden("warning-kmsg") * 3)) == 1


@pytest.mark.parametrize(
    "line",
    [
        "Kernel command line: console=ttyAMA0 panic=-1 oops=panic",
        "WARNING: something that a user program said",
        "Warning: unable to open an initial console.",
        "BUG: user text",
        "see BUG: KASAN: in the documentation",
        "the kernel said: Kernel panic - not syncing: no",
        "Run /init as init process",
        "kvm [71]: Unsupported guest access at: 40000010",
    ],
)
def test_innocent_lines(line: str) -> None:
    assert find_reports(line) == ()
    assert find_reports(f"[    1.000000] {line}") == ()


# The first line of what the checks of a debugging kernel print (Linux 7.3: kernel/kcsan/report.c,
# kernel/locking/lockdep.c and spinlock_debug.c, kernel/sched/core.c, kernel/watchdog.c,
# kernel/rcu/tree_stall.h, kernel/hung_task.c, mm/slub.c, lib/ubsan.c).
SAID = {
    "WARNING: possible circular locking dependency detected": K.LOCKDEP,
    "WARNING: possible recursive locking detected": K.LOCKDEP,
    "WARNING: possible irq lock inversion dependency detected": K.LOCKDEP,
    "WARNING: HARDIRQ-safe -> HARDIRQ-unsafe lock order detected": K.LOCKDEP,
    "WARNING: inconsistent lock state": K.LOCKDEP,
    "WARNING: suspicious RCU usage": K.LOCKDEP,
    "WARNING: bad unlock balance detected!": K.LOCKDEP,
    "WARNING: held lock freed!": K.LOCKDEP,
    "WARNING: lock held when returning to user space!": K.LOCKDEP,
    "WARNING: init/71 still has locks held!": K.LOCKDEP,
    "WARNING: Nested lock was not taken": K.LOCKDEP,
    "WARNING: bad contention detected!": K.LOCKDEP,
    "[ BUG: Invalid wait context ]": K.LOCKDEP,
    "INFO: trying to register non-static key.": K.LOCKDEP,
    "BUG: key ffff000001234567 has not been registered!": K.LOCKDEP,
    "BUG: spinlock bad magic on CPU#0, init/71": K.LOCKDEP,
    "BUG: sleeping function called from invalid context at mm/slub.c:1": K.ATOMIC,
    "BUG: scheduling while atomic: init/71/0x00000002": K.ATOMIC,
    "BUG: workqueue leaked atomic, lock or RCU: kworker/0:1[11]": K.ATOMIC,
    "BUG: KASAN: slab-use-after-free in vgic_put_irq+0x1c/0x88": K.KASAN,
    "BUG: KASAN: slab-out-of-bounds in vgic_put_irq+0x1c/0x88": K.KASAN,
    "BUG: KCSAN: data-race in vgic_v5_load / vgic_v5_put": K.KCSAN,
    "BUG: KCSAN: assert: race in vgic_v5_load / vgic_v5_put": K.KCSAN,
    "UBSAN: shift-out-of-bounds in arch/arm64/kvm/vgic/vgic-v5.c:1:2": K.UBSAN,
    "UBSAN: array-index-out-of-bounds in arch/arm64/kvm/vgic/vgic-v5.c:1:2": K.UBSAN,
    "rcu: INFO: rcu_sched self-detected stall on CPU": K.RCU_STALL,
    "rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:": K.RCU_STALL,
    "rcu: INFO: rcu_preempt detected expedited stalls on CPUs/tasks: { 0-.... }": K.RCU_STALL,
    "watchdog: BUG: soft lockup - CPU#0 stuck for 22s! [init:71]": K.LOCKUP,
    "watchdog: CPU0: Watchdog detected hard LOCKUP on cpu 0": K.LOCKUP,
    "INFO: task init:71 blocked for more than 10 seconds.": K.HUNG_TASK,
    "BUG kmalloc-64 (Not tainted): Object already free": K.BUG,
    "BUG: Bad page state in process init  pfn:44000": K.BUG,
    "WARNING: lib/list_debug.c:62 at __list_del_entry_valid_or_report+0x1/0x2, CPU#0": K.WARNING,
}


@pytest.mark.parametrize("line", SAID)
def test_what_debugging_kernels_say(line: str) -> None:
    (report,) = find_reports(f"[    1.000000] {line}")
    assert report.kind is SAID[line]


def test_user_output_is_not_the_kernels_where_kernel_lines_are_stamped() -> None:
    assert find_reports("[    1.000000] hello\nkernel BUG at user.c:1!\n") == ()
    assert find_reports("prompt$ [    1.000000] kernel BUG at mm/slub.c:1!\n")


def test_a_long_report_is_cut() -> None:
    lines = ["Unable to handle kernel paging request", *[" frame"] * 300]
    (report,) = find_reports("\n".join([*lines, "---[ end trace 0 ]---"]))
    assert len(report.excerpt) == MAX_EXCERPT


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    find_reports(text)


@given(st.sampled_from(sorted(EXPECTED)), st.integers(0, 5000))
def test_truncated_logs_are_read(name: str, size: int) -> None:
    text = golden(name)
    for part in (text[:size], text[size:]):
        for report in find_reports(part):
            assert report.excerpt
            assert report.fingerprint
