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
import gc
import hashlib
import importlib
import json
import os
import resource
import signal
import sys
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from fnmatch import fnmatch
from functools import partial, wraps
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from types import CodeType, FrameType, FunctionType, ModuleType
from typing import Any

import pytest
from mutmut.mutation import trampoline
from mutmut.mutation.file_mutation import mutate_file_contents

ROOT = Path(__file__).resolve().parents[1]
STORE = ROOT / "build/mutation"
VERDICTS = STORE / "verdicts.jsonl"  # [mutant, hash of its function, verdict], the last one counts
SURVIVED = "survived"
UNTESTED = "no test calls it"
ENDLESS = "killed: it does not end, or uses all memory"
MEMORY = 8 << 30  # bytes of address space: a mutant may allocate without end

Key = tuple[str, str]  # a module, and a function's name as mutmut mangles it
Tell = Callable[[str, str], None]  # of a mutant, its verdict


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


# --- mutants, and what became of them ------------------------------------------------------------


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


# --- mutants instead of functions ----------------------------------------------------------------


class Importer(MetaPathFinder):
    """Imports the mutated modules, and remembers each function with its mutants.

    With ``chosen``, that mutant is what is called, from the first import on.
    """

    def __init__(self, codes: Mapping[str, CodeType], chosen: str = "") -> None:
        self.codes, self.chosen = codes, chosen
        self.functions: dict[Key, tuple[FunctionType, dict[str, Any]]] = {}

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        code = self.codes.get(name)
        spec = PathFinder.find_spec(name, path, target) if code else None
        if code and spec and spec.origin:
            spec.loader = Compiled(name, spec.origin, code)
        return spec

    def mutated(
        self, mutants: dict[str, Any], is_classmethod: bool = False
    ) -> Callable[[FunctionType], Callable[..., object]]:
        """In the place of mutmut's decorator.  ``mutants`` is filled after the function is made."""

        def decorate(function: FunctionType) -> Callable[..., object]:
            owner, _, name = function.__qualname__.rpartition(".")
            key = function.__module__, f"xǁ{owner}ǁ{name}" if owner else f"x_{name}"
            self.functions[key] = function, mutants
            if not self.chosen or of_mutant(self.chosen) != key:
                return function

            @wraps(function)
            def instead(*args: object, **kwargs: object) -> object:
                return plain(mutants[self.chosen.rpartition(".")[2]])(*args, **kwargs)

            return instead

        return decorate

    def install(self) -> None:
        sys.meta_path.insert(0, self)
        trampoline.wrap_in_trampoline = self.mutated  # type: ignore[assignment]

    def swap(self, mutant: str) -> None:
        """From now on the function is the mutant, by whatever name it was imported."""
        function, mutants = self.functions[of_mutant(mutant)]
        other = plain(mutants[mutant.rpartition(".")[2]])
        function.__code__ = other.__code__
        function.__defaults__, function.__kwdefaults__ = other.__defaults__, other.__kwdefaults__


class Compiled(SourceFileLoader):
    def __init__(self, name: str, path: str, code: CodeType) -> None:
        super().__init__(name, path)
        self.code = code

    def get_code(self, fullname: str) -> CodeType:
        return self.code


def plain(function: Any) -> FunctionType:
    """A classmethod's own function."""
    found: FunctionType = getattr(function, "__func__", function)
    return found


# --- tests ---------------------------------------------------------------------------------------


