# SPDX-License-Identifier: GPL-2.0-or-later
"""Lines that nothing reaches, and why: docs/coverage.yaml against what was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, RootModel, ValidationError

from harness.coverage.gcov import Coverage, FileCoverage, merged
from harness.errors import ConfigError
from harness.provision.yaml_lines import load_document


class Explanation(BaseModel):
    """Why ``lines`` of a function are not reached: their text, or all that are not.

    Text, not numbers: it stays true when the file changes elsewhere.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    file: str
    function: str
    lines: list[str] | None = None
    why: str

    def covers(self, file: str, function: str, text: str) -> bool:
        """Whether it is about this line."""
        here = (self.file, self.function) == (file, function)
        return here and (self.lines is None or text.strip() in self.lines)


class _File(RootModel[list[Explanation]]):
    model_config = ConfigDict(strict=True)


def load_explanations(path: Path) -> list[Explanation]:
    """Read the file; ConfigError with its line if it is wrong."""
    document = load_document(path)
    try:
        return _File.model_validate(document.data).root
    except ValidationError as error:
        said = [f"{document.where(tuple(e['loc']))}: {e['msg']}" for e in error.errors()]
        raise ConfigError("\n".join(said), f"correct {path.name}") from None


@dataclass(frozen=True, slots=True)
class Uncovered:
    """A line that was not reached; ``why`` "" if nobody says."""

    file: str
    number: int
    function: str
    text: str
    why: str


def ours(file: str, function: str) -> bool:
    """Whether a line must be reached or explained: the VGICv5's files, and its functions."""
    return "v5" in file.rpartition("/")[2] or "v5" in function


def restricted(coverage: Coverage) -> Coverage:
    """Only the lines that are ``ours``."""
    out: Coverage = {}
    for name, file in coverage.items():
        here = {n: f for n, f in file.functions.items() if ours(name, f)}
        if here:
            out[name] = FileCoverage(
                {n: c for n, c in file.lines.items() if n in here},
                {n: c for n, c in file.branches.items() if n in here},
                here,
            )
    return out


@dataclass(frozen=True, slots=True)
class Report:
    """Coverage by phase, the files' lines, what was not reached, and explanations gone wrong."""

    phases: Mapping[str, Coverage]
    sources: Mapping[str, Sequence[str]]
    missing: Sequence[Uncovered]
    stale: Sequence[str]


def report(
    phases: Mapping[str, Coverage],
    sources: Mapping[str, Sequence[str]],
    explanations: Sequence[Explanation],
) -> Report:
    """All phases together, held against the explanations."""
    total = merged(phases.values())
    missing = uncovered(restricted(total), sources, explanations)
    return Report(phases, sources, missing, stale(total, sources, explanations))


def uncovered(
    coverage: Coverage, sources: Mapping[str, Sequence[str]], explanations: Sequence[Explanation]
) -> list[Uncovered]:
    """Lines that were not reached, in order.  ``sources``: the files' lines."""
    out = []
    for name, file in sorted(coverage.items()):
        for number in sorted(n for n, count in file.lines.items() if not count):
            function, text = file.functions[number], sources[name][number - 1]
            why = next((e.why for e in explanations if e.covers(name, function, text)), "")
            out.append(Uncovered(name, number, function, text, why))
    return out


def stale(
    coverage: Coverage, sources: Mapping[str, Sequence[str]], explanations: Sequence[Explanation]
) -> list[str]:
    """What explanations say that is not so: of lines that were reached, or are not there.

    An explanation of a whole function is stale if no line of it is left to explain.  One of a file
    that this kernel does not have is none.
    """
    out = []
    for each in (e for e in explanations if e.file in coverage):
        file = coverage[each.file]
        counts: dict[str, int] = {}
        for number in (n for n, f in file.functions.items() if f == each.function):
            text = sources[each.file][number - 1].strip()
            counts[text] = min(counts.get(text, file.lines[number]), file.lines[number])
        where = f"{each.file}: {each.function}"
        if each.lines is None and (not counts or all(counts.values())):
            out.append(f"{where}: every line was reached" if counts else f"{where}: no code of it")
        for text in each.lines or ():
            if text not in counts:
                out.append(f"{where}: no code in this line: {text}")
            elif counts[text]:
                out.append(f"{where}: was reached: {text}")
    return out
