# SPDX-License-Identifier: GPL-2.0-or-later
"""The `gicv5` command: a table of commands, and what they have in common."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from types import FrameType
from typing import Final, NamedTuple, NoReturn

from harness.commands.shown import report
from harness.errors import EXIT_INTERRUPTED, ConfigError, HarnessError


class Command(NamedTuple):
    """``module`` has ``NAME_options(parser)`` and ``command_NAME(options)``, which returns the exit
    code.  It is imported only for its own command."""

    name: str
    module: str
    text: str
    passes_on: bool = False  # arguments after -- are pytest's


COMMANDS: Final = (
    Command("run", "harness.commands.run", "Run the tests on kernels.", True),
    Command("images", "harness.commands.images", "Show, fetch or build what is under test."),
    Command("doctor", "harness.doctor", "Say what a host is, and what it lacks."),
    Command("trace", "harness.hwtrace.command", "Show the accesses to the GIC that a host made."),
    Command("fuzz", "harness.fuzz.commands", "Look for bugs with generated programs."),
    Command("replay", "harness.fuzz.commands", "Run and judge programs from files."),
    Command("compare", "harness.fuzz.commands", "Run the same programs on two kernels."),
    Command("watch", "harness.trees.watch", "Judge a tree again whenever it changes.", True),
    Command("bisect", "harness.trees.bisect", "Find the commit that broke a program."),
    Command("selftest", "harness.kselftest.command", "The suite as a kernel selftest."),
    Command("export", "harness.results.command", "Convert a session's results for other tools."),
    Command("nightly", "harness.nightly.command", "Run the matrix of images.yaml, and compare."),
    Command("kernelci", "harness.nightly.kernelci", "A job of KernelCI: JSON in, results out."),
    Command("mutants", "harness.mutants.options", "Run the suite on kernels that deserve to fail."),
    Command("coverage", "harness.coverage.command", "Show what is reached in a kernel with gcov."),
    Command("bench", "harness.bench", "Measure the harness on this machine."),
    Command("test", "harness.commands.checks", "Run the project's own checks and tests."),
)


def main(argv: Sequence[str] | None = None) -> int:
    """The entry point; returns the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        signal.signal(signal.SIGTERM, _terminated)
        ours, pytest_arguments = _split(arguments)
        parser = make_parser(ours)
        options = parser.parse_args(ours)
        if pytest_arguments and not options.passes_on:
            able = " and ".join(f"`{each.name}`" for each in COMMANDS if each.passes_on)
            parser.error(f"only {able} take arguments after --")
        options.pytest_arguments = pytest_arguments
        code: int = options.command(options)
        return code
    except HarnessError as error:
        if os.environ.get("GICV5_DEBUG") == "1":
            raise
        report(error)
        return error.exit_code
    except KeyboardInterrupt:
        print("gicv5: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has seen enough; keep Python from complaining about it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _terminated(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _split(arguments: list[str]) -> tuple[list[str], list[str]]:
    if "--" not in arguments:
        return arguments, []
    at = arguments.index("--")
    return arguments[:at], arguments[at + 1 :]


class Parser(argparse.ArgumentParser):
    """With the exit code that all mistakes of the user have."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(ConfigError.exit_code, f"{self.prog}: error: {message}\n")


def make_parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    """Knows all commands, and the options of those that the arguments name."""
    parser = Parser(
        prog="gicv5", description="Proves on a real kernel which PPIs KVM shows to a GICv5 guest."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for each in COMMANDS:
        sub = commands.add_parser(each.name, help=each.text, description=each.text)
        if each.name in arguments:
            module = import_module(each.module)
            getattr(module, f"{each.name}_options")(sub)
            command = getattr(module, f"command_{each.name}")
            sub.set_defaults(command=command, passes_on=each.passes_on)
    return parser


if __name__ == "__main__":
    sys.exit(main())