def forked(work: Callable[[], object], silent: bool = True) -> Any:
    """What ``work`` returned in a forked process, by JSON; None if it did not return."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(reader)
            if silent:
                silence = os.open(os.devnull, os.O_WRONLY)
                os.dup2(silence, 1)
                os.dup2(silence, 2)
                resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
            with os.fdopen(writer, "w") as pipe:
                json.dump(work(), pipe)
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        said = pipe.read()
    os.waitpid(pid, 0)
    return json.loads(said) if said else None


@contextmanager
def profiled(entered: set[CodeType]) -> Iterator[None]:
    """Collect the code of every function that is called."""

    def profile(frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            entered.add(frame.f_code)

    sys.setprofile(profile)
    try:
        yield
    finally:
        sys.setprofile(None)


def limit(seconds: float) -> None:
    """End this process after so long: of CPU time, or (sleeping) of a hundred times that."""
    signal.setitimer(signal.ITIMER_PROF, seconds)
    signal.setitimer(signal.ITIMER_REAL, 100 * seconds)


class Judge:
    """A pytest plugin that runs the tests not once but for each mutant.

    ``called``: the tests that call each function; ``seconds``: of each test.
    """

    def __init__(self, importer: Importer, mutants: Sequence[str], tell: Tell) -> None:
        self.importer, self.mutants, self.tell = importer, mutants, tell
        self.failed = ""
        self.called: dict[Key, list[str]] = {}
        self.seconds: dict[str, float] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.failed = self.failed or report.nodeid

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        sys.setprofile(None)
        found = forked(lambda: self.observe(session.items))
        if not found or found[0]:
            print(f"fails without any mutant: {found and found[0]}", file=sys.stderr)
            pytest.exit("nothing can be judged", 1)
        _, called, self.seconds = found
        self.called = {(module, name): tests for module, name, tests in called}
        items = {item.nodeid: item for item in session.items}
        gc.freeze()  # a collection in a child would copy all memory
        killers: dict[Key, list[str]] = {}
        for mutant in self.mutants:
            key = of_mutant(mutant)
            likely = killers.setdefault(key, [])
            tests = sorted(self.called.get(key, ()), key=self.seconds.__getitem__)
            order = dict.fromkeys([*reversed(likely), *tests])
            work = partial(self.judge, mutant, [items[test] for test in order])
            verdict = (forked(work) or ENDLESS) if order else UNTESTED
            if (killer := verdict.removeprefix("killed: ")) in items:
                likely.append(killer)
            self.tell(mutant, verdict)
        return True

    def observe(self, items: Sequence[pytest.Item]) -> object:
        """Run all tests once: the one that failed if any, who calls what, how long each takes."""
        by_code = {f.__code__: key for key, (f, _) in self.importer.functions.items()}
        called: dict[Key, set[str]] = {}
        for item, following in zip(items, [*items[1:], None], strict=True):
            entered: set[CodeType] = set()
            started = perf_counter()
            with profiled(entered):
                self.run(item, following)
            self.seconds[item.nodeid] = perf_counter() - started
            for code in entered & by_code.keys():
                called.setdefault(by_code[code], set()).add(item.nodeid)
        return self.failed, [(*key, sorted(tests)) for key, tests in called.items()], self.seconds

    def judge(self, mutant: str, items: Sequence[pytest.Item]) -> str:
        self.importer.swap(mutant)
        for item, following in zip(items, [*items[1:], None], strict=True):
            limit(5 + 10 * self.seconds[item.nodeid])
            self.run(item, following)
            if self.failed:
                return f"killed: {self.failed}"
        return SURVIVED

    @staticmethod
    def run(item: pytest.Item, following: pytest.Item | None) -> None:
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)


class Afresh:
    """A pytest plugin: the tests, fastest first, each with its limit."""

    def __init__(self, seconds: Mapping[str, float]) -> None:
        self.seconds = seconds
        self.failed = ""

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items.sort(key=lambda item: self.seconds[item.nodeid])

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        limit(5 + 10 * self.seconds[item.nodeid])

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.failed = self.failed or report.nodeid


def pytest_main(plugin: object) -> int:
    how = configured()
    quietly = ["-x", "-o", "addopts=", "-p", "no:terminal"]
    options = [*how["pytest_add_cli_args"], *how["pytest_add_cli_args_test_selection"]]
    return int(pytest.main([*quietly, *options], plugins=[plugin]))


# In these two the process must not have imported any of the modules yet.


def judge_all(
    codes: Mapping[str, CodeType], mutants: Sequence[str], tell: Tell
) -> tuple[list[Key], dict[str, float], list[str]]:
    """The functions that were called before the first test; how long each test takes; and which
    modules of others were imported."""
    importer = Importer(codes)
    importer.install()
    judge = Judge(importer, mutants, tell)
    early: set[CodeType] = set()
    with profiled(early):  # until the tests are run
        pytest_main(judge)
    called = [key for key, (f, _) in importer.functions.items() if f.__code__ in early]
    files = {name: str(getattr(m, "__file__", "")) for name, m in sys.modules.items()}
    return called, judge.seconds, [name for name in files if "site-packages" in files[name]]


def judge_afresh(codes: Mapping[str, CodeType], mutant: str, seconds: Mapping[str, float]) -> str:
    Importer(codes, mutant).install()
    plugin = Afresh(seconds)
    failed = pytest_main(plugin)
    return (
        f"killed: {plugin.failed or 'the tests cannot even be collected'}" if failed else SURVIVED
    )


# --- commands ------------------------------------------------------------------------------------


def matches(mutant: str, patterns: Sequence[str]) -> bool:
    return not patterns or any(fnmatch(title(mutant), f"{p}*") for p in patterns)


def run(patterns: Sequence[str], again: bool) -> None:
    """Judge the mutants that have no verdict yet; if ``again``, those as well that survived."""
    everything = modules()
    hashes = {m: module.hashes[of_mutant(m)[1]] for module in everything for m in module.mutants}
    known = verdicts(everything)
    done = {mutant for mutant, verdict in known.items() if killed(verdict) or not again}
    left = [mutant for mutant in hashes if mutant not in done and matches(mutant, patterns)]
    if not left:
        sys.exit("nothing left to judge (--again: those that survived)")
    names = {of_mutant(mutant)[0] for mutant in left}
    codes = {m.name: compile(m.code, m.name, "exec") for m in everything if m.name in names}
    started, count = perf_counter(), 0

    def tell(mutant: str, verdict: str) -> None:
        nonlocal count
        count += 1
        with VERDICTS.open("a") as file:
            print(json.dumps([mutant, hashes[mutant], verdict]), file=file)
        if not killed(verdict) or count % 100 == 0:
            each = (perf_counter() - started) / count
            said = f"{count}/{len(left)}, {each:.2f} s each: {title(mutant)}: {verdict}"
            print(said, flush=True)

    found = forked(lambda: judge_all(codes, left, tell), silent=False)
    if not found or not found[1]:
        sys.exit("no mutant was judged")
    early, seconds, others = {tuple(key) for key in found[0]}, found[1], found[2]
    known = verdicts(everything)
    late = [m for m in left if not killed(known[m]) and of_mutant(m) in early]
    for name in others if late else ():
        with suppress(Exception):
            importlib.import_module(name)  # so that not every process has to
    for mutant in late:
        tell(mutant, forked(partial(judge_afresh, codes, mutant, seconds)) or ENDLESS)


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
    how.add_argument("--figures", action="store_true", help="what is known, by module")
    how.add_argument("--survivors", action="store_true", help="what survived")
    how.add_argument("--show", action="store_true", help="what survived, as diffs")
    given = parser.parse_args()
    if given.figures:
        figures()
    elif given.survivors or given.show:
        survivors(given.patterns, given.show)
    else:
        run(given.patterns, given.again)


if __name__ == "__main__":
    main()
