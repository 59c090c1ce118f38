# SPDX-License-Identifier: GPL-2.0-or-later
"""`gicv5 run`: the suite on kernels, one after the other."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from harness.commands.images import images_option
from harness.commands.shown import print_outcomes, progress, report
from harness.errors import EXIT_KERNEL, HarnessError, ProvisionError
from harness.provision import Provisioner, load_images, project_root
from harness.provision.process import child

_PYTEST_FAILED = 1


def run_options(parser: argparse.ArgumentParser) -> None:
    parser.usage = "gicv5 run [KERNEL ...] [options] [-- PYTEST-ARGUMENT ...]"
    kernels = "a name, an Image, or a kernel tree (default: run)"
    parser.add_argument("kernels", nargs="*", metavar="KERNEL", help=kernels)
    images_option(parser)
    parser.add_argument("--qemu", metavar="NAME", help="a QEMU from images.yaml, or an executable")
    cpus = "CPUs of the machine under test"
    parser.add_argument("--host-cpus", metavar="N", type=int, help=cpus)


def command_run(options: argparse.Namespace) -> int:
    """Each kernel is provisioned just before its turn, so that the first verdict comes early."""
    images = load_images(options.images)
    names = options.kernels or images.run
    for name in names:
        if "/" not in name and not Path(name).exists():
            images.kernel(name)
    outcomes: list[tuple[str, str, int, float]] = []
    for name in names:
        start = time.monotonic()
        try:
            with progress() as say:
                provisioner = Provisioner(images, progress=say)
                if why := _passed_over(provisioner, name, bool(options.kernels)):
                    print(f"\n{name}: passed over: {why}", flush=True)
                    outcomes.append((name, "passed over", 0, time.monotonic() - start))
                    continue
                provisioner.qemu(options.qemu)
                provisioner.plugin()
                provisioner.initramfs(provisioner.kernel(name))
            code = _pytest(name, options)
            result = _result(code)
        except HarnessError as error:
            report(error)
            code, result = error.exit_code, "ERROR (not provisioned)"
        outcomes.append((name, result, code, time.monotonic() - start))
    print_outcomes(outcomes)
    return _overall([code for _, _, code, _ in outcomes])


def _passed_over(provisioner: Provisioner, name: str, asked: bool) -> str:
    """Why an optional kernel, unless the user named it, is not judged; "" if it is."""
    if asked:
        return ""
    try:
        return "" if provisioner.is_there(name) else "not in the archive yet"
    except ProvisionError as error:
        return f"the archive cannot be asked for it: {error.what}"


def _pytest(kernel: str, options: argparse.Namespace) -> int:
    argv = [sys.executable, "-m", "pytest", "--target=qemu", "--kernel", kernel]
    argv += ["--images", str(options.images)]
    if options.qemu:
        argv += ["--qemu", options.qemu]
    if options.host_cpus is not None:
        argv += ["--host-cpus", str(options.host_cpus)]
    argv += options.pytest_arguments
    named = (a.partition("::")[0] for a in options.pytest_arguments if not a.startswith("-"))
    if not any(Path(a).exists() for a in named):
        argv.append(str(project_root() / "tests" / "target"))
    print(f"\n{kernel}", flush=True)
    return child(argv)


def _result(code: int) -> str:
    if code in (0, _PYTEST_FAILED):
        return "FAIL" if code else "PASS"
    return f"ERROR (pytest ended with {code})"


def _overall(codes: Sequence[int]) -> int:
    """1 if a kernel is at fault; else what of ours went wrong; else 0."""
    if EXIT_KERNEL in codes:
        return EXIT_KERNEL
    wrong = next((code for code in codes if code), 0)
    return wrong if wrong >= 0 else 2
