# SPDX-License-Identifier: GPL-2.0-or-later
"""Cache objects made of Debian packages, found again without a network."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from harness.errors import NotInArchive, ProvisionError
from harness.provision.apt import Apt, Package, Query
from harness.provision.cache import Cache, Facts, Object, file_sha256
from harness.provision.images import Images
from harness.provision.process import Runner, must
from harness.provision.results import Artifact
from harness.provision.system import DOWNLOAD, ensure

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Context:
    """What every part of the provisioner works with."""

    images: Images
    cache: Cache
    apt: Apt
    run: Runner
    progress: Progress


@dataclass(frozen=True)
class Packaged:
    """A cache object and the packages it was made of, the one asked for first."""

    object: Object
    packages: tuple[Package, ...]


def remembered(context: Context, query: Query) -> tuple[Package, ...] | None:
    """The exact packages that a query meant when it was last asked over the network."""
    answer = context.cache.recall(_question(context, query))
    return tuple(Package(**fields) for fields in answer) if answer else None


def absent(context: Context, query: Query) -> bool:
    """Whether the archive had nothing for a query when it was last asked."""
    return context.cache.recall(_question(context, query)) == []


def resolve(context: Context, query: Query) -> tuple[Package, ...]:
    """Ask the archive, and remember, also that it has none (NotInArchive)."""
    ensure(DOWNLOAD, context.run, context.progress)
    try:
        packages = context.apt.resolve(query)
    except NotInArchive:
        if remembered(context, query) is None:
            context.cache.remember(_question(context, query), [])
        raise
    context.cache.remember(_question(context, query), [p.as_input() for p in packages])
    return packages


def find(context: Context, kind: str, query: Query, extra: object = None) -> Packaged | None:
    """The object if both the answer and the object are in the cache."""
    packages = remembered(context, query)
    found = context.cache.lookup(kind, _inputs(packages, extra)) if packages else None
    return Packaged(found, packages) if found and packages else None


def packaged(
    context: Context,
    kind: str,
    query: Query,
    build: Callable[[Sequence[Path], Path], Facts],
    extra: object = None,
) -> Packaged:
    """The object that ``build(package files, object folder)`` makes of the query's answer.

    ``extra`` is what else it depends on.
    """
    if found := find(context, kind, query, extra):
        return found
    packages = resolve(context, query)

    def fetch(folder: Path) -> Facts:
        context.progress(f"fetching {packages[0]}")
        debs = folder / "debs"
        files = context.apt.download(packages, debs)
        facts = build(files, folder)
        shutil.rmtree(debs)
        return facts

    made = context.cache.get(kind, _inputs(packages, extra), fetch, str(packages[0]))
    return Packaged(made, packages)


def packaged_file(context: Context, query: Query, path: str) -> Artifact:
    """One file of a Debian package, by its path in there."""

    def build(debs: Sequence[Path], folder: Path) -> Facts:
        unpack(context, debs, folder / "root")
        if not (folder / "root" / path).is_file():
            raise ProvisionError(f"{query} has no {path}", "see dpkg-deb -c")
        (folder / "root" / path).rename(folder / "file")
        shutil.rmtree(folder / "root")
        return {"sha256": file_sha256(folder / "file")}

    made = packaged(context, "package-file", query, build, path).object
    return Artifact(made.path / "file", made.facts["sha256"])


def unpack(context: Context, debs: Sequence[Path], to: Path) -> None:
    """Unpack package files into one folder, and remove them."""
    for deb in debs:
        must(
            context.run(["dpkg-deb", "-x", str(deb), str(to)]),
            f"cannot unpack {deb.name}",
            "try again",
        )
        deb.unlink()


def _inputs(packages: Sequence[Package], extra: object) -> dict[str, object]:
    return {"packages": [p.as_input() for p in packages], "extra": extra}


def _question(context: Context, query: Query) -> dict[str, object]:
    apt = context.images.apt
    return {"query": asdict(query), "suites": apt.suites, "components": apt.components}
