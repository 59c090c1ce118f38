# SPDX-License-Identifier: GPL-2.0-or-later
"""What the model must know of a host, from its greeting and its boot log."""

from __future__ import annotations

import re
from typing import Final

from harness.model.behaviour import HostFacts
from harness.wire import Hello

# arch/arm64/kvm/arm.c kvm_arm_init(): "VHE", "Hyp nVHE", "Hyp hVHE", "Protected hVHE", "VHE+NV2"
_MODE: Final = re.compile(r"kvm \[\d+\]: (Hyp |Protected )?([nh]?VHE)\S* mode initialized")


def kvm_mode(boot_log: str) -> str:
    """``VHE``, ``nVHE``, ``hVHE``, ``Protected hVHE``; "" if KVM did not say."""
    if match := _MODE.search(boot_log):
        prefix = match[1] if match[1] == "Protected " else ""
        return f"{prefix}{match[2]}"
    return ""


def host_facts(hello: Hello, boot_log: str) -> HostFacts:
    """A KVM that did not say (``quiet``) is taken to run in VHE, as it does where it can."""
    return HostFacts(pmu=bool(hello.pmu), vhe=kvm_mode(boot_log) in ("VHE", ""))
