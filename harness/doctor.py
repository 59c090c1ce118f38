# SPDX-License-Identifier: GPL-2.0-or-later
"""`gicv5 doctor`: what a host is, what it lacks for the suite, and what to do about it."""

from __future__ import annotations

import argparse
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from harness.errors import TargetError
from harness.report.facts import kvm_mode
from harness.report.listing import errno_name
from harness.targets import pstore
from harness.targets.kinds import opened
from harness.targets.spec import Progress, TargetSpec
from harness.wire import Hello

OK, LACKS, NOTE = "ok", "LACKS", "note"
CLOCK_SECONDS: Final = 300
WFI_OPTION: Final = "kvm-arm.wfi_trap_policy=trap"
EXIT_UNFIT: Final = TargetError.exit_code
_SECONDS: Final = 60.0

# What the host's own shell says; an empty answer is "not known".
QUESTIONS: Final[Mapping[str, str]] = {
    "arch": "uname -m",
    "cmdline": "cat /proc/cmdline",
    "gic": "cat /proc/device-tree/*/compatible /proc/device-tree/*/*/compatible 2>/dev/null | "
    "tr '\\0' '\\n' | grep '^arm,gic' | sort | head -n 1",
    "acpi": "ls /sys/firmware/acpi/tables/APIC 2>/dev/null",
    "kvm": "ls -l /dev/kvm 2>&1",
    "config": "{ zcat /proc/config.gz || cat /boot/config-$(uname -r); } 2>/dev/null | "
    "grep -E '^CONFIG_(KVM|ARM_GIC_V5|HW_PERF_EVENTS|ARM_PMUV3|MAGIC_SYSRQ|KALLSYMS)='",
    "time": "date +%s",
    "free": "df -Pk /tmp | tail -n 1 | awk '{print $4}'",
    "tainted": "cat /proc/sys/kernel/tainted 2>/dev/null",
    "kmsg": "[ -r /dev/kmsg ] && echo readable",
    "pstore": pstore.BACKEND,
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report.  ``evidence``: what showed it; ``remedy``: unless it is ok."""

    state: str
    what: str
    evidence: str
    remedy: str = ""


def examine(
    hello: Hello, boot_log: str, answers: Mapping[str, str], now: float
) -> Iterator[Finding]:
    """What the probes mean.  ``now``: this machine's clock."""
    yield from _processor(boot_log, answers, hello)
    yield from _kvm(hello, boot_log, answers)
    yield from _kernel(hello, answers)
    yield from _environment(answers, now)


def _processor(boot_log: str, answers: Mapping[str, str], hello: Hello) -> Iterator[Finding]:
    arch = answers.get("arch", "")
    remedy = "the suite is for arm64 hosts"
    yield _check(arch in ("aarch64", ""), "architecture", arch or "the agent runs", remedy)
    mode, el2 = kvm_mode(boot_log), re.search(r"CPU: All CPU\(s\) started at EL(\d)", boot_log)
    if mode or el2:
        started = f"started at EL{el2[1]}" if el2 else "KVM is up"
        fits = bool(mode) or (el2 is not None and el2[1] == "2")
        yield _check(
            fits, "EL2", started, "boot the kernel at EL2: firmware or hypervisor keeps it at EL1"
        )
    protected = mode.startswith("Protected")
    yield Finding(
        OK if mode and not protected else NOTE if not protected else LACKS, "KVM mode",
        mode or "the boot log does not say (may it be read? was it overwritten?)",
        "kvm-arm.mode=nvhe or vhe: protected KVM has no VGICv5" if protected else
        "the model takes VHE; see that dmesg shows the boot" * (not mode),
    )  # fmt: skip
    gic = answers.get("gic", "")
    said = re.search(r"GICv5[^\n]*", boot_log)
    found = gic.startswith("arm,gic-v5") or said is not None
    evidence = gic or (said[0] if said else "") or ("ACPI" if answers.get("acpi") else "no sign")
    state = OK if found else LACKS if gic else NOTE
    yield Finding(
        state, "GICv5", evidence,
        "" if found else "this is not a GICv5 host, or its firmware does not describe one",
    )  # fmt: skip
    yield Finding(OK, "CPUs", str(hello.cpus))


def _kvm(hello: Hello, boot_log: str, answers: Mapping[str, str]) -> Iterator[Finding]:
    said = [line.strip() for line in boot_log.splitlines() if re.search(r"kvm \[\d+\]: ", line)]
    evidence = answers.get("kvm", "") if not hello.kvm_errno else (
        f"{errno_name(hello.kvm_errno)}; {answers.get('kvm', '')}; {' / '.join(said[-2:])}"
    )  # fmt: skip
    yield _check(
        not hello.kvm_errno, "/dev/kvm", evidence,
        "EACCES: root, sudo or group kvm; ENOENT: CONFIG_KVM, EL2, no kvm-arm.mode=none",
    )  # fmt: skip
    if hello.kvm_errno:
        return
    yield _check(
        not hello.vgic_v5_errno, "VGICv5 can be created",
        errno_name(hello.vgic_v5_errno) if hello.vgic_v5_errno else "KVM_CREATE_DEVICE",
        "Linux 7.1 or later with CONFIG_ARM_GIC_V5 on a GICv5 host; not protected KVM",
    )  # fmt: skip
    for what, error, since in (
        ("register accessors (CPU_SYSREGS)", hello.sysregs_errno, "families masking and others"),
        ("IRS address (ADDR)", hello.irs_errno, "families irs, spi, ist"),
    ):
        if error:
            remedy = f"a kernel with the ABI queued for 7.4; without it {since} are skipped"
            yield Finding(NOTE, what, errno_name(error), remedy)
        else:
            yield Finding(OK, what, "KVM_HAS_DEVICE_ATTR")
    pmu = "CONFIG_HW_PERF_EVENTS, CONFIG_ARM_PMUV3 and a PMU in the device tree; else skipped"
    yield Finding(
        OK if hello.pmu else NOTE, "guest PMU", "KVM_CAP_ARM_PMU_V3", "" if hello.pmu else pmu
    )
    yield Finding(OK, "vCPUs of a VM", str(hello.max_vcpus))


def _kernel(hello: Hello, answers: Mapping[str, str]) -> Iterator[Finding]:
    yield Finding(OK, "kernel", f"{hello.release} {hello.version}")
    config = answers.get("config", "")
    if not config:
        yield Finding(
            NOTE, "kernel config", "neither /proc/config.gz nor /boot/config-*",
            "CONFIG_IKCONFIG_PROC shows it; nothing else depends on that",
        )  # fmt: skip
    for option in ("KVM", "ARM_GIC_V5") if config else ():
        there = f"CONFIG_{option}=y" in config
        yield _check(
            there, f"CONFIG_{option}", "y" if there else "not set", f"build with CONFIG_{option}=y"
        )
    traps = WFI_OPTION in answers.get("cmdline", "")
    yield Finding(
        OK if traps else NOTE, "WFI traps", WFI_OPTION if traps else "not on the command line",
        "" if traps else f"boot with {WFI_OPTION}: else programs that wait depend on the CPU's WFI",
    )  # fmt: skip
    if tainted := answers.get("tainted", ""):  # a kernel without sysctl does not say
        yield Finding(
            OK if tainted == "0" else NOTE, "taint", tainted,
            "" if tainted == "0" else "bits 7 and 9: it has oopsed or warned since boot; reboot it",
        )  # fmt: skip


def _environment(answers: Mapping[str, str], now: float) -> Iterator[Finding]:
    if "readable" in answers.get("kmsg", ""):
        yield Finding(OK, "kernel log", "/dev/kmsg")
    else:
        yield Finding(
            NOTE, "kernel log", "/dev/kmsg cannot be read",
            "log in as root or allow sudo: without it a WARN is not seen",
        )  # fmt: skip
    kept = pstore.kept(answers.get("pstore", ""))
    yield Finding(
        OK if kept else NOTE, "pstore", answers.get("pstore") or "the kernel has none",
        "" if kept else "if no console is read: reserve_mem= and ramoops (docs/boards.md); else an"
        " ERROR is all that is told of a panic",
    )  # fmt: skip
    if (free := answers.get("free", "")).isdigit():
        yield _check(
            int(free) > 4096, "room in /tmp", f"{int(free) >> 10} MiB",
            "free some, or name another `folder:` in the boards file",
        )  # fmt: skip
    if (clock := answers.get("time", "")).isdigit():
        off = abs(int(clock) - now)
        yield Finding(
            OK if off < CLOCK_SECONDS else NOTE, "clock", f"{off:.0f} s from here",
            "" if off < CLOCK_SECONDS else "no verdict depends on it; set it for readable logs",
        )  # fmt: skip


def _check(fits: bool, what: str, evidence: str, remedy: str) -> Finding:
    return Finding(OK if fits else LACKS, what, evidence, "" if fits else remedy)


def script() -> str:
    """All QUESTIONS at once, for a shell."""
    return "; ".join(f"echo '=={key}'; {{ {command}; }}" for key, command in QUESTIONS.items())


def answers_of(text: str) -> dict[str, str]:
    """What the script printed, by question."""
    answers = dict[str, str]()
    for part in f"\n{text}".split("\n==")[1:]:
        key, _, answer = part.partition("\n")
        answers[key] = answer.strip()
    return answers


# --- the command ---


def doctor_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--target", default="qemu", metavar="KIND",
                        help="qemu, ssh:HOST or board:NAME (default: qemu)")  # fmt: skip
    parser.add_argument("--kernel", metavar="NAME", help="with qemu: as for run")
    parser.add_argument("--boards", type=Path, metavar="FILE", help="boards.yaml")
    parser.add_argument("--images", type=Path, metavar="FILE", help="images.yaml")


