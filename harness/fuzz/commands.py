# SPDX-License-Identifier: GPL-2.0-or-later
"""``gicv5 fuzz``, ``gicv5 replay`` and ``gicv5 compare``."""

from __future__ import annotations

import argparse
import secrets
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from harness.commands.shown import say
from harness.errors import EXIT_INTERRUPTED, EXIT_KERNEL, ConfigError
from harness.fuzz.progress import ProgressLine
from harness.fuzz.repeat import repeat
from harness.fuzz.sections import is_racy
from harness.fuzz.text import read_program
from harness.hwtrace.slices import Slice
from harness.model.behaviour import Finalize, LateWrites
from harness.program import Program
from harness.provision import default_images
from harness.report.explain import explain, headline
from harness.report.session import Session, expectation
from harness.report.verdict import Outcome, Verdict
from harness.targets.kinds import BOARDS, arguments, kind_of, opened
from harness.targets.spec import TargetSpec

if TYPE_CHECKING:
    from harness.fuzz.corpus import Corpus
    from harness.fuzz.fuzzer import Factory, Finding, Fuzzer, Statistics

DEFAULT_SECONDS: Final = 60.0
EXPECT: Final = {
    "accessors": ("true", "false", "probed"),
    "finalize": tuple(each.value for each in Finalize),
    "late_writes": (*(each.value for each in LateWrites), "any"),
}


# --- options -------------------------------------------------------------------------------------


def target_options(parser: argparse.ArgumentParser, kernel: bool = True) -> None:
    """What to run on."""
    if kernel:
        parser.add_argument("--kernel", metavar="NAME|PATH", help="default: the first of `run`")
    parser.add_argument("--images", type=Path, default=default_images(), metavar="FILE",
                        help="instead of the project's own")  # fmt: skip
    parser.add_argument("--qemu", metavar="NAME|PATH", help="a QEMU from images.yaml, or a file")
    parser.add_argument("--host-cpus", metavar="N", type=int, default=1, help="1 to 8 (1)")
    parser.add_argument("--expect", metavar="KEY=VALUE", action="append", default=[],
                        type=_expect, help="instead of what images.yaml declares")  # fmt: skip


def board_options(parser: argparse.ArgumentParser) -> None:
    """Where to run, if not in QEMU."""
    parser.add_argument("--target", default="qemu", metavar="KIND",
                        help="qemu, ssh:HOST or board:NAME (qemu)")  # fmt: skip
    _boards_option(parser)


def _boards_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--boards", type=Path, metavar="FILE",
                        help="has the board of board:NAME (boards.yaml)")  # fmt: skip


def fuzz_options(parser: argparse.ArgumentParser) -> None:
    target_options(parser)
    board_options(parser)
    _how_long(parser)
    parser.add_argument("--corpus", type=Path, metavar="DIR",
                        help="go on from what is there, and keep findings there "
                        "(findings alone: gicv5-results/fuzz)")  # fmt: skip


def replay_options(parser: argparse.ArgumentParser) -> None:
    target_options(parser)
    board_options(parser)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE",
                        help="a program file, or the name of a program or family of the "
                        "suite")  # fmt: skip
    parser.add_argument("--times", type=int, default=1, metavar="N",
                        help="run each so often, and say how often it failed")  # fmt: skip
    parser.add_argument("--c", type=Path, metavar="FILE.c", dest="c_file",
                        help="also write a standalone reproducer in C")  # fmt: skip


def compare_options(parser: argparse.ArgumentParser) -> None:
    target_options(parser, kernel=False)
    parser.add_argument("kernels", nargs=2, metavar="KERNEL", help="a name, an Image or a tree, "
                        "in QEMU; or what runs on a board: ssh:HOST, board:NAME")  # fmt: skip
    _boards_option(parser)
    _how_long(parser)


def _how_long(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seconds", type=float, metavar="S",
                        help=f"stop after S seconds ({DEFAULT_SECONDS:.0f})")  # fmt: skip
    parser.add_argument("--programs", type=int, metavar="N", help="stop after N programs")
    parser.add_argument("--seed", metavar="X", help="any word; the same programs (a new one)")


def _expect(text: str) -> tuple[str, str]:
    key, _, value = text.partition("=")
    if value not in EXPECT.get(key, ()):
        known = "; ".join(f"{key}={'|'.join(values)}" for key, values in EXPECT.items())
        raise argparse.ArgumentTypeError(f"{text!r}: not one of {known}")
    return key, value


def limit(seconds: float | None, programs: int | None, stats: Statistics) -> bool:
    """Whether it is time to stop."""
    if programs is not None and stats.programs >= programs:
        return True
    if seconds is None and programs is None:
        seconds = DEFAULT_SECONDS
    return seconds is not None and stats.seconds >= seconds


