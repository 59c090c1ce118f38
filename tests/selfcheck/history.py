# SPDX-License-Identifier: GPL-2.0-or-later
"""A kernel tree with a history of sixteen commits, one of which is bad.

The tree is Debian's source with the patches of `masked`; git follows only the files that the
history touches, so that it is made in a second.  It stays in the cache: later runs build what
changes.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from harness.provision import Provisioner, default_images, load_images
from harness.provision.kbuild import Patch, apply_patches
from harness.provision.paths import default_cache
from harness.provision.process import run

MUTANT = "dvi-overwritten"
FILE = "arch/arm64/kvm/vgic/vgic-v5.c"
OTHER = "arch/arm64/kvm/arm.c"
COMMITS, BROKEN, MENDED, PLANTED = 16, 8, 9, 11
GIT = ("git", "-c", "user.name=history", "-c", "user.email=history@example.org")


@dataclass(frozen=True)
class History:
    """``commits``: from the good end (0) to the bad one (16)."""

    tree: Path
    commits: tuple[str, ...]

    @property
    def planted(self) -> str:
        return self.commits[PLANTED]


def git(tree: Path, *argv: str) -> str:
    done = subprocess.run([*GIT, *argv], cwd=tree, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"git {argv}: {done.stderr}"
    return done.stdout.strip()


def history() -> History:
    tree = default_cache() / "long" / "history"
    if not (tree / ".complete").exists():
        shutil.rmtree(tree, ignore_errors=True)
        tree.parent.mkdir(parents=True, exist_ok=True)
        images = load_images(default_images())
        entry = images.kernel("masked")
        assert entry.source is not None
        pristine = Provisioner(images, progress=print).source(entry.source)
        subprocess.run(["cp", "-a", str(pristine), str(tree)], check=True)
        patches = [images.file(p, "kernels", "masked", "patches") for p in entry.patches]
        apply_patches(tree, [Patch(p) for p in patches], run)
        _commits(tree, images.path.parent / "tests" / "mutants" / f"{MUTANT}.patch")
        (tree / ".complete").touch()
    (tree / ".gitignore").unlink(missing_ok=True)  # Debian's ignores everything
    git(tree, "checkout", "-q", "-f", "history")
    git(tree, "tag", "-f", "v7.3", f"history~{COMMITS}")  # the good end, by a name that people know
    return History(tree, tuple(git(tree, "rev-list", "--reverse", "history").split()))


def _commits(tree: Path, mutant: Path) -> None:
    shutil.rmtree(tree / ".git", ignore_errors=True)
    git(tree, "init", "-q", "-b", "history")
    git(tree, "add", "-f", FILE, OTHER)
    git(tree, "commit", "-q", "-m", "What everything began with")
    for number in range(1, COMMITS + 1):
        subject = f"KVM: arm64: a remark, number {number}"
        path = tree / (FILE if number % 2 else OTHER)
        if number == BROKEN:
            path.write_text(path.read_text() + "\n#error not finished\n")
            subject = "KVM: arm64: half of an idea"
        elif number == MENDED:
            other = tree / (FILE if BROKEN % 2 else OTHER)
            other.write_text(other.read_text().replace("\n#error not finished\n", ""))
            subject = "KVM: arm64: the other half"
        elif number == PLANTED:
            apply_patches(tree, [Patch(mutant)], run)
            subject = "KVM: arm64: vgic-v5: simplify vgic_v5_set_ppi_dvi()"
        else:
            path.write_text(path.read_text() + f"\n/* remark {number} */\n")
        git(tree, "commit", "-q", "-a", "-m", subject)
