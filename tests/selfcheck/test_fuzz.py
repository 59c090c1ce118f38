# SPDX-License-Identifier: GPL-2.0-or-later
"""The fuzzer on known kernels: it finds what is wrong with them, and its C files show it, too."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.cli import main
from harness.fuzz.fuzzer import sizes
from harness.fuzz.text import read_program
from harness.provision.system import cross_prefix
from harness.targets.qemu import QemuTarget
from harness.targets.spec import TargetSpec


def fuzz(corpus: Path, *options: str) -> int:
    return main(["fuzz", "--corpus", str(corpus), *options])


def compiled(source: Path) -> Path:
    binary = source.with_suffix("")
    argv = [f"{cross_prefix()}gcc", "-O2", "-Wall", "-Wextra", "-Werror", "-static"]
    subprocess.run([*argv, "-o", str(binary), str(source)], check=True)
    return binary


@contextmanager
def host_with(kernel: str, binary: Path) -> Iterator[tuple[int, str]]:
    """What the reproducer says on a host that was booted for it."""
    spec = TargetSpec(kernel=kernel, files={"/reproducer": binary})
    host = QemuTarget.create(spec, lambda _message: None).boot()
    try:
        output = host.command(["/reproducer"], timeout=60)
        yield output.status, output.text
    finally:
        host.close()


@pytest.fixture(scope="module")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The corpus of a short session on a kernel with the order defect."""
    folder = tmp_path_factory.mktemp("stock")
    assert fuzz(folder, "--kernel", "stock", "--programs", "60", "--seed", "selfcheck") == 1
    return folder / "findings"


def test_the_order_defect_is_found(stock: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A VM with two vCPUs, and one run; on the next kernel it passes."""
    (path,) = stock.glob("run-write-ppi-enabler0-el1-lost-cntv.program")
    assert sizes(read_program(path)) == (2, 1, 1)
    assert main(["replay", str(path), "--kernel", "stock"]) == 1
    assert main(["replay", str(path), "--kernel", "fixed"]) == 0
    assert f"{path}: PASS" in capsys.readouterr().out


def test_its_c_file_shows_it_without_the_harness(stock: Path) -> None:
    binary = compiled(stock / "run-write-ppi-enabler0-el1-lost-cntv.c")
    with host_with("stock", binary) as (status, text):
        assert status == 1, text
        assert "affected: operation 8.0: write ICC_PPI_ENABLER0_EL1" in text
    with host_with("fixed", binary) as (status, text):
        assert status == 0, text


def test_a_host_that_dies_is_one_finding(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without VHE each first run of a VGICv5 is an oops (docs/findings/nvhe-oops.md)."""
    assert fuzz(tmp_path, "--kernel", "debian-nvhe", "--programs", "3", "--seed", "selfcheck") == 1
    assert len(list((tmp_path / "findings").glob("crash-*.program"))) == 1
    assert "findings: 1 (2 failures)" in capsys.readouterr().out  # one of the three has no run


def test_masking_leaks_are_found(tmp_path: Path) -> None:
    """Set before the first run, seen after it.  A kernel without accessors cannot tell."""
    assert fuzz(tmp_path, "--kernel", "unmasked", "--programs", "12", "--seed", "selfcheck") == 1
    leaks = sorted((tmp_path / "findings").glob("*leaked*.c"))
    assert leaks
    with host_with("stock", compiled(leaks[0])) as (status, text):
        assert status == 4, text


def test_no_false_alarms(tmp_path: Path) -> None:
    """All that is wrong with `masked` is docs/findings/stale-virtual-ppi.md: rare, and a window."""
    fuzz(tmp_path, "--kernel", "masked", "--programs", "500", "--seed", "selfcheck")
    found = [path.stem for path in (tmp_path / "findings").glob("*.program")]
    assert [stem for stem in found if not stem.startswith("run-window")] == []
