# SPDX-License-Identifier: GPL-2.0-or-later
"""Mutation testing: do the unit tests notice when the code is wrong?  (docs/mutation.md)

mutmut makes the mutants: a changed copy of a function each.  Its own runner starts pytest again for
each of them, and calls every function through a wrapper.  Here one process collects the tests and
is forked for each mutant, whose code object takes the place of the function's own.  Which tests
call a function is seen in one run before; they are tried until one fails: first those that killed
other mutants of the function, then the fastest.

What runs while modules are imported or tests collected is too late for that: a mutant that survives
of such a function is tried again in a process that imports afresh.
"""

from __future__ import annotations

import argparse
import ast
import difflib
import hashlib
import importlib
import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from fnmatch import fnmatch
from functools import partial
from time import perf_counter

from judge import ENDLESS, forked, judge_afresh, judge_all
from mutants import (
    SURVIVED,
    VERDICTS,
    configured,
    killed,
    modules,
    of_mutant,
    title,
    verdicts,
)


def matches(mutant: str, patterns: Sequence[str]) -> bool:
    return not patterns or any(fnmatch(title(mutant), f"{p}*") for p in patterns)


def drawn(mutant: str, one_in: int) -> bool:
    """Whether a mutant is in the sample: the same ones each time, by their names."""
    return int(hashlib.sha256(mutant.encode()).hexdigest(), 16) % one_in == 0


def run(patterns: Sequence[str], again: bool, some: Sequence[str], one_in: int) -> None:
    """Judge the mutants that have no verdict yet; if ``again``, those as well that survived.

    ``some``: only these tests judge, so that only what they kill has a verdict.
    """
    tests = some or configured()["pytest_add_cli_args_test_selection"]
    everything = modules()
    hashes = {m: module.hashes[of_mutant(m)[1]] for module in everything for m in module.mutants}
    known = verdicts(everything)
    done = {mutant for mutant, verdict in known.items() if killed(verdict) or not again}
    left = [m for m in hashes if m not in done and matches(m, patterns) and drawn(m, one_in)]
    if not left:
        print("nothing left to judge (--again: those that survived)")
        return
    names = {of_mutant(mutant)[0] for mutant in left}
    codes = {m.name: compile(m.code, m.name, "exec") for m in everything if m.name in names}
    started, count = perf_counter(), 0

    def tell(mutant: str, verdict: str) -> None:
        nonlocal count
        count += 1
        if killed(verdict) or not some:
            with VERDICTS.open("a") as file:
                print(json.dumps([mutant, hashes[mutant], verdict]), file=file)
        if not killed(verdict) or count % 100 == 0:
            each = (perf_counter() - started) / count
            said = f"{count}/{len(left)}, {each:.2f} s each: {title(mutant)}: {verdict}"
            print(said, flush=True)

    found = forked(lambda: judge_all(codes, left, tests, tell), silent=False)
    if not found or not found[1]:
        sys.exit("no mutant was judged")
    early, seconds, others = {tuple(key) for key in found[0]}, found[1], found[2]
    known = verdicts(everything)
    late = [m for m in left if not killed(known.get(m, "")) and of_mutant(m) in early]
    for name in others if late else ():
        with suppress(Exception):
            importlib.import_module(name)  # so that not every process has to
    for mutant in late:
        tell(mutant, forked(partial(judge_afresh, codes, mutant, tests, seconds)) or ENDLESS)
    known = verdicts(everything)
    print(f"{sum(killed(known.get(mutant, '')) for mutant in left)} of {len(left)} killed")


def figures() -> None:
    """By module, as a table of Markdown."""
    everything = modules()
    known = verdicts(everything)
    print("| module | mutants | killed | |\n|---|---|---|---|")
    total: Counter[str] = Counter()
    for module in everything:
        count = Counter(_state(known.get(mutant)) for mutant in module.mutants)
        total += count
        print(_row(module.name.removeprefix("harness."), count))
    print(_row("together", total))


def _state(verdict: str | None) -> str:
    return "not judged" if verdict is None else "killed" if killed(verdict) else SURVIVED


def _row(name: str, count: Counter[str]) -> str:
    judged = count["killed"] + count[SURVIVED]
    share = f"{100 * count['killed'] / max(judged, 1):.1f} %"
    left = f", {count['not judged']} not judged" if count["not judged"] else ""
    return f"| {name} | {judged} | {count['killed']} | {share}{left} |"


def survivors(patterns: Sequence[str], diffs: bool) -> None:
    """Those that survived; with what is changed in them."""
    everything = modules()
    known = verdicts(everything)
    for module in everything:
        lines = module.code.splitlines(keepends=True)
        functions = {
            node.name: "".join(lines[node.lineno - 1 : node.end_lineno])
            for node in ast.walk(ast.parse(module.code))
            if isinstance(node, ast.FunctionDef) and diffs
        }
        for mutant in module.mutants:
            if mutant in known and not killed(known[mutant]) and matches(mutant, patterns):
                print(f"{title(mutant)}: {known[mutant]}")
                name = mutant.rpartition(".")[2]
                print(*_difference(functions, name) if diffs else (), sep="")


def _difference(functions: Mapping[str, str], mutant: str) -> Iterator[str]:
    original = f"{mutant.rpartition('_')[0]}_orig"
    before, after = functions[original].replace(original, mutant), functions[mutant]
    lines = difflib.unified_diff(before.splitlines(True), after.splitlines(True), n=1)
    return (line for line in lines if not line.startswith(("---", "+++", "@@")))


def main() -> None:
    parser = argparse.ArgumentParser(description="Do the unit tests notice when the code is wrong?")
    parser.add_argument("patterns", nargs="*", help="model.vgic, wire.frame, ... (default: all)")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--again", action="store_true", help="try again what survived")
    parser.add_argument("--one-in", type=int, default=1, metavar="N", help="judge a sample")
    parser.add_argument("--tests", nargs="+", default=[], help="only these judge: a quick look")
    how.add_argument("--figures", action="store_true", help="what is known, by module")
    how.add_argument("--survivors", action="store_true", help="what survived")
    how.add_argument("--show", action="store_true", help="what survived, as diffs")
    given = parser.parse_args()
    if given.figures:
        figures()
    elif given.survivors or given.show:
        survivors(given.patterns, given.show)
    else:
        run(given.patterns, given.again, given.tests, given.one_in)


if __name__ == "__main__":
    main()
