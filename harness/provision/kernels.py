# SPDX-License-Identifier: GPL-2.0-or-later
"""Kernels: unpacked from a package, built from a source package or a user's tree, or given."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.errors import ConfigError, ProvisionError
from harness.provision import kbuild
from harness.provision.apt import Package, Query
from harness.provision.cache import Facts, Object, digest, file_sha256
from harness.provision.image_file import check_image, image_version
from harness.provision.images import KernelEntry
from harness.provision.kbuild import KernelBuild, Patch
from harness.provision.kmod import extract_modules
from harness.provision.packages import Context, find, packaged, remembered, resolve, unpack
from harness.provision.process import must
from harness.provision.results import Expect, Kernel
from harness.provision.system import cross_prefix, ensure, kernel_needs, missing

PREBUILT, SOURCE, BASE, BUILT, TREE = (
    "kernel",
    "linux-source",
    "linux-built",
    "kernel-built",
    "kernel-tree",
)
_ARCHITECTURE = "arm64"


@dataclass(frozen=True)
class Named:
    """A kernel entry and where it came from: ``origin`` is its name in images.yaml, or None."""

    name: str
    entry: KernelEntry
    origin: str | None


@dataclass(frozen=True)
class Recipe:
    """How to build: all of it goes into the cache key."""

    configs: tuple[Path, ...]
    patches: tuple[Patch, ...]
    compiler: str

    def inputs(self, source: object, patched: bool = True) -> dict[str, object]:
        """The key's content."""
        config, *fragments = map(file_sha256, self.configs)
        return {
            "source": source,
            "config": config,
            "compiler": self.compiler,
            "patches": [p.as_input() for p in self.patches] if patched else [],
            **({"fragments": fragments} if fragments else {}),
        }

    def files(self) -> list[str]:
        """What it is called in reports."""
        return [path.name for path in (*self.configs, *(p.path for p in self.patches))]


def named(context: Context, name_or_path: str) -> Named:
    """Look a kernel up by name, or take a path to an Image or a source tree."""
    images = context.images
    if name_or_path in images.kernels:
        return Named(name_or_path, images.kernel(name_or_path), images.origin(name_or_path))
    path = Path(name_or_path).expanduser()
    if path.is_dir():
        return Named(name_or_path, KernelEntry(tree=str(path.resolve())), None)
    if path.exists():
        return Named(name_or_path, KernelEntry(image=str(path.resolve())), None)
    if "/" in name_or_path:
        raise ConfigError(
            f"no such file or folder: {name_or_path}", "give an Image or a kernel tree"
        )
    images.kernel(name_or_path)  # raises, and lists the names
    raise AssertionError(name_or_path)


def kernel(context: Context, wanted: Named) -> Kernel:
    """Provide it, whatever that takes."""
    provide = {"package": _prebuilt, "source": _from_source, "tree": _from_tree, "image": _given}
    return provide[wanted.entry.kind](context, wanted)


def query(context: Context, entry: KernelEntry) -> Query | None:
    """The package that an entry is made of; None for a tree or an image."""
    if entry.package is not None:
        also = (entry.modules_package,) if entry.modules_package else ()
        return Query(entry.package, _ARCHITECTURE, also=also)
    if entry.source is not None:
        return source_query(context, entry.source)
    return None


def source_query(context: Context, pattern: str) -> Query:
    """A source package: the same for every architecture, so asked for as this machine's."""
    return Query(pattern, context.apt.host_architecture)


def cached(context: Context, wanted: Named) -> Object | None:
    """The finished object of a packaged or built kernel, if it is there."""
    entry, asked = wanted.entry, query(context, wanted.entry)
    if asked is None:
        return None
    if entry.package is not None:
        found = find(context, PREBUILT, asked, entry.modules)
        return found.object if found else None
    packages = remembered(context, asked)
    if not packages or missing(kernel_needs()):
        return None
    return context.cache.lookup(BUILT, recipe_of(context, wanted).inputs(packages[0].as_input()))


def source_tree(context: Context, asked: Query) -> tuple[Package, Path]:
    """An unpacked Debian source package.  Shared by everything built from it: never written to."""

    def build(debs: Sequence[Path], folder: Path) -> Facts:
        context.progress("unpacking the kernel source")
        unpack(context, debs, folder / "deb")
        tarballs = list((folder / "deb/usr/src").glob("*.tar.*"))
        if len(tarballs) != 1:
            raise ProvisionError("the source package has no tarball", "see source in images.yaml")
        tree = folder / "tree"
        tree.mkdir()
        argv = ["tar", "-xf", str(tarballs[0]), "-C", str(tree), "--strip-components=1"]
        must(context.run(argv), "cannot unpack the kernel source", "try again")
        shutil.rmtree(folder / "deb")
        return {"version": kbuild.tree_version(tree)}

    made = packaged(context, SOURCE, asked, build)
    return made.packages[0], made.object.path / "tree"


