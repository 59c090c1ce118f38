# SPDX-License-Identifier: GPL-2.0-or-later
"""What the model must know of a host, from its greeting and its boot log."""

from __future__ import annotations

import errno
import re
from typing import Final

from harness.errors import TargetError
from harness.model.behaviour import HostFacts
from harness.wire import Hello

# arch/arm64/kvm/arm.c kvm_arm_init(): "VHE", "Hyp nVHE", "Hyp hVHE", "Protected hVHE", "VHE+NV2"
_MODE: Final = re.compile(r"kvm \[\d+\]: (Hyp |Protected )?([nh]?VHE)\S* mode initialized")

_SAYS_WHY: Final = re.compile(r"kvm \[\d+\]: |started at EL|not virtualization capable")


def kvm_mode(boot_log: str) -> str:
    """``VHE``, ``nVHE``, ``hVHE``, ``Protected hVHE``; "" if KVM did not say."""
    if match := _MODE.search(boot_log):
        prefix = match[1] if match[1] == "Protected " else ""
        return f"{prefix}{match[2]}"
    return ""


def unfit(hello: Hello, boot_log: str) -> TargetError | None:
    """Why no program can be judged on this host, with what its kernel said; None if some can."""
    said = [line.strip() for line in boot_log.splitlines() if _SAYS_WHY.search(line)]
    because = "".join(f"\n  the kernel said: {line}" for line in said)
    if hello.kvm_errno:
        return TargetError(
            f"this kernel has no KVM: /dev/kvm: {_name(hello.kvm_errno)}{because}",
            "use a kernel with CONFIG_KVM that is started at EL2, without kvm-arm.mode=none",
        )
    if hello.vgic_v5_errno:
        return TargetError(
            f"its KVM has no VGICv5: KVM_CREATE_DEVICE: {_name(hello.vgic_v5_errno)}{because}",
            "use Linux 7.1 or later with CONFIG_ARM_GIC_V5, not protected (pKVM has no VGICv5)",
        )
    return None


def _name(number: int) -> str:
    return errno.errorcode.get(number, str(number))


def host_facts(hello: Hello, boot_log: str) -> HostFacts:
    """A KVM that did not say (``quiet``) is taken to run in VHE, as it does where it can."""
    return HostFacts(pmu=bool(hello.pmu), vhe=kvm_mode(boot_log) in ("VHE", ""))
