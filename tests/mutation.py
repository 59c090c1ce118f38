# SPDX-License-Identifier: GPL-2.0-or-later
"""Mutation testing, the rest: what mutmut cannot judge, and the figures (docs/mutation.md).

mutmut forks a process that has imported everything: a mutant of a function that only runs while a
module is imported never runs there, and survives.  Such functions are tried again here, each mutant
in a process that imports afresh.  What was tried is remembered in mutants/fresh.json.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import sys
import tomllib
from collections import Counter
from pathlib import Path
from types import FrameType

import pytest

ROOT = Path(__file__).resolve().parents[1]
MUTANTS = ROOT / "mutants"
FRESH = MUTANTS / "fresh.json"
KILLED, SURVIVED, UNTESTED = 1, 0, 33


def modules() -> list[str]:
    """Of all that is mutated."""
    files = sorted(MUTANTS.glob("harness/**/*.py.meta"))
    names = [str(f.relative_to(MUTANTS)).removesuffix(".py.meta").replace("/", ".") for f in files]
    return [name.removesuffix(".__init__") for name in names]


def meta_of(module: str) -> Path:
    path = MUTANTS / module.replace(".", "/")
    return path / "__init__.py.meta" if path.is_dir() else path.with_suffix(".py.meta")


def codes(module: str) -> dict[str, int | None]:
    """pytest's exit code by mutant; None: not tried yet."""
    found: dict[str, int | None] = json.loads(meta_of(module).read_text())["exit_code_by_key"]
    return found


def called_by_import() -> set[str]:
    """``module.function`` as mutmut mangles it, of all that runs while the modules are imported."""
    seen = set()

    def profile(frame: FrameType, event: str, _arg: object) -> None:
        if event == "call" and frame.f_code.co_name.endswith("__mutmut_orig"):
            name = frame.f_code.co_name.removesuffix("__mutmut_orig")
            seen.add(f"{frame.f_globals['__name__']}.{name}")

    sys.setprofile(profile)
    for module in modules():
        importlib.import_module(module)
    sys.setprofile(None)
    return seen


def in_child(work: object, *arguments: str) -> int:
    """The exit code of ``work(*arguments)`` in a forked process."""
    pid = os.fork()
    if pid == 0:
        code = 2
        try:
            code = int(work(*arguments))  # type: ignore[operator]
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def tried(mutant: str) -> int:
    os.environ["MUTANT_UNDER_TEST"] = mutant
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    configured = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mutmut"]
    tests = sorted(configured["pytest_add_cli_args_test_selection"], key=lambda t: "model" in t)
    return int(pytest.main(["-x", "-q", *configured["pytest_add_cli_args"], *tests]))


def record_imports() -> int:
    (MUTANTS / "imports.json").write_text(json.dumps(sorted(called_by_import())))
    return 0


def again() -> None:
    """Try the survivors again that run while a module is imported."""
    os.chdir(MUTANTS)
    sys.path.insert(0, str(MUTANTS))
    in_child(record_imports)
    names = tuple(f"{n}__mutmut_" for n in json.loads((MUTANTS / "imports.json").read_text()))
    done = json.loads(FRESH.read_text()) if FRESH.exists() else {}
    left = [m for module in modules() for m, code in codes(module).items()
            if code in (SURVIVED, UNTESTED) and m.startswith(names) and m not in done]  # fmt: skip
    for number, mutant in enumerate(left, 1):
        done[mutant] = in_child(tried, mutant)
        print(f"{number}/{len(left)} {mutant}: {'killed' if done[mutant] else 'SURVIVED'}")
        FRESH.write_text(json.dumps(done))


def figures() -> None:
    """By module, and the survivors."""
    fresh = json.loads(FRESH.read_text()) if FRESH.exists() else {}
    survivors, total = [], Counter[str]()
    for module in modules():
        count = Counter[str]()
        for mutant, code in codes(module).items():
            final = fresh.get(mutant, code)
            state = "not tried" if final is None else "killed" if final not in (0, 33) else "alive"
            count[state] += 1
            survivors += [mutant] if state == "alive" else []
        total += count
        if count:
            print(_line(module, count))
    print(*survivors, _line("all", total), sep="\n")


def sampled(one_in: int) -> list[str]:
    """One mutant in so many, the same ones each time, of whatever order."""
    names = [m for module in modules() for m in codes(module)]
    return [n for n in names if int(hashlib.sha256(n.encode()).hexdigest(), 16) % one_in == 0]


def _line(name: str, count: Counter[str]) -> str:
    tried_ = count["killed"] + count["alive"]
    share = 100 * count["killed"] / tried_ if tried_ else 0.0
    return f"{name:28} {count['killed']:5} of {tried_:5} killed, {share:5.1f} %" + (
        f", {count['not tried']} not tried" if count["not tried"] else ""
    )


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["sample", number]:
            print(*sampled(int(number)), sep="\n")
        case ["again"]:
            again()
        case []:
            figures()
        case _:
            sys.exit("usage: python tests/mutation.py [sample N | again]")
