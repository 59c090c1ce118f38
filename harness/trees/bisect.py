# SPDX-License-Identifier: GPL-2.0-or-later
"""``gicv5 bisect``: which commit of a tree broke a program."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from harness.errors import ConfigError
from harness.fuzz.commands import target_options
from harness.program import Program
from harness.provision import Provisioner, load_images
from harness.report.artefacts import session_folder
from harness.report.explain import explain, operations
from harness.report.listing import Lister, result
from harness.report.verdict import Outcome
from harness.trace import steps
from harness.trees.git import Tree
from harness.trees.judge import Judged, Step, chosen, judge

EXIT_ABORT: Final = 128  # git bisect run stops at once on this and above
SHOWN: Final = 12

Judge = Callable[[Sequence[Program]], Judged]


def bisect_options(parser: argparse.ArgumentParser) -> None:
    parser.usage = (
        "gicv5 bisect TREE GOOD BAD [PROGRAM ...] [options]\n"
        "       gicv5 bisect --step TREE [PROGRAM ...] [options]"
    )
    parser.add_argument("tree", type=Path, metavar="TREE", help="a kernel tree with git")
    parser.add_argument("rest", nargs="*", metavar="GOOD BAD [PROGRAM ...]",
                        help="a commit that passes, one that fails; programs, families or files "
                        "(default: what of the suite passes on GOOD and fails on BAD)")  # fmt: skip
    parser.add_argument("--step", action="store_true",
                        help="judge what is checked out, for a `git bisect run` of your own: exit "
                        "code 0 good, 1 bad, 125 cannot be tested")  # fmt: skip
    parser.add_argument("--results", type=Path, default=Path("gicv5-results"), metavar="DIR",
                        help="where both traces go (gicv5-results)")  # fmt: skip
    target_options(parser, kernel=False)


def command_bisect(options: argparse.Namespace) -> int:
    """0: the commit is found.  With --step: 0, 1 or 125, or 128 for an input that is wrong."""
    options.tree = options.tree.expanduser().resolve()
    if options.step:
        return _step(options)
    if len(options.rest) < 2:
        raise ConfigError("gicv5 bisect TREE GOOD BAD: a commit is missing", "name both commits")
    good, bad, *names = options.rest
    tree, programs = Tree(options.tree), chosen(names)
    tree.check_clean()
    _provision(options)
    judged: dict[str, Judged] = {}

    def judge_here(wanted: Sequence[Program]) -> Judged:
        here = tree.commit("HEAD")
        judged[here] = judge(options, wanted)
        took = f"{judged[here].seconds:.1f} s, {judged[here].built:.1f} s to the first host"
        print(f"{tree.title(here)}\n  {judged[here].said()} ({took})", flush=True)
        return judged[here]

    ends = (tree.commit(good), tree.commit(bad))
    began = time.monotonic()
    before = tree.git("symbolic-ref", "--short", "-q", "HEAD").stdout.strip() or "HEAD"
    back = tree.commit("HEAD") if before == "HEAD" else before
    try:
        suspects = _suspects(tree, ends, programs, judge_here)
        first = bisect(tree, ends, suspects, judge_here)
    finally:
        tree.git("bisect", "reset")
        tree.git("checkout", "-q", back)
    folder = session_folder(options.results)
    _report(tree, first, judged, ends[0], folder)
    print(f"{len(judged)} commits judged in {time.monotonic() - began:.0f} s")
    return 0


def _step(options: argparse.Namespace) -> int:
    """Anything but a verdict or an untestable tree must end `git bisect run`, not mislead it."""
    try:
        programs = chosen(options.rest)
        _provision(options)
        found = judge(options, programs)
    except ConfigError as e:
        print(f"gicv5: error: {e}", file=sys.stderr)
        return EXIT_ABORT
    print(f"{found.said()} ({found.seconds:.1f} s)")
    return found.step


def _provision(options: argparse.Namespace) -> None:
    """What does not depend on the tree: if that is missing, no commit can be judged."""
    provisioner = Provisioner(load_images(options.images))
    provisioner.qemu(options.qemu)
    provisioner.plugin()
    provisioner.guest()


def _suspects(
    tree: Tree, ends: tuple[str, str], programs: Sequence[Program], judge_here: Judge
) -> list[Program]:
    """What passes at the good end and fails at the bad one: both ends are tried first."""
    tree.must("checkout", "-q", ends[1])
    bad = judge_here(programs)
    names = set(bad.bad())
    if bad.step is not Step.BAD:
        raise ConfigError(f"{tree.title(ends[1])}: not bad: {bad.said()}", "give another BAD")
    tree.must("checkout", "-q", ends[0])
    good = judge_here([program for program in programs if program.name in names])
    names &= set(good.passed())
    if not names:
        raise ConfigError(f"{tree.title(ends[0])}: not good: {good.said()}", "give another GOOD")
    return [program for program in programs if program.name in names]


def bisect(
    tree: Tree, ends: tuple[str, str], suspects: Sequence[Program], judge_here: Judge
) -> str:
    """The first bad commit.  Leaves the tree in a bisection."""
    good, bad = ends
    started = tree.must("bisect", "start", bad, good)
    words = {Step.GOOD: "good", Step.BAD: "bad", Step.UNTESTABLE: "skip"}
    if (first := _named(started)) is not None:
        return first
    while True:
        if (found := tree.mark(words[judge_here(suspects).step])) is not None:
            return found


def _named(text: str) -> str | None:
    """git knows at once if the ends are neighbours."""
    return text.split(maxsplit=1)[0] if "is the first bad commit" in text else None


def _report(tree: Tree, first: str, judged: dict[str, Judged], good: str, folder: Path) -> None:
    """The commit, and the trace before and after it."""
    parent = tree.git("rev-parse", f"{first}^").stdout.strip()
    bad = judged[first]
    program = bad.bad()[0]
    after = bad.outcomes[program]
    earlier = judged[parent] if parent in judged and judged[parent].outcomes else judged[good]
    print(f"\n{first} is the first bad commit\n")
    print(tree.must("show", "--stat", "--format=medium", first))
    before = earlier.outcomes.get(program)
    folder.mkdir(parents=True, exist_ok=True)
    for name, outcome in (("before", before), ("after", after)):
        if outcome is not None:
            (folder / f"{name}.txt").write_text("\n".join(operations(outcome)) + "\n")
    print(f"\n{explain(after)}\n")
    if before is not None:
        print(f"what the kernel did in {program}, before and after this commit:")
        for line in trace_difference(before, after):
            print(f"  {line}")
    print(f"both traces: {folder}/before.txt, {folder}/after.txt")


def trace_difference(before: Outcome, after: Outcome) -> Iterator[str]:
    """The records in which two observed traces of one program differ."""
    if before.observed is None or after.observed is None:
        yield after.message
        return
    lister = Lister(after.program)
    texts = [text for _, text in lister.lines()]
    shown = 0
    for step in steps(after.program):
        old, new = (each.observed.results[step.record] for each in (before, after)
                    if each.observed)  # fmt: skip
        if old == new:
            continue
        shown += 1
        if shown <= SHOWN:
            yield f"{step.number:<6} {texts[step.record].rstrip(':')}"
            yield f"         before  {result(step, old)}"
            yield f"         after   {result(step, new)}"
    if shown > SHOWN:
        yield f"and {shown - SHOWN} more"
