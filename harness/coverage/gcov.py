# SPDX-License-Identifier: GPL-2.0-or-later
"""gcov's counters: from the kernel, through gcov's JSON, to counts of lines and branches."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.errors import ConfigError, TargetError
from harness.provision.kbuild import GCOV_NOTES
from harness.provision.process import Runner, must
from harness.provision.system import cross_prefix


@dataclass(slots=True)
class FileCoverage:
    """Of one source file: executions by line number, of each branch by line number, function names.

    Only lines that have code are in it.
    """

    lines: dict[int, int] = field(default_factory=dict)
    branches: dict[int, tuple[int, ...]] = field(default_factory=dict)
    functions: dict[int, str] = field(default_factory=dict)

    def add(self, other: FileCoverage) -> None:
        """Add the counts of another run of the same build."""
        for number, count in other.lines.items():
            self.lines[number] = self.lines.get(number, 0) + count
        for number, counts in other.branches.items():
            mine = self.branches.get(number, (0,) * len(counts))
            self.branches[number] = tuple(a + b for a, b in zip(mine, counts, strict=True))
        self.functions |= other.functions


Coverage = dict[str, FileCoverage]
"""By the source file's path in the kernel's tree."""


def parse(text: str | bytes) -> Coverage:
    """What ``gcov --json-format --branch-probabilities`` says of one object file.

    Headers are left out.  A line that is in several functions (an inlined one and its own) is there
    several times: its counts are added, its branches are all kept.
    """
    out: Coverage = {}
    for source in json.loads(text)["files"]:
        if not source["file"].endswith(".c"):
            continue
        seen = out.setdefault(_normal(source["file"]), FileCoverage())
        for line in source["lines"]:
            number = line["line_number"]
            seen.lines[number] = seen.lines.get(number, 0) + line["count"]
            seen.functions[number] = line.get("function_name", "")
            if line["branches"]:
                counts = tuple(branch["count"] for branch in line["branches"])
                seen.branches[number] = seen.branches.get(number, ()) + counts
    return out


def _normal(path: str) -> str:
    """Without the ``..`` that kbuild's object names may have."""
    parts: list[str] = []
    for part in path.split("/"):
        if part == ".." and parts:
            parts.pop()
        elif part != ".":
            parts.append(part)
    return "/".join(parts)


def merged(coverages: Iterable[Coverage]) -> Coverage:
    """The sum of several, of the same build."""
    out: Coverage = {}
    for coverage in coverages:
        for name, file in coverage.items():
            out.setdefault(name, FileCoverage()).add(file)
    return out


def counters(text: str) -> dict[str, bytes]:
    """What ``init --gcov`` (guest/gcov.c) printed: .gcda files by their path in the build."""
    files = {}
    for line in text.splitlines():
        path, _, content = line.partition(" ")
        try:
            files[_normal(path)] = bytes.fromhex(content)
        except ValueError:
            raise TargetError(f"not counters of gcov: {line[:80]!r}", "report this") from None
    if not files:
        raise TargetError("the kernel counts nothing", "see kernel/coverage.patch")
    return files


def notes(kernel: Path) -> Path:
    """The folder that a build with gcov left beside its Image: .gcno files and their sources."""
    folder = kernel.with_name(GCOV_NOTES)
    if not folder.is_dir():
        raise ConfigError(
            f"{kernel} was not built with gcov",
            "use the kernel `coverage`, or a kernel with its fragments and patches (images.yaml)",
        )
    return folder


def evaluate(data: Mapping[str, bytes], kept: Path, scratch: Path, run: Runner) -> Coverage:
    """Counters with the notes of their build, through gcov.  ``scratch``: an empty folder."""
    found: list[Coverage] = []
    for note in sorted(kept.rglob("*.gcno")):
        name = str(note.relative_to(kept).with_suffix(".gcda"))
        counted = next((c for path, c in data.items() if path.endswith("/" + name)), None)
        if counted is None:  # compiled, but none of its code ever ran
            continue
        place = scratch / str(len(found))
        place.mkdir()
        shutil.copy(note, place)
        (place / Path(name).name).write_bytes(counted)
        argv = [f"{cross_prefix()}gcov", "--json-format", "--branch-probabilities"]
        result = run([*argv, Path(name).name], cwd=place)
        must(result, f"gcov cannot read {name}", "use the gcov of the kernel's own compiler")
        found += [parse(gzip.decompress(f.read_bytes())) for f in place.glob("*.gcov.json.gz")]
    return merged(found)
