# SPDX-License-Identifier: GPL-2.0-or-later
"""The one door to this package: ask for a thing by name, get files in the cache."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from harness.errors import ConfigError, NotInArchive
from harness.provision import kernels, qemus, selftests, target_code, worktree
from harness.provision.apt import Apt, Query
from harness.provision.cache import Cache
from harness.provision.images import Images, KernelEntry
from harness.provision.packages import Context, absent, packaged_file, remembered, resolve
from harness.provision.paths import default_cache
from harness.provision.process import Runner, run
from harness.provision.results import Artifact, Expect, Kernel, Listing, Qemu


def _silent(message: str) -> None:
    """No progress messages."""


class Provisioner:
    """images.yaml -> files on disk, each fetched or built once, when it is first asked for."""

    def __init__(
        self,
        images: Images,
        cache: Path | None = None,
        progress: Callable[[str], None] = _silent,
        runner: Runner = run,
    ) -> None:
        store = Cache(cache or default_cache(), progress)
        apt = Apt(images.apt, store, runner, progress)
        self._context = Context(images, store, apt, runner, progress)

    def qemu(self, name: str | None = None) -> Qemu:
        """A QEMU by name or path; None: the first default that is good enough."""
        return qemus.qemu(self._context, name)

    def kernel(self, name_or_path: str) -> Kernel:
        """A kernel by name, or from a path to an Image or a source tree."""
        return kernels.kernel(self._context, kernels.named(self._context, name_or_path))

    def kernel_entry(self, name_or_path: str) -> KernelEntry:
        """What images.yaml says of a kernel; of a path, what follows from it."""
        return kernels.named(self._context, name_or_path).entry

    def work_trees(
        self, name_or_path: str, count: int
    ) -> AbstractContextManager[list[worktree.WorkTree]]:
        """``count`` built trees of a kernel, to be rebuilt with patches; see worktree.py."""
        wanted = kernels.named(self._context, name_or_path)
        return worktree.work_trees(self._context, wanted, count)

    def default_kernel(self) -> str:
        """The first of ``run`` that is there, without asking the archive for optional ones."""
        images = self._context.images
        return next(name for name in images.run if not self._is_missing(name))

    def is_there(self, name_or_path: str) -> bool:
        """False for an optional kernel that the archive, asked now if need be, does not have."""
        if name_or_path in self._context.images.kernels and self._is_missing(name_or_path):
            self.refresh(name_or_path)
            return not self._is_missing(name_or_path)
        return True

    def _is_missing(self, name: str) -> bool:
        entry = self._context.images.kernel(name)
        asked = kernels.query(self._context, entry)
        return entry.optional and asked is not None and remembered(self._context, asked) is None

    def source(self, pattern: str) -> Path:
        """The unpacked tree of a source package.  Never write to it."""
        asked = kernels.source_query(self._context, pattern)
        return kernels.source_tree(self._context, asked)[1]

    def plugin(self) -> Artifact:
        """The QEMU plugin."""
        return target_code.plugin(self._context)

    def guest(self) -> Artifact:
        """The guest side's static ``init``."""
        return target_code.guest(self._context)

    def initramfs(self, kernel: Kernel, extra: Mapping[str, Path] | None = None) -> Artifact:
        """An initramfs for ``kernel``; ``extra`` maps absolute paths in it to executable files."""
        return target_code.initramfs(self._context, self.guest(), kernel, extra or {})

    def selftest(self, kernel: Kernel, name: str = "arm64/vgic_v5") -> Artifact:
        """One of the kernel's own KVM selftests, linked statically."""
        return self.selftests(kernel, [f"kvm:{name}"])[f"kvm:{name}"]

    def selftests(
        self, kernel: Kernel, patterns: Sequence[str], tree: Path | None = None
    ) -> dict[str, Artifact]:
        """Selftests of a tree (None: the kernel's sources) by ``collection:test``; ``*`` fits."""
        source = selftests.source(self._context, kernel, tree)
        chosen = selftests.choose(self._context, source, patterns)
        return {name: selftests.build(self._context, source, name) for name in chosen}

    def package_file(self, package: str, architecture: str, path: str) -> Artifact:
        """A file of the newest Debian package of that name."""
        return packaged_file(self._context, Query(package, architecture), path)

    def source_tree(self, kernel: Kernel) -> Path:
        """A kernel's own sources.  Shared: never to be written to."""
        return selftests.source(self._context, kernel).tree

    def refresh(self, name: str) -> None:
        """Ask the archive again what the QEMU or kernel called ``name`` stands for.

        An optional one may still not be there.
        """
        images = self._context.images
        if name in images.qemu.named:
            entry = images.qemu.named[name]
            if entry.package is not None:
                resolve(self._context, qemus.query(self._context, entry))
            return
        kernel = images.kernel(name)
        try:
            kernels.refresh(self._context, kernel)
        except NotInArchive:
            if not kernel.optional:
                raise

    def names(self) -> tuple[str, ...]:
        """Every QEMU and kernel in images.yaml."""
        images = self._context.images
        return (*images.qemu.named, *images.kernels)

    def describe(self, name: str) -> Listing:
        """What is known about a name without a network, and without building."""
        images = self._context.images
        return (
            self._describe_qemu(name) if name in images.qemu.named else self._describe_kernel(name)
        )

    def _describe_qemu(self, name: str) -> Listing:
        context, entry = self._context, self._context.images.qemu.named[name]
        if entry.path is not None:
            try:
                found = qemus.qemu(context, name)
            except ConfigError as error:
                said = error.what.partition(": ")[2]
                return Listing(
                    "qemu", name, "path", entry.path, said, "", "", False, note=entry.note
                )
            return Listing(
                "qemu",
                name,
                "path",
                entry.path,
                found.source,
                found.version,
                found.sha256,
                True,
                note=entry.note,
            )
        asked = qemus.query(context, entry)
        packages, made = remembered(context, asked), qemus.cached(context, entry)
        package, version = (packages[0].name, packages[0].version) if packages else ("", "")
        sha = made.facts["sha256"] if made else ""
        return Listing(
            "qemu",
            name,
            "package",
            str(asked),
            package,
            version,
            sha,
            made is not None,
            note=entry.note,
        )

    def _describe_kernel(self, name: str) -> Listing:
        context = self._context
        wanted = kernels.named(context, name)
        entry = wanted.entry
        asked = kernels.query(context, entry)
        packages = remembered(context, asked) if asked else None
        made = kernels.cached(context, wanted)
        package, version = (packages[0].name, packages[0].version) if packages else ("", "")
        return Listing(
            "kernel",
            name,
            entry.kind,
            str(asked) if asked else str(entry.tree or entry.image),
            " + ".join([package, *entry.patches]) if package else "",
            version,
            made.facts["sha256"] if made else "",
            made is not None,
            entry.cmdline,
            Expect.of(entry.expect),
            entry.note,
            asked is not None and absent(context, asked),
        )