def spec_of(options: argparse.Namespace, kernel: str | None, kind: str = "qemu") -> TargetSpec:
    """What the options ask for, with this kernel on this kind of target."""
    return TargetSpec(
        kind, kernel, options.qemu, options.images, options.host_cpus,
        boards=getattr(options, "boards", None),
    )  # fmt: skip


@contextmanager
def open_session(
    options: argparse.Namespace, kernel: str | None, kind: str = "qemu"
) -> Iterator[Session]:
    """A session on a provisioned kernel or on a board; powered off or given back at the end."""
    with opened(spec_of(options, kernel, kind), say) as target:
        session = Session(target, expectation(target.expect, dict(options.expect)))
        try:
            yield session
        finally:
            session.close()


# --- fuzz ----------------------------------------------------------------------------------------


def command_fuzz(options: argparse.Namespace) -> int:
    """0: nothing found; 1: a finding; 130: interrupted, findings or not."""
    from harness.fuzz.corpus import Corpus  # noqa: PLC0415
    from harness.fuzz.fuzzer import Factory, Fuzzer  # noqa: PLC0415

    seed = options.seed or secrets.token_hex(4)
    corpus = Corpus(options.corpus)
    with open_session(options, options.kernel, options.target) as session:
        kernel = session.target.kernel_name or options.target

        factory = Factory.of(seed, [session])

        def shown(finding: Finding) -> str:
            return _saved(options, finding, corpus, factory, session)

        print(f"gicv5: fuzzing {kernel} with --seed {seed}; Ctrl-C ends it", file=sys.stderr)
        return watched(Fuzzer(session, factory, corpus, _stop(options)), shown)


def _saved(
    options: argparse.Namespace, finding: Finding, corpus: Corpus, factory: Factory,
    session: Session,
) -> str:  # fmt: skip
    """Keep a finding as a program and as C; its report."""
    program = finding.outcome.program
    path = corpus.place(finding.signature.slug)
    rerun = shlex.join(["gicv5", "replay", str(path), *_target_arguments(options, session)])
    text = report(finding, rerun)
    about = f"{text}\nhost:       {session.facts}\n"
    corpus.save(path, program, about)
    path.with_suffix(".c").write_text(_c_source(options, factory, finding.outcome, about))
    return text


def _target_arguments(options: argparse.Namespace, session: Session) -> list[str]:
    """The options that lead to the same host."""
    kernel = options.kernel or session.target.kernel_name  # a board's own has no name
    out = arguments(spec_of(options, kernel or None, options.target))
    return out + [word for key, value in options.expect for word in ("--expect", f"{key}={value}")]


def _c_source(options: argparse.Namespace, factory: Factory, outcome: Outcome, about: str) -> str:
    from harness.fuzz.reproducer import GUEST_IMAGE, c_source  # noqa: PLC0415
    from harness.provision import Provisioner, load_images  # noqa: PLC0415

    init = Provisioner(load_images(options.images), progress=lambda _message: None).guest().path
    allowed = [each.trace for each in factory.models[0].allowed(outcome.program)]
    if outcome.expected is not None and len(allowed) == 1:  # of the behaviour that was chosen
        allowed = [outcome.expected]
    return c_source(outcome.program, allowed, (init.parent / GUEST_IMAGE).read_bytes(), about)


def _stop(options: argparse.Namespace) -> Callable[[Statistics], bool]:
    return lambda stats: limit(options.seconds, options.programs, stats)


def watched(fuzzer: Fuzzer, shown: Callable[[Finding], str]) -> int:
    """Fuzz with a line of progress; the exit code."""
    code: int | None = None
    with ProgressLine() as line:

        def found(finding: Finding) -> None:
            line.clear()
            print(shown(finding) + "\n", flush=True)

        fuzzer.on_program = lambda fuzzer: line.show(status(fuzzer))
        fuzzer.on_finding = found
        try:
            fuzzer.run()
        except KeyboardInterrupt:
            code = EXIT_INTERRUPTED
        line.clear()
    print(status(fuzzer) + (", interrupted" if code else ""))
    if code is None:
        code = EXIT_KERNEL if fuzzer.findings else 0
    return code


def status(fuzzer: Fuzzer) -> str:
    """How far it is, on one line."""
    stats = fuzzer.statistics
    parts = [f"{stats.programs} programs", f"{stats.rate:.0f} /s", f"{stats.seconds:.0f} s"]
    parts.append(f"findings: {len(fuzzer.findings)} ({stats.failures} failures)")
    parts += [f"interesting: {len(fuzzer.corpus.interesting)}"]
    parts += [f"races: {stats.races}"] if stats.races else []
    shrinking = stats.runs - stats.programs
    parts += [f"for shrinking: {shrinking}"] if shrinking else []
    parts += [f"errors of the machine: {stats.errors}"] if stats.errors else []
    parts += [f"skipped: {stats.skipped}"] if stats.skipped else []
    return ", ".join(parts)


