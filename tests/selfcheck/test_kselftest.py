# SPDX-License-Identifier: GPL-2.0-or-later
"""The suite as a kernel selftest on hosts without Python, and the kernel's selftests as pytest's.

A kernel developer's way: `gicv5 selftest install`, make, run_kselftest.sh.  Its verdicts must be
the harness' own, program by program.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from suite_report import RunSuite, run_suite

from harness.cli import main
from harness.kselftest.glue import TARGET
from harness.ktap import Report, parse
from harness.provision.images import load_images
from harness.provision.paths import default_images
from harness.provision.process import run
from harness.provision.provisioner import Provisioner
from harness.provision.system import Need, cross_prefix, ensure
from harness.targets.base import CommandOutput
from harness.targets.qemu import QemuTarget
from harness.targets.spec import TargetSpec

# All that the selftests' build looks at: a whole tree has 90000 files.
PARTS = (
    "Makefile", "Kconfig", "arch/arm64/Kconfig", "scripts/subarch.include",
    "tools/testing/selftests/Makefile", "tools/testing/selftests/lib.mk",
    "tools/testing/selftests/kselftest.h", "tools/testing/selftests/kselftest",
    "tools/testing/selftests/run_kselftest.sh", "tools/testing/selftests/kvm/Makefile",
)  # fmt: skip
# devtmpfs has no links; run_kselftest.sh writes to /dev/stdout.
PREPARE = (
    "/bin/busybox --install -s /bin; for f in stdin:0 stdout:1 stderr:2; do "
    "ln -s /proc/self/fd/${f#*:} /dev/${f%:*}; done"
)


@pytest.fixture(scope="module")
def provisioner() -> Provisioner:
    return Provisioner(load_images(default_images()))


@pytest.fixture(scope="module")
def installed(provisioner: Provisioner, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `make install` made of a 7.3.y tree with the glue in it."""
    pristine = provisioner.source_tree(provisioner.kernel("stock"))
    tree, out = tmp_path_factory.mktemp("tree"), tmp_path_factory.mktemp("installed")
    for part in PARTS:
        (tree / part).parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if (pristine / part).is_dir() else shutil.copy
        copy(pristine / part, tree / part)
    ensure((Need("rsync", ("rsync",)),), run, print)
    assert main(["selftest", "install", str(tree)]) == 0
    argv = ["make", "-C", str(tree / "tools/testing/selftests"), "-j2", f"TARGETS={TARGET}"]
    argv += ["ARCH=arm64", f"CROSS_COMPILE={cross_prefix()}", "FORCE_TARGETS=1", "install"]
    subprocess.run([*argv, f"INSTALL_PATH={out}"], check=True, stdout=subprocess.DEVNULL)
    assert main(["selftest", "remove", str(tree)]) == 0
    assert not (tree / "tools/testing/selftests" / TARGET).exists()
    return out


def run_kselftest(
    provisioner: Provisioner, folder: Path, kernel: str, *options: str
) -> CommandOutput:
    """run_kselftest.sh on a host that has a shell, and neither Python nor the harness' programs."""
    shell = provisioner.package_file("busybox-static", "arm64", "usr/bin/busybox")
    files = {f"/{p.relative_to(folder)}": p for p in folder.rglob("*") if p.is_file()}
    spec = TargetSpec(kernel=kernel, files={"/bin/busybox": shell.path, **files}, memory=256)
    host = QemuTarget.create(spec, lambda _message: None).boot()
    try:
        assert host.command(["/bin/busybox", "sh", "-c", PREPARE], 30).status == 0
        return host.command(["/bin/sh", "/run_kselftest.sh", *options], 118)
    finally:
        host.close()


def verdicts(report: Report) -> dict[str, tuple[str, str]]:
    """Verdict and reason of a skip by program."""
    return {path[-1]: (each.status.name, each.reason) for path, each in report.leaves()}


@pytest.mark.parametrize(
    ("kernel", "families"),
    [
        ("stock", ("order", "timers", "errno-sysregs", "irs", "non-v5")),
        ("masked", ("order", "masking-vcpus", "after-first-run")),
    ],
)
def test_the_glue_gives_the_verdicts_of_the_harness(
    provisioner: Provisioner, installed: Path, suite: RunSuite, kernel: str, families: tuple[str]
) -> None:
    chosen = [word for family in families for word in ("-t", f"{TARGET}:{family}")]
    done = run_kselftest(provisioner, installed, kernel, *chosen)
    report = parse(done.text)
    assert (done.status, list(report.all_problems())) == (int(kernel == "stock"), []), done.text
    assert "PASS" in {each.status.name for each in report.results}
    want = {
        case.program: (case.verdict, case.text.split("\n")[0] if case.verdict == "SKIP" else "")
        for case in suite(kernel).cases
        if case.family in families
    }
    assert verdicts(report) == want


def test_the_kernels_selftests_are_items_of_pytest(tmp_path: Path) -> None:
    """One that prints no KTAP, one with subtests, of which two are skipped."""
    tests = "kvm:arm64/vgic_v5,kvm:arm64/hidden_features"
    report = run_suite(tmp_path, "stock", f"--kselftest={tests}")
    assert report.status == 0, report.output
    whole, *parts = report.cases
    assert (whole.program, whole.verdict) == ("kvm:arm64/vgic_v5", "PASS")
    assert [each.verdict for each in parts] == ["PASS"] * 2 + ["SKIP"] * 2 + ["PASS"] * 4
    assert parts[0].program == "kvm:arm64/hidden_features::TLBI OS advertised"


def test_a_selftest_has_as_long_as_it_is_given(tmp_path: Path) -> None:
    """rseq_test takes minutes; what comes after a test that was killed has a fresh host."""
    tests = "kvm:rseq_test,kvm:arm64/vgic_v5"
    report = run_suite(
        tmp_path, "stock", f"--kselftest={tests}", "--host-cpus=2", "--kselftest-timeout=2"
    )
    assert [case.verdict for case in report.cases] == ["FAIL", "PASS"], report.output
    assert report.cases[0].text.startswith("FAIL: TIMEOUT: no end after 2 s")
