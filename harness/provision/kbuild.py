# SPDX-License-Identifier: GPL-2.0-or-later
"""Building kernels: configure, patch, make, and say plainly what went wrong."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import ProvisionError
from harness.provision.cache import file_sha256
from harness.provision.process import Runner, must
from harness.provision.system import cross_prefix

IMAGE = Path("arch/arm64/boot/Image")
SYMBOLS = "System.map"  # of the functions in it; the cache keeps it beside the Image
GCOV_NOTES = "gcov"  # a folder beside the Image: what gcov needs of the build
# Fixed, so that the same sources give the same bytes.
_IDENTITY = {
    "KBUILD_BUILD_TIMESTAMP": "2026-01-01 00:00:00 UTC",
    "KBUILD_BUILD_USER": "gicv5",
    "KBUILD_BUILD_HOST": "gicv5",
    "KBUILD_BUILD_VERSION": "1",
    # What a caller's shell may have set for other builds.
    "KBUILD_OUTPUT": "",
    "LLVM": "",
    "MAKEFLAGS": "",
}
# What patch says, and what it means in "FILE ...".
_FILE_LINE = re.compile(r"^(?:checking file '?|\|\+\+\+ [^/\s]+/)([^'\t\n]+)")
_TROUBLE = (
    (re.compile(r"^Hunk #(\d+) FAILED"), "hunk #{}"),
    (re.compile(r"^No file to patch"), "is gone"),
    (re.compile(r"^Reversed \(or previously applied\)"), "has it already"),
)
_SYMBOL = re.compile(r"^(CONFIG_\w+)=(.*)$", re.M)


@dataclass(frozen=True)
class Patch:
    """A patch file, or a folder of new files for the tree."""

    path: Path

    def files(self) -> list[tuple[str, Path]]:
        """The files in it by their path in the tree; of a patch, itself."""
        if self.path.is_dir():
            found = sorted(p for p in self.path.rglob("*") if p.is_file())
            return [(str(p.relative_to(self.path)), p) for p in found]
        return [(self.path.name, self.path)]

    def as_input(self) -> list[list[str]]:
        """Its content, for a cache key."""
        kind = "overlay" if self.path.is_dir() else "patch"
        return [[kind, name, file_sha256(path)] for name, path in self.files()]


class KernelBuild:
    """make, for one source tree; ``output`` set means out of tree; ``jobs`` None: all CPUs."""

    def __init__(
        self,
        tree: Path,
        run: Runner,
        log: Path,
        output: Path | None = None,
        jobs: int | None = None,
    ) -> None:
        self.tree = tree
        self.output = output or tree
        self._run = run
        self._log = log
        self._jobs = jobs or len(os.sched_getaffinity(0))

    def make(self, *targets: str, directory: str = "") -> None:
        """Run make; raises with the log's last lines."""
        argv = ["make", "-C", str(self.tree / directory), f"-j{self._jobs}", "ARCH=arm64"]
        if self.output != self.tree:
            argv.append(f"O={self.output}")
        if prefix := cross_prefix():
            argv.append(f"CROSS_COMPILE={prefix}")
        result = self._run([*argv, *targets], env=_IDENTITY, log=self._log)
        must(result, f"make {' '.join(targets)} failed in {self.tree}", f"read {self._log}")

    def configure(self, fragments: Sequence[Path]) -> list[str]:
        """A .config with nothing but the fragments; returns the symbols that this tree refused.

        Of a symbol that several fragments name, the last counts.
        """
        wanted = dict(_SYMBOL.findall("\n".join(f.read_text() for f in fragments)))
        together = self.output / "gicv5.config"
        together.write_text("".join(f"{name}={value}\n" for name, value in wanted.items()))
        self.make(f"KCONFIG_ALLCONFIG={together}", "allnoconfig")
        got = dict(_SYMBOL.findall((self.output / ".config").read_text()))
        return [n for n, value in wanted.items() if value != "n" and got.get(n) != value]

    def version(self) -> str:
        """The tree's version, as its Makefile says."""
        return tree_version(self.tree)

    def image(self) -> Path:
        """Build the Image."""
        self.make("Image")
        return self.output / IMAGE


def tree_version(tree: Path) -> str:
    """``make kernelversion``, from the lines that it is made of."""
    text = (tree / "Makefile").read_text(errors="replace")
    parts = dict(
        re.findall(r"^(VERSION|PATCHLEVEL|SUBLEVEL|EXTRAVERSION) *= *(.*?) *$", text, re.M)
    )
    numbers = ".".join(parts[k] for k in ("VERSION", "PATCHLEVEL", "SUBLEVEL") if parts.get(k))
    return f"{numbers}{parts.get('EXTRAVERSION', '')}"


def is_kernel_tree(path: Path) -> bool:
    """Whether a folder is a Linux source tree with arm64 in it."""
    return all((path / part).exists() for part in ("Makefile", "Kconfig", "arch/arm64/Kconfig"))


def built_in_place(tree: Path) -> bool:
    """Whether kbuild would refuse to build this tree anywhere else."""
    signs = (".config", "include/config", "arch/arm64/include/generated")
    return any((tree / sign).exists() for sign in signs)


