# SPDX-License-Identifier: GPL-2.0-or-later
"""YAML that remembers on which line each value stands, and refuses duplicate keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from harness.errors import ConfigError

Location = tuple[str | int, ...]


@dataclass(frozen=True)
class Document:
    """A parsed file: its data, and the line (from 1) of every location in it."""

    path: Path
    data: Any
    lines: Mapping[Location, int]

    def where(self, location: Sequence[str | int]) -> str:
        """``file:line: dotted.key``; a location that is not there has its nearest parent's line."""
        known: Location = tuple(location)
        while known and known not in self.lines:
            known = known[:-1]
        line = self.lines.get(known, 1)
        key = "".join(f"[{s}]" if isinstance(s, int) else f".{s}" for s in location).lstrip(".")
        return f"{self.path}:{line}: {key}" if key else f"{self.path}:{line}"


def load_document(path: Path) -> Document:
    """Read one YAML file; what YAML itself objects to is a ConfigError with file and line."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError(f"cannot read {path}: {reason}", "give a readable images.yaml") from error
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            raise ConfigError(
                f"{path}:1: the file is empty", "start from the project's images.yaml"
            )
        lines: dict[Location, int] = {}
        _index(path, node, (), lines, ())
        data = loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        problem = error.problem or error.context
        raise ConfigError(f"{path}:{line}: not YAML: {problem}", f"correct {path.name}") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not YAML: {error}", f"correct {path.name}") from None
    finally:
        loader.dispose()
    return Document(path, data, lines)


def _index(
    path: Path,
    node: yaml.Node,
    location: Location,
    lines: dict[Location, int],
    parents: tuple[int, ...],
) -> None:
    """Record the line of every value below ``node``."""
    line = node.start_mark.line + 1
    lines.setdefault(location, line)
    if id(node) in parents:
        raise ConfigError(f"{path}:{line}: an alias that contains itself", f"correct {path.name}")
    parents = (*parents, id(node))
    if isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for key, value in node.value:
            key_line = key.start_mark.line + 1
            name = str(key.value)
            if name in seen:
                first = seen[name]
                raise ConfigError(
                    f"{path}:{key_line}: duplicate key {name!r} (first on line {first})",
                    "keep one of the two",
                )
            seen[name] = key_line
            lines[(*location, name)] = key_line
            _index(path, value, (*location, name), lines, parents)
    elif isinstance(node, yaml.SequenceNode):
        for i, value in enumerate(node.value):
            _index(path, value, (*location, i), lines, parents)
