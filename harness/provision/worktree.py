# SPDX-License-Identifier: GPL-2.0-or-later
"""Built kernel trees of our own, to be rebuilt with one more patch again and again.

The first build of such a tree takes a minute or more; after that each patch costs the compilation
of the files it touches, and a link.
"""

from __future__ import annotations

import gzip
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.errors import ConfigError
from harness.provision import kbuild, kernels
from harness.provision.cache import Cache, Facts, digest, file_sha256
from harness.provision.image_file import check_image
from harness.provision.kbuild import KernelBuild, Patch
from harness.provision.kernels import Named, Recipe
from harness.provision.packages import Context
from harness.provision.process import Runner
from harness.provision.system import ensure, kernel_needs

MUTATED = "kernel-mutated"
_PATCHED = re.compile(r"^\+\+\+ (?:b/)?([^\t\n]+)", re.M)


def patched_files(text: str) -> tuple[str, ...]:
    """The files of a tree that a patch (-p1) changes."""
    return tuple(dict.fromkeys(_PATCHED.findall(text)))


@dataclass(frozen=True)
class Mutated:
    """``sha256``: of the Image before it was compressed.  ``seconds``: what the build took."""

    image: Path
    sha256: str
    seconds: float


@dataclass(frozen=True)
class WorkTree:
    """``folder``/tree holds the sources; ``folder``/originals what the present patch replaced."""

    folder: Path
    run: Runner
    log: Path
    cache: Cache
    jobs: int | None = None

    @property
    def tree(self) -> Path:
        return self.folder / "tree"

    def image(self, patch: Path | None = None) -> Path:
        """The Image, with ``patch`` or without; valid until the next call.

        ProvisionError: the patch does not fit, or the kernel does not compile with it.
        """
        self.restore()
        if patch is not None:
            self._keep(patched_files(patch.read_text()))
            kbuild.apply_patches(self.tree, [Patch(patch)], self.run)
        self.log.unlink(missing_ok=True)
        image = KernelBuild(self.tree, self.run, self.log, jobs=self.jobs).image()
        check_image(image)
        return image

    def mutated(self, patch: Path, base: str) -> Mutated:
        """The Image with ``patch``, from the cache if it was built before.

        ``base``: the SHA-256 of the Image without.  ProvisionError as ``image``.
        """
        text = patch.read_text()
        inputs = {"base": base, "diff": text[text.index("\n--- ") :]}

        def build(folder: Path) -> Facts:
            begun = time.monotonic()
            image = self.image(patch)
            with gzip.open(folder / "Image.gz", "wb", compresslevel=1) as stream:
                stream.write(image.read_bytes())
            seconds = time.monotonic() - begun
            return {"sha256": file_sha256(image), "seconds": round(seconds, 2)}

        made = self.cache.get(MUTATED, inputs, build, patch.name)
        return Mutated(made.path / "Image.gz", made.facts["sha256"], made.facts["seconds"])

    def restore(self) -> None:
        """Undo the patch, also one that a killed run left; the next build compiles these anew."""
        kept = self.folder / "originals"
        for original in sorted(path for path in kept.rglob("*") if path.is_file()):
            target = self.tree / original.relative_to(kept)
            target.unlink(missing_ok=True)  # it may share its storage with another tree's
            shutil.copyfile(original, target)
        shutil.rmtree(kept, ignore_errors=True)

    def _keep(self, names: tuple[str, ...]) -> None:
        half = self.folder / "originals.half"
        shutil.rmtree(half, ignore_errors=True)
        for name in names:
            if (self.tree / name).is_file():  # if not, the patch does not fit
                (half / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(self.tree / name, half / name)
        if half.exists():
            half.rename(self.folder / "originals")


@contextmanager
def work_trees(context: Context, wanted: Named, count: int) -> Iterator[list[WorkTree]]:
    """``count`` built trees of a kernel, for as many builds at once; ours until the block ends."""
    if wanted.entry.kind not in ("source", "tree"):
        raise ConfigError(
            f"{wanted.name} is a {wanted.entry.kind}, which cannot be patched",
            "name a kernel that is built from source, or a kernel tree",
        )
    ensure(kernel_needs(), context.run, context.progress)
    recipe = kernels.recipe_of(context, wanted)
    prepare = _of_package if wanted.entry.kind == "source" else _of_tree
    jobs = None if count == 1 else 1
    key = _key(context, wanted, recipe)
    with ExitStack() as stack:
        trees: list[WorkTree] = []
        for number in range(count):
            name = f"worktree-{key}-{number}"
            stack.enter_context(context.cache.locked(name, f"mutants of {wanted.name}"))
            stack.enter_context(context.cache.space_checked())
            tree = WorkTree(
                context.cache.work(name), context.run, context.cache.log(name), context.cache, jobs
            )
            tree.restore()
            prepare(context, wanted, recipe, tree, trees[0] if trees else None)
            stack.callback(tree.restore)
            trees.append(tree)
        yield trees


def _key(context: Context, wanted: Named, recipe: Recipe) -> str:
    if wanted.entry.tree is not None:
        return digest(recipe.inputs(str(kernels.user_tree(context, wanted))))
    asked = kernels.query(context, wanted.entry)
    assert asked is not None
    package, _ = kernels.source_tree(context, asked)
    return digest(recipe.inputs(package.as_input()))


def _of_package(
    context: Context, wanted: Named, recipe: Recipe, work: WorkTree, first: WorkTree | None
) -> None:
    """Build it, or copy what the first tree's build made."""
    complete = work.folder / "complete"
    if complete.exists():
        return
    asked = kernels.query(context, wanted.entry)
    assert asked is not None
    package, pristine = kernels.source_tree(context, asked)
    shutil.rmtree(work.folder)
    work.folder.mkdir()
    if first is not None:
        kbuild.link_tree(pristine, work.tree, context.run)
        kbuild.copy_products(first.tree, pristine, work.tree)
    else:
        built = kernels.base_tree(context, recipe, package, pristine)
        context.progress(f"building a tree of {wanted.name} for mutants (once)")
        build = kernels.patched_tree(context, recipe, pristine, built, work.tree, log=work.log)
        build.image()
    complete.touch()


def _of_tree(
    context: Context, wanted: Named, recipe: Recipe, work: WorkTree, first: WorkTree | None
) -> None:
    """Bring a user's tree up to date in ours; theirs is never written to."""
    tree = kernels.user_tree(context, wanted)
    added = [name for p in recipe.patches if p.path.is_dir() for name, _ in p.files()]
    fresh = not work.tree.exists()
    work.tree.mkdir(exist_ok=True)
    if fresh and first is not None:
        shutil.rmtree(work.tree)
        shutil.copytree(first.tree, work.tree, symlinks=True)
    kbuild.sync_tree(tree, kbuild.source_files(tree, context.run), work.tree, added)
    kbuild.apply_patches(work.tree, recipe.patches, context.run)
    if fresh and first is None:
        context.progress(f"building {wanted.name} for mutants")
        build = KernelBuild(work.tree, context.run, work.log)
        build.configure(recipe.configs)
        build.image()