def report(finding: Finding, rerun: str) -> str:
    """A finding as a person reads it, with the one line that runs it again."""
    from harness.fuzz.fuzzer import sizes  # noqa: PLC0415

    ops, setup, guest = sizes(finding.outcome.program)
    lines = [
        f"finding: {finding.signature}",
        f"found after {finding.seconds:.1f} s, in program {finding.number}: "
        f"{finding.found_in.name}",
        f"shrunk in {finding.runs} runs to {ops} operations, {setup} of which only set VMs up, "
        f"and {guest} guest operations",
    ]
    if finding.failed is not None:
        lines.append(f"a race: it failed {finding.failed[0]} times of {finding.failed[1]}")
    if finding.reproduced is None:
        lines.append("interrupted while it was shrunk: this is the program as it was generated")
    elif not finding.reproduced:
        lines.append("NOT REPRODUCED on a fresh host, neither alone nor after its predecessors")
    # Without the accesses: for a program that is that short they are noise.
    return "\n".join([*lines, explain(replace(finding.outcome, accesses=Slice()), rerun)])


# --- replay --------------------------------------------------------------------------------------


def command_replay(options: argparse.Namespace) -> int:
    """0: all pass (or are skipped); 1: one failed; 6: the machine did."""
    from harness.fuzz.fuzzer import Factory  # noqa: PLC0415

    if options.times < 1:
        raise ConfigError(f"--times {options.times}", "1 or more")
    programs = [named for path in options.files for named in named_programs(path)]
    if options.c_file is not None and len(programs) != 1:
        raise ConfigError("--c: one reproducer has one program", "name one FILE")
    verdicts = set()
    with open_session(options, options.kernel, options.target) as session:
        for name, program in programs:
            tally = repeat(session.run, program, options.times)
            outcome = tally.worst
            assert outcome is not None
            verdicts.add(outcome.verdict)
            print(explain(outcome) or headline(outcome).rstrip(": "))
            print(f"{name}: {outcome.verdict.name}")
            print("\n".join(tally.lines()) + "\n" if options.times > 1 else "", flush=True)
            if options.c_file is not None:
                factory = Factory.of("", [session])
                text = _c_source(options, factory, outcome, headline(outcome))
                options.c_file.write_text(text)
    if verdicts & {Verdict.FAIL, Verdict.CRASH}:
        return EXIT_KERNEL
    return 6 if Verdict.ERROR in verdicts else 0


def named_programs(path: Path) -> list[tuple[str, Program]]:
    """From a file, or of the suite: one, or a family."""
    from harness.suite import programs  # noqa: PLC0415

    name = str(path)
    if path.is_file():
        return [(name, read_program(path))]
    of_suite = [(each, program) for each, program in programs().items()
                if name in {each, each.partition("/")[0]}]  # fmt: skip
    return of_suite or [(name, read_program(path))]  # which says what is wrong


# --- compare -------------------------------------------------------------------------------------


def command_compare(options: argparse.Namespace) -> int:
    """0: no difference; 1: one.  The suite comes first, then generated programs."""
    from harness.fuzz.compare import Pair  # noqa: PLC0415
    from harness.fuzz.corpus import Corpus  # noqa: PLC0415
    from harness.fuzz.fuzzer import Factory, Fuzzer  # noqa: PLC0415
    from harness.suite import programs  # noqa: PLC0415

    seed = options.seed or secrets.token_hex(4)
    one, other = options.kernels
    if one == other and kind_of(one) in BOARDS:
        raise ConfigError(f"{one}: a board runs one kernel at a time",
                          "compare it with a kernel in QEMU, or with another board")  # fmt: skip
    with _either(options, one) as first, _either(options, other) as second:
        print(f"gicv5: comparing {one} (expected) with {other} (observed), --seed {seed}",
              file=sys.stderr)  # fmt: skip
        boards = ["--boards", str(options.boards)] if options.boards else []
        again = shlex.join(["gicv5", "compare", *options.kernels, *boards, "--seed", seed])
        factory = Factory.of(seed, [first, second])
        suite = [each for each in programs().values()
                 if not is_racy(each.ops) and factory.modelled(each.ops)]  # fmt: skip
        fuzzer = Fuzzer(Pair(first, second), factory, Corpus(None), _stop(options), first=suite)
        return watched(fuzzer, lambda finding: report(finding, again))


def _either(options: argparse.Namespace, kernel: str) -> AbstractContextManager[Session]:
    """A session on a kernel in QEMU or on what runs on a board."""
    if kind_of(kernel) in BOARDS:
        return open_session(options, None, kernel)
    return open_session(options, kernel)