def user_tree(context: Context, wanted: Named) -> Path:
    """The user's source tree."""
    assert wanted.entry.tree is not None
    path = _path(context, wanted, wanted.entry.tree, "tree")
    if not kbuild.is_kernel_tree(path):
        remedy = "give a folder with Makefile, Kconfig and arch/arm64"
        raise ConfigError(f"not a Linux source tree: {wanted.entry.tree}", remedy)
    return path


def _path(context: Context, wanted: Named, text: str, *key: str | int) -> Path:
    if wanted.origin is None:
        return Path(text)
    return context.images.file(text, "kernels", wanted.origin, *key)


def recipe_of(context: Context, wanted: Named) -> Recipe:
    """Its config and patches, read now, and the compiler."""
    entry = wanted.entry
    if entry.config is not None:
        config = _path(context, wanted, entry.config, "config")
    else:
        config = context.images.file(context.images.config, "config")
    fragments, patches = (
        context.images.listed_files(wanted.name, key) if wanted.origin else []
        for key in ("fragments", "patches")
    )
    compiler = kbuild.compiler_version(context.run, cross_prefix())
    return Recipe((config, *fragments), tuple(Patch(p) for p in patches), compiler)


def _kernel(
    wanted: Named, image: Path, facts: Facts, source: str, modules: Sequence[Path] = ()
) -> Kernel:
    entry = wanted.entry
    return Kernel(
        wanted.name,
        image,
        facts["version"],
        facts["sha256"],
        source,
        tuple(modules),
        entry.cmdline,
        Expect.of(entry.expect),
        entry.memory,
        entry.slowdown,
    )


def _facts(image: Path, version: str = "") -> dict[str, object]:
    return {"sha256": file_sha256(image), "version": image_version(image) or version}


def _prebuilt(context: Context, wanted: Named) -> Kernel:
    entry, asked = wanted.entry, query(context, wanted.entry)
    assert asked is not None

    def build(debs: Sequence[Path], folder: Path) -> Facts:
        root = folder / "root"
        unpack(context, debs, root)
        found = [p for p in root.rglob("vmlinuz*") if p.is_file() and not p.is_symlink()]
        if len(found) != 1:
            raise ProvisionError(
                f"{len(found)} kernels in {debs[0].name}", "see package in images.yaml"
            )
        image = found[0].rename(folder / "Image")
        check_image(image)
        modules = extract_modules([root], entry.modules, folder / "modules", context.run)
        shutil.rmtree(root)
        return {**_facts(image), "modules": modules}

    made = packaged(context, PREBUILT, asked, build, entry.modules)
    folder, facts = made.object.path, made.object.facts
    modules = [folder / "modules" / name for name in facts["modules"]]
    return _kernel(wanted, folder / "Image", facts, str(made.packages[0]), modules)


def _from_source(context: Context, wanted: Named) -> Kernel:
    asked = query(context, wanted.entry)
    assert asked is not None
    ensure(kernel_needs(), context.run, context.progress)
    recipe = recipe_of(context, wanted)
    packages = remembered(context, asked)
    made = context.cache.lookup(BUILT, recipe.inputs(packages[0].as_input())) if packages else None
    if made is None or not packages:
        package, tree = source_tree(context, asked)
        packages = (package,)
        made = _build(context, wanted, recipe, package, tree)
    source = " + ".join([str(packages[0]), *recipe.files()])
    return _kernel(wanted, made.path / "Image", made.facts, source)


def _build(
    context: Context, wanted: Named, recipe: Recipe, package: Package, pristine: Path
) -> Object:
    def build_kernel(folder: Path) -> Facts:
        built = base_tree(context, recipe, package, pristine)
        version = kbuild.tree_version(built)
        if recipe.patches:
            context.progress(f"building {wanted.name}: {version} with its patches")
            tree = folder / "tree"
            log = context.cache.log(f"kernel-{wanted.name}")
            build = patched_tree(context, recipe, pristine, built, tree, log=log)
            build.image().rename(folder / "Image")
            _keep_symbols(tree, tree, folder)
            shutil.rmtree(tree)
        else:
            shutil.copyfile(built / kbuild.IMAGE, folder / "Image")
            _keep_symbols(built, built, folder)
        check_image(folder / "Image")
        return _facts(folder / "Image", version)

    inputs = recipe.inputs(package.as_input())
    return context.cache.get(BUILT, inputs, build_kernel, wanted.name)


