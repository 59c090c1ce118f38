# SPDX-License-Identifier: GPL-2.0-or-later
"""A KVM guest sees what bare metal sees on QEMU's own GICv5, but for what KVM itself changes."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.targets.qemu import QemuTarget
from harness.targets.spec import TargetSpec

from .compare import shrink
from .conftest import Boot
from .explain import KVM, Masked
from .generate import GUEST_FAMILIES, generate
from .kvm import KvmPair
from .machine import Side
from .mutants import GUEST_MUTANTS, build
from .ops import Program

KERNEL = "stock"
MUTANT_PROGRAMS = 30


@pytest.fixture(scope="module")
def target() -> QemuTarget:
    return QemuTarget.create(TargetSpec(kernel=KERNEL), print)


@pytest.fixture(scope="module")
def guests(target: QemuTarget, boot: Boot) -> Iterator[KvmPair]:
    host = target.boot()
    try:
        yield KvmPair(host, boot(Side.X5, 1))
    finally:
        host.close()


def programs(seed: int, count: int) -> list[Program]:
    return [generate(seed, index, GUEST_FAMILIES) for index in range(count)]


def test_guests_agree(guests: KvmPair, seed: int, count: int) -> None:
    batch = programs(seed, count // 5)  # a guest costs some 10 ms
    verdicts = guests.run(batch)
    found = [v.difference for v in verdicts if v.difference]
    shown = Counter(rule.name for v in verdicts for rule in set(v.used))
    print(f"seed {seed}: {len(batch)} guests, {sum(len(p.ops) for p in batch)} operations, "
          f"{len(found)} unexplained; with explained differences: "
          f"{dict(shown.most_common())}")  # fmt: skip
    if found:
        pytest.fail(f"{len(found)} of {len(batch)} programs differ; {shrink(found[0], guests)}")


@pytest.mark.parametrize("rule", KVM, ids=lambda rule: rule.name)
def test_each_explanation_is_needed(guests: KvmPair, rule: Masked) -> None:
    (verdict,) = guests.run([Program(rule.name, rule.witness)])
    assert rule in verdict.used, f"no longer so: delete {rule.name} from explain.py"
    assert verdict.difference is None


def test_a_broken_platform_is_found(target: QemuTarget, boot: Boot, tmp_path: Path) -> None:
    mutant = GUEST_MUTANTS[0]
    plugin = build(mutant, tmp_path)
    machine = dataclasses.replace(target.machine, plugin=plugin)
    host = dataclasses.replace(target, machine=machine).boot()
    try:
        verdicts = KvmPair(host, boot(Side.X5, 1)).run(programs(1, MUTANT_PROGRAMS))
    finally:
        host.close()
    found = [i for i, v in enumerate(verdicts, 1) if v.difference]
    assert found, f"{len(verdicts)} programs did not find it"
    print(f"{mutant.name}: found by program {found[0]}")