def diagnose(options: argparse.Namespace, progress: Progress) -> list[Finding]:
    """Connect, ask, judge.  HarnessError if the host is out of reach."""
    spec = TargetSpec(
        options.target, options.kernel, images=options.images, boards=options.boards,
        power=False,  # to look must not change anything
    )  # fmt: skip
    start = time.monotonic()
    with opened(spec, progress) as target:
        host = target.boot()
        try:
            answers = answers_of(host.command(["sh", "-c", script()], _SECONDS).text)
            took = f"{time.monotonic() - start:.1f} s"
            name = host.provenance.get("board", options.target)
            findings = [Finding(OK, "reached", f"{name}, in {took}")]
            findings += examine(host.hello, host.boot_log, answers, time.time())
            return findings
        finally:
            host.close()


def lines(findings: list[Finding]) -> Iterator[str]:
    """The report, for people."""
    width = max(len(f.what) for f in findings)
    for finding in findings:
        evidence = " ".join(finding.evidence.split())
        yield f"{finding.state:5}  {finding.what:{width}}  {evidence}".rstrip()
        if finding.remedy:
            yield f"{'':7}{'':{width}}  remedy: {finding.remedy}"


def command_doctor(options: argparse.Namespace) -> int:
    """0: the suite can run there; 6: it cannot, or nobody answers."""
    findings = diagnose(options, lambda _message: None)
    for line in lines(findings):
        print(line)
    lacking = [f.what for f in findings if f.state == LACKS]
    print(f"the suite cannot run here: {', '.join(lacking)}" if lacking else "the suite can run")
    return EXIT_UNFIT if lacking else 0