def source_files(tree: Path, run: Runner) -> list[str]:
    """The tree's own files: what git knows and does not ignore, or all where nothing was built."""
    if (tree / ".git").exists():
        listing = [
            "git",
            "-c",
            f"safe.directory={tree}",
            "ls-files",
            "-z",
            "-co",
            "--exclude-standard",
        ]
        output = must(run(listing, cwd=tree), f"git cannot list {tree}", "see git's message").output
        names = sorted(set(output.split("\0")) - {""})
        if "Makefile" not in names:  # Debian's sources come with such a .gitignore
            raise ProvisionError(
                f"{tree}: git does not know its Makefile", "let git know the tree: git add -f -A"
            )
        return [n for n in names if (tree / n).is_symlink() or (tree / n).is_file()]
    if built_in_place(tree):
        raise ProvisionError(
            f"{tree} was built in place and is not a git tree", "make mrproper there"
        )
    files = (p for p in tree.rglob("*") if p.is_symlink() or p.is_file())
    return sorted(str(p.relative_to(tree)) for p in files)


def apply_patches(tree: Path, patches: Iterable[Patch], run: Runner) -> None:
    """Add overlays' new files and apply patches, in order; a patch fits whole or not at all."""
    for patch in patches:
        if patch.path.is_dir():
            for name, source in patch.files():
                target = tree / name
                if target.exists():
                    raise _unfit(tree, patch.path, f"{name} is there already")
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, target)
            continue
        argv = [
            "patch",
            "-p1",
            "--forward",
            "--batch",
            "--fuzz=0",
            "--no-backup-if-mismatch",
            "-r",
            "-",
        ]
        trial = run([*argv, "--dry-run"], cwd=tree, stdin=patch.path)
        if trial.returncode != 0:
            raise _misfit(tree, patch.path, trial.output)
        must(run(argv, cwd=tree, stdin=patch.path), f"{patch.path} did not apply", "report this")


def _misfit(tree: Path, patch: Path, output: str) -> ProvisionError:
    file, failed = "", []
    for line in output.splitlines():
        if match := _FILE_LINE.match(line):
            file = match[1]
        for pattern, text in _TROUBLE:
            if match := pattern.match(line):
                failed.append(f"{file} {text.format(*match.groups())}")
    places = ", ".join(failed) or output.strip()
    return _unfit(tree, patch, places)


def _unfit(tree: Path, patch: Path, places: str) -> ProvisionError:
    return ProvisionError(
        f"{patch.name} does not fit Linux {tree_version(tree)}: {places} (this tree has moved)",
        f"rebase {patch} onto this version, or pin an older one in images.yaml",
    )


def link_tree(pristine: Path, to: Path, run: Runner) -> None:
    """A copy of a source tree that shares every file's storage.  Builds never write to sources."""
    must(
        run(["cp", "-al", str(pristine), str(to)]),
        f"cannot copy {pristine}",
        "see the message above",
    )


def copy_products(built: Path, pristine: Path, to: Path) -> None:
    """Into a fresh link_tree: what a build added, with its times, so that make sees it as done."""
    for folder, subfolders, names in os.walk(built):
        relative = Path(folder).relative_to(built)
        for name in subfolders:
            (to / relative / name).mkdir(exist_ok=True)
        for name in names:
            source, original = Path(folder, name), pristine / relative / name
            if not _same_file(source, original):
                target = to / relative / name
                target.unlink(missing_ok=True)  # a patched source: its storage is the pristine's
                shutil.copy2(source, target, follow_symlinks=False)


def _same_file(left: Path, right: Path) -> bool:
    try:
        there = right.lstat()
    except FileNotFoundError:
        return False
    return left.lstat().st_ino == there.st_ino or (left.is_symlink() and right.is_symlink())


def compiler_version(run: Runner, prefix: str) -> str:
    """The first line of the compiler's --version, for a cache key."""
    result = must(run([f"{prefix}gcc", "--version"]), f"{prefix}gcc does not work", "install it")
    return result.output.splitlines()[0]


def sync_tree(source: Path, files: Sequence[str], mirror: Path, added: Iterable[str] = ()) -> None:
    """Make ``mirror`` hold these files of ``source`` as they are now; build products stay.

    What overlays ``added`` to the mirror the last time is removed.
    A file that is brought anew gets the present time, so that make rebuilds what depends on it.
    """
    record = mirror / ".gicv5-synced.json"
    before: dict[str, list[int]] = json.loads(record.read_text()) if record.exists() else {}
    after: dict[str, list[int]] = {}
    for name in (before.keys() | set(added)) - set(files):
        (mirror / name).unlink(missing_ok=True)
    for name in files:
        origin, copy = source / name, mirror / name
        if before.get(name) != _state(origin) + _state(copy):
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.unlink(missing_ok=True)
            shutil.copy(origin, copy, follow_symlinks=False)
        after[name] = _state(origin) + _state(copy)
    record.write_text(json.dumps(after))


def _state(path: Path) -> list[int]:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return []
    return [found.st_mtime_ns, found.st_size]
