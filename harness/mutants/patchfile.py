# SPDX-License-Identifier: GPL-2.0-or-later
"""A mutant: a small patch whose header says what it breaks and which family should see it."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from harness.errors import ConfigError
from harness.provision.worktree import patched_files
from harness.targets.spec import MAX_CPUS

DEFAULT_KERNEL: Final = "masked-mended"
_FIELD = re.compile(r"([A-Z][A-Za-z-]*):\s*(.*)")
_KEYS: Final = (
    "SPDX-License-Identifier",
    "Breaks",
    "Near",
    "Seen-by",
    "Kernel",
    "Host-cpus",
    "Equivalent",
)


@dataclass(frozen=True, slots=True)
class Mutant:
    """``near``: the past bug that it reproduces, or "".  ``seen_by``: families that must fail.

    ``kernel``: the kernel that it breaks, by its name in images.yaml; "": the default one.
    ``cpus``: of its host; races need two.  ``equivalent``: why nothing can see it, or "".
    """

    name: str
    path: Path
    breaks: str
    near: str
    seen_by: tuple[str, ...]
    kernel: str
    cpus: int
    equivalent: str
    files: tuple[str, ...]
    diff: str

    @property
    def races(self) -> tuple[str, ...]:
        """The families that see it by chance, when two CPUs meet: to be run more than once."""
        return self.seen_by if self.cpus > 1 else ()


def load_mutants(folder: Path, families: Collection[str]) -> list[Mutant]:
    """All ``*.patch`` of a folder by name.  ConfigError: file, line and what is wrong."""
    paths = sorted(folder.glob("*.patch"))
    if not paths:
        raise ConfigError(f"no *.patch in {folder}", "give the folder of the mutants")
    return [parse(path, path.read_text(), families) for path in paths]


def parse(path: Path, text: str, families: Collection[str]) -> Mutant:
    """One patch file: ``Key: value`` lines, indented lines go on, then the diff."""
    fields: dict[str, str] = {}
    key = ""
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("--- "):
            diff = "\n".join(text.splitlines()[number - 1 :])
            return _mutant(path, diff, fields, families)
        if line[:1].isspace() and key and line.strip():
            fields[key] += " " + line.strip()
            continue
        if not line.strip():
            continue
        match = _FIELD.fullmatch(line)
        if match is None or match[1] not in _KEYS or match[1] in fields:
            raise ConfigError(
                f"{path}:{number}: {line!r} is no header line (or there twice)",
                f"write KEY: TEXT, where KEY is one of {', '.join(_KEYS)}",
            )
        key = match[1]
        fields[key] = match[2]
    return _mutant(path, "", fields, families)


def _mutant(path: Path, diff: str, fields: dict[str, str], families: Collection[str]) -> Mutant:
    seen_by = tuple(name.strip() for name in fields.get("Seen-by", "").split(",") if name.strip())
    equivalent = fields.get("Equivalent", "")
    files = patched_files(diff)
    for name in seen_by:
        if name not in families:
            raise ConfigError(
                f"{path}: Seen-by: no family is called {name!r}", f"one of: {', '.join(families)}"
            )
    if not files or "/dev/null" in files:
        raise ConfigError(f"{path}: no diff that changes a file", "make it with diff -u, for -p1")
    cpus = fields.get("Host-cpus", "1")
    if cpus not in map(str, range(1, MAX_CPUS + 1)):
        raise ConfigError(f"{path}: Host-cpus: {cpus}", f"1 to {MAX_CPUS}")
    if not fields.get("Breaks"):
        raise ConfigError(f"{path}: no line Breaks:", "say what the patch breaks")
    if bool(seen_by) == bool(equivalent):
        raise ConfigError(
            f"{path}: Seen-by or Equivalent: one of them, and not both",
            "name the families that must fail, or say why nothing can",
        )
    return Mutant(
        path.stem,
        path,
        fields["Breaks"],
        fields.get("Near", ""),
        seen_by,
        fields.get("Kernel", ""),
        int(cpus),
        equivalent,
        files,
        diff,
    )