def base_tree(context: Context, recipe: Recipe, package: Package, pristine: Path) -> Path:
    """The unpatched kernel, built once; every patched one starts from its object files.

    One with fragments starts from what was built without them.
    """

    def build_base(folder: Path) -> Facts:
        context.progress(f"building {package} (the first time: some minutes)")
        tree, log = folder / "tree", context.cache.log(f"base-{package.name}")
        kbuild.link_tree(pristine, tree, context.run)
        if len(recipe.configs) > 1:
            plain = replace(recipe, configs=recipe.configs[:1])
            kbuild.copy_products(base_tree(context, plain, package, pristine), pristine, tree)
        build = KernelBuild(tree, context.run, log)
        return {
            "refused": _configured(context, build, recipe.configs),
            "image": str(build.image().name),
        }

    inputs = recipe.inputs(package.as_input(), patched=False)
    return context.cache.get(BASE, inputs, build_base, str(package)).path / "tree"


def patched_tree(
    context: Context, recipe: Recipe, pristine: Path, built: Path, tree: Path, *, log: Path
) -> KernelBuild:
    """A new ``tree`` with the recipe's patches and the unpatched kernel's object files."""
    kbuild.link_tree(pristine, tree, context.run)
    kbuild.copy_products(built, pristine, tree)
    kbuild.apply_patches(tree, recipe.patches, context.run)
    build = KernelBuild(tree, context.run, log)
    _configured(context, build, recipe.configs)
    return build


def _keep_symbols(built: Path, tree: Path, folder: Path) -> None:
    """They name addresses in reports, which can do without; what gcov needs, if it was built so."""
    if (symbols := built / kbuild.SYMBOLS).exists():
        shutil.copy(symbols, folder)
    for note in built.glob("arch/arm64/kvm/**/*.gcno"):
        path = note.relative_to(built)
        kept = folder / kbuild.GCOV_NOTES / path
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(note, kept)
        shutil.copy((tree / path).with_suffix(".c"), kept.parent)


def _configured(context: Context, build: KernelBuild, configs: Sequence[Path]) -> list[str]:
    refused = build.configure(configs)
    if refused:
        context.progress(f"note: Linux {build.version()} does not take {', '.join(refused)}")
    return refused


def _from_tree(context: Context, wanted: Named) -> Kernel:
    """Incremental, in a build folder of its own; the tree itself is never written to."""
    tree = user_tree(context, wanted)
    ensure(kernel_needs(), context.run, context.progress)
    recipe = recipe_of(context, wanted)
    name = f"tree-{digest(recipe.inputs(str(tree)))}"
    with context.cache.locked(name, str(tree)), context.cache.space_checked():
        work = context.cache.work(name)
        log = context.cache.log(name)
        context.progress(f"building {wanted.name}: Linux {kbuild.tree_version(tree)}")
        if recipe.patches or kbuild.built_in_place(tree):
            added = [name for p in recipe.patches if p.path.is_dir() for name, _ in p.files()]
            kbuild.sync_tree(tree, kbuild.source_files(tree, context.run), work, added)
            kbuild.apply_patches(work, recipe.patches, context.run)
            build = KernelBuild(work, context.run, log)
        else:
            build = KernelBuild(tree, context.run, log, output=work)
        _configured(context, build, recipe.configs)
        image = build.image()
        check_image(image)
        facts = _facts(image, kbuild.tree_version(tree))

        def keep(folder: Path) -> Facts:
            shutil.copyfile(image, folder / "Image")
            _keep_symbols(build.output, build.tree, folder)
            return facts

        kept = context.cache.get(TREE, facts, keep, wanted.name)
    source = " + ".join([str(tree), *recipe.files()])
    return _kernel(wanted, kept.path / "Image", kept.facts, source)


def _given(context: Context, wanted: Named) -> Kernel:
    assert wanted.entry.image is not None
    path = _path(context, wanted, wanted.entry.image, "image")
    check_image(path)
    return _kernel(wanted, path, _facts(path, "unknown"), str(path))


def refresh(context: Context, entry: KernelEntry) -> None:
    """Ask the archive again which version an entry means."""
    for asked in (
        query(context, entry),
        source_query(context, entry.selftests) if entry.selftests else None,
    ):
        if asked is not None:
            resolve(context, asked)
