# SPDX-License-Identifier: GPL-2.0-or-later
"""Mutants, as mutmut makes them, and what became of them."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from mutmut.mutation.file_mutation import mutate_file_contents

ROOT = Path(__file__).resolve().parents[2]
STORE = ROOT / "build/mutation"
VERDICTS = STORE / "verdicts.jsonl"  # [mutant, hash of its function, verdict], the last one counts
SURVIVED = "survived"
UNTESTED = "no test calls it"

Key = tuple[str, str]  # a module, and a function's name as mutmut mangles it


def of_mutant(mutant: str) -> Key:
    """``harness.ppi.x_bits__mutmut_3`` -> (``harness.ppi``, ``x_bits``)."""
    module, _, name = mutant.rpartition(".")
    return module, name.partition("__mutmut_")[0]


def title(mutant: str) -> str:
    """What people read: ``ppi.bits 3``, ``model.ist.Ists.find 1``."""
    module, function = of_mutant(mutant)
    name = function.removeprefix("x_").removeprefix("xǁ").replace("ǁ", ".")
    return f"{module.removeprefix('harness.')}.{name} {mutant.rpartition('_')[2]}"


def configured() -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mutmut"]
    return found


@dataclass(frozen=True)
class Module:
    """A module with all its mutants in it.  ``hashes``: of each function, by its mangled name."""

    name: str
    made_of: str
    code: str
    mutants: list[str]
    hashes: dict[str, str]


def load(source: Path) -> Module:
    """The mutants of a file, made once for each state of it."""
    name = ".".join(source.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    text = source.read_text()
    made_of = hashlib.sha256((version("mutmut") + text).encode()).hexdigest()
    stored = STORE / f"{name}.json"
    if stored.exists() and (old := Module(**json.loads(stored.read_text()))).made_of == made_of:
        return old
    made = mutate_file_contents(str(source), text)
    names = [f"{name}.{mutant}" for mutant in made.mutant_names]
    module = Module(name, made_of, made.code, names, dict(made.hash_by_function_name))
    STORE.mkdir(parents=True, exist_ok=True)
    stored.write_text(json.dumps(asdict(module)))
    return module


def modules() -> list[Module]:
    sources = {path for pattern in configured()["only_mutate"] for path in ROOT.glob(pattern)}
    return [m for m in map(load, sorted(sources)) if m.mutants]


def verdicts(all_: Iterable[Module]) -> dict[str, str]:
    """The last verdict on each mutant; what was said of a function before it changed is void."""
    hashes = {m: module.hashes[of_mutant(m)[1]] for module in all_ for m in module.mutants}
    lines = VERDICTS.read_text().splitlines() if VERDICTS.exists() else []
    said = map(json.loads, lines)
    return {mutant: verdict for mutant, hash_, verdict in said if hashes.get(mutant) == hash_}


def killed(verdict: str) -> bool:
    return verdict.startswith("killed")
