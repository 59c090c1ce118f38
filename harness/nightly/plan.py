# SPDX-License-Identifier: GPL-2.0-or-later
"""From ``nightly`` in images.yaml to variants: kernels x QEMUs x host CPUs x suites x seeds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final

from harness.errors import ConfigError
from harness.provision.images import Images, NightlyEntry

ALL: Final = "all"
FUZZ: Final = "fuzz"


@dataclass(frozen=True, slots=True)
class Variant:
    """One process of pytest.  ``qemu`` None: the first that will do.

    ``suite``: ``all``, one family, or ``fuzz``, which has ``seconds`` and a ``seed``.
    """

    id: str
    kernel: str
    qemu: str | None = None
    host_cpus: int = 1
    suite: str = ALL
    seconds: float = 0.0
    seed: str = ""

    def arguments(self) -> list[str]:
        """pytest's options, without those that are the same for all variants."""
        argv = [f"--kernel={self.kernel}", f"--host-cpus={self.host_cpus}"]
        argv += [f"--qemu={self.qemu}"] if self.qemu else []
        if self.suite == FUZZ:
            argv += [f"--fuzz={self.seconds:g}", f"--fuzz-seed={self.seed}"]
        return argv


def plan(
    images: Images, night: str, families: Sequence[str], requested: Sequence[str] = ()
) -> tuple[Variant, ...]:
    """The variants in order.  ``night``: new seeds are made from it.

    ``requested``: names of blocks that are run on request.
    ConfigError: a family or a name that is not there, or a variant that is there twice.
    """
    if not images.nightly.matrix:
        raise ConfigError(
            f"{images.path.name} has no `nightly`", "add one (docs/ci.md), or use --images"
        )
    names = {entry.on_request for entry in images.nightly.matrix} - {""}
    if unknown := sorted(set(requested) - names):
        where = images.where("nightly", "matrix")
        raise ConfigError(
            f"{where}: no block is on_request: {unknown[0]}",
            f"use one of: {', '.join(sorted(names))}" if names else "give a block such a key",
        )
    found: list[Variant] = []
    for number, entry in enumerate(images.nightly.matrix):
        for place, suite in enumerate(entry.suites):
            if suite not in (ALL, FUZZ, *families):
                where = images.where("nightly", "matrix", number, "suites", place)
                raise ConfigError(
                    f"{where}: no family {suite!r}",
                    f"use {ALL}, {FUZZ} or one of: {', '.join(families)}",
                )
        if not entry.on_request or entry.on_request in requested:
            found += _expand(entry, night)
    twice = [name for name, count in Counter(each.id for each in found).items() if count > 1]
    if twice:
        where = images.where("nightly", "matrix")
        raise ConfigError(f"{where}: these variants are there twice: {', '.join(twice)}",
                          "remove one of each")  # fmt: skip
    return tuple(found)


def _expand(entry: NightlyEntry, night: str) -> Iterator[Variant]:
    qemus: Sequence[str | None] = entry.qemu or (None,)
    for kernel, qemu, cpus, suite in product(entry.kernels, qemus, entry.host_cpus, entry.suites):
        stem = "-".join([kernel, *([qemu] if qemu else []), f"{cpus}cpu", suite])
        if suite != FUZZ:
            yield Variant(stem, kernel, qemu, cpus, suite)
            continue
        seeds = entry.seeds
        if isinstance(seeds, int):
            seeds = [f"{night}-{n}" for n in range(1, seeds + 1)]
        for n, seed in enumerate(seeds, 1):
            yield Variant(f"{stem}-{n}", kernel, qemu, cpus, suite, entry.fuzz_seconds, seed)
