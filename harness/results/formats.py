# SPDX-License-Identifier: GPL-2.0-or-later
"""The formats by name, and finding a session's results on disk."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from harness.errors import ConfigError
from harness.results import jsonl, junit, kcidb, ktap
from harness.results.model import Results


@dataclass(frozen=True, slots=True)
class Format:
    """``write`` and ``read`` are inverse to each other."""

    write: Callable[[Results], str]
    read: Callable[[str, str], Results]


FORMATS: Final[Mapping[str, Format]] = {
    "jsonl": Format(jsonl.write, jsonl.read),
    "ktap": Format(ktap.write, ktap.read),
    "junit": Format(junit.write, junit.read),
    "kcidb": Format(kcidb.write, kcidb.read),
}


def results_file(path: Path) -> Path:
    """The file itself, that of a session's folder, or that of the newest session in a folder."""
    if path.is_file():
        return path
    if (path / jsonl.FILE).exists():
        return path / jsonl.FILE
    sessions = sorted(path.glob(f"*/{jsonl.FILE}"), key=lambda found: found.stat().st_mtime)
    if not sessions:
        raise ConfigError(
            f"no results in {path}", "run `pytest --target=qemu` first, or name its folder"
        )
    return sessions[-1]


def load(path: Path) -> Results:
    """A session's results, from its folder or its results.jsonl."""
    file = results_file(path)
    try:
        return jsonl.read(file.read_text(), str(file))
    except (OSError, UnicodeDecodeError) as e:
        raise ConfigError(f"cannot read {file}: {e}", "give a results.jsonl") from None
