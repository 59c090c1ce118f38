# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel's own selftests, built from its own sources: static arm64 programs."""

from __future__ import annotations

import fnmatch
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from harness.errors import ConfigError, ProvisionError
from harness.provision import kbuild, kernels
from harness.provision.cache import Facts, digest, file_sha256
from harness.provision.kbuild import KernelBuild
from harness.provision.packages import Context
from harness.provision.process import must
from harness.provision.results import Artifact, Kernel
from harness.provision.system import cross_prefix, ensure, kernel_needs

SELFTESTS: Final = Path("tools/testing/selftests")
# What run_kselftest.sh would run; the kernel's Makefiles say it when they include lib.mk.
_LIST: Final = "--eval=gicv5-list: ; @echo $(TEST_GEN_PROGS:$(OUTPUT)/%=%)"


@dataclass(frozen=True)
class Source:
    """Where selftests come from.  ``package``: the tree is of that package and never changes."""

    tree: Path
    package: str = ""


def source(context: Context, kernel: Kernel, tree: Path | None = None) -> Source:
    """A tree of the user's, or else the kernel's own sources."""
    if tree is not None:
        if not kbuild.is_kernel_tree(tree):
            raise ConfigError(f"{tree} is not a kernel tree", "give the root of a Linux tree")
        return Source(tree.resolve())
    wanted = kernels.named(context, kernel.name)
    entry = wanted.entry
    if pattern := entry.source or entry.selftests:
        package, unpacked = kernels.source_tree(context, kernels.source_query(context, pattern))
        return Source(unpacked, str(package))
    if entry.tree is not None:
        return Source(kernels.user_tree(context, wanted))
    raise ProvisionError(
        f"no sources for {kernel.name}'s selftests",
        "name a source package in its selftests key, or give --kselftest-tree",
    )


def choose(context: Context, found: Source, patterns: Sequence[str]) -> list[str]:
    """The tests that patterns like ``kvm:arm64/*`` stand for, each once.  ConfigError if none."""
    ensure(kernel_needs(), context.run, context.progress)
    chosen: dict[str, None] = {}
    for pattern in patterns:
        collection, colon, test = pattern.partition(":")
        if not colon or not (found.tree / SELFTESTS / collection / "Makefile").exists():
            raise ConfigError(
                f"{pattern!r}: {found.tree} has no selftests of that collection",
                "write COLLECTION:TEST like kvm:arm64/vgic_v5, or kvm:arm64/*",
            )
        there = _tests(context, found, collection)
        fitting = fnmatch.filter(there, test)
        if not fitting:
            raise ConfigError(f"no selftest {pattern}", f"{collection} has: {' '.join(there)}")
        chosen |= dict.fromkeys(f"{collection}:{name}" for name in fitting)
    return list(chosen)


def _tests(context: Context, found: Source, collection: str) -> list[str]:
    """As the collection's Makefile says."""
    with tempfile.TemporaryDirectory(prefix="gicv5-") as scratch:
        folder = found.tree / SELFTESTS / collection
        argv = ["make", "-s", "-C", str(folder), "ARCH=arm64", f"CROSS_COMPILE={cross_prefix()}"]
        argv += [f"OUTPUT={scratch}", _LIST, "gicv5-list"]
        done = must(context.run(argv), f"cannot list the selftests in {collection}", "see above")
    return done.output.split()


def build(context: Context, found: Source, name: str) -> Artifact:
    """One test by the name that ``choose`` gave it.

    Each is an object of the cache, but for those of a user's tree: there make knows what to do.
    """
    ensure(kernel_needs(), context.run, context.progress)
    if not found.package:
        with _workshop(context, found) as make:
            path = _built(context, make, name)
            return Artifact(path, file_sha256(path))
    compiler = kbuild.compiler_version(context.run, cross_prefix())
    file = Path(name.partition(":")[2]).name

    def fill(folder: Path) -> Facts:
        with _workshop(context, found) as make:
            (folder / file).write_bytes(_built(context, make, name).read_bytes())
        return {"sha256": file_sha256(folder / file)}

    made = context.cache.get("selftest", [found.package, name, compiler], fill, name)
    return Artifact(made.path / file, made.facts["sha256"])


@contextmanager
def _workshop(context: Context, found: Source) -> Iterator[KernelBuild]:
    """Where the tests of one tree are built, one after the other; libraries stay for the next."""
    key = f"selftests-{digest(found.package or str(found.tree))}"
    with context.cache.locked(key, "building selftests"):
        folder = context.cache.work(key)
        tree = found.tree
        if not found.package:
            tree = folder / "tree"
            tree.mkdir(exist_ok=True)
            kbuild.sync_tree(found.tree, kbuild.source_files(found.tree, context.run), tree)
        make = KernelBuild(tree, context.run, context.cache.log(key), folder / "out")
        (make.output / "tools").mkdir(parents=True, exist_ok=True)  # for generated headers
        if not (make.output / "usr/include").exists() or not found.package:
            context.progress("installing the kernel's headers for selftests")
            make.make("headers")
        yield make


def _built(context: Context, make: KernelBuild, name: str) -> Path:
    """Make one test, without what only a debugger wants."""
    collection, _, test = name.partition(":")
    context.progress(f"building the selftest {name}")
    output = make.output / "kselftest" / collection
    output.mkdir(parents=True, exist_ok=True)
    make.make(
        "USERLDFLAGS=-static", f"OUTPUT={output}", f"abs_objdir={make.output}",
        f"KHDR_INCLUDES=-isystem {make.output}/usr/include", str(output / test),
        directory=str(SELFTESTS / collection),
    )  # fmt: skip
    stripped = output / f"{test}.stripped"
    argv = [f"{cross_prefix()}strip", "-o", str(stripped), str(output / test)]
    must(context.run(argv), f"cannot strip {test}", "see the message above")
    return stripped
