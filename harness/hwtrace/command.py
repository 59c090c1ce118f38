# SPDX-License-Identifier: GPL-2.0-or-later
"""``gicv5 trace``: a ring file as text or JSON."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

from harness.errors import ConfigError
from harness.hwtrace.decode import Symbols, as_dict, line
from harness.hwtrace.ring import Record, Ring
from harness.hwtrace.slices import Located, Place, between, is_mark, locate

_FILTERS: Final = ("cpu", "reg", "el", "ctx", "interface", "op")


def trace_options(parser: argparse.ArgumentParser) -> None:
    """The options of ``gicv5 trace``."""
    parser.add_argument("file", type=Path, metavar="FILE", help="hardware-trace.bin of a failure")
    parser.add_argument("--cpu", type=int, metavar="N", help="accesses of this host CPU")
    parser.add_argument("--reg", metavar="GLOB", help="register or instruction, e.g. 'ICH_PPI_*'")
    parser.add_argument("--el", type=int, metavar="N", help="accesses at this exception level")
    parser.add_argument(
        "--ctx", choices=("host", "guest"), help="whether the CPU is set up for a guest"
    )
    parser.add_argument(
        "--if", dest="interface", metavar="NAME", help="phys, virt, ich (EL2 only) or irs"
    )
    parser.add_argument("--op", metavar="NAME", help="read, write, trap or undef")
    parser.add_argument("--program", type=int, metavar="N", help="what this program caused")
    parser.add_argument(
        "--between", nargs=2, metavar=("A", "B"),
        help="from the start of operation A to that of B, e.g. 4 5 or 4.0 4.2",
    )  # fmt: skip
    parser.add_argument(
        "--symbols", type=Path, metavar="FILE", help="the kernel's System.map, to name addresses"
    )
    parser.add_argument("--json", action="store_true", help="an object a line, for programs")


def command_trace(options: argparse.Namespace) -> int:
    """Decode a trace file of the platform."""
    for text in lines(options):
        print(text)
    return 0


def lines(options: argparse.Namespace) -> Iterator[str]:
    """What is to be printed.  ConfigError for an unfit file, or options that do not fit it."""
    symbols = Symbols.load(options.symbols) if options.symbols else Symbols()
    with Ring(options.file) as ring:
        _check(options, ring)
        chosen = _chosen(options, list(locate(ring.records())))
        found = _filtered(options, chosen)
        if options.json:
            for each in found:
                yield json.dumps(as_dict(each, ring.started, symbols))
            return
        if ring.overwritten:
            yield f"{ring.overwritten} accesses before these are not in this file"
        if damaged := ring.damaged:
            yield f"{damaged} records were not complete when the machine died"
        for each in found:
            yield line(each.record, ring.started, symbols)


def _check(options: argparse.Namespace, ring: Ring) -> None:
    """A name that no record can have is a slip of the pen."""
    for option, known in (("--if", ring.names.interfaces), ("--op", ring.names.ops)):
        given = options.interface if option == "--if" else options.op
        if given is not None and given not in known.values():
            raise ConfigError(f"{option} {given}: unknown", f"one of: {', '.join(known.values())}")


def _chosen(options: argparse.Namespace, located: list[Located]) -> list[Located]:
    """The program's, and the operations'."""
    programs = list(dict.fromkeys(each.program for each in located if each.program))
    program = options.program
    if program is None and options.between and len(programs) == 1:
        program = programs[0]
    if program is None and options.between:
        raise ConfigError(
            f"{options.file}: {len(programs)} programs, and --between does not say of which",
            "add --program N",
        )
    if program is None:
        return located
    if program not in programs:
        has = f"{programs[0]} to {programs[-1]}" if programs else "none"
        raise ConfigError(f"{options.file}: no program {program}", f"it has: {has}")
    located = [each for each in located if each.program == program]
    if not options.between:
        return located
    try:
        first, last = map(Place.parse, options.between)
    except ValueError as e:
        raise ConfigError(
            f"--between {' '.join(options.between)}: not operations", "as in reports: 4 or 4.2"
        ) from e
    return between(located, first, last)


def _filtered(options: argparse.Namespace, located: Iterable[Located]) -> Iterator[Located]:
    """The accesses that match, each after the marks that tell where it is."""
    filtered = any(getattr(options, name) is not None for name in _FILTERS)
    marks: list[Located] = []
    for each in located:
        if filtered and is_mark(each.record):
            marks = [*(marks if each.record.el else []), each]
        elif not filtered or _matches(options, each.record):
            yield from marks
            marks = []
            yield each


def _matches(options: argparse.Namespace, record: Record) -> bool:
    return (
        options.cpu in (None, record.cpu)
        and options.el in (None, record.el)
        and options.ctx in (None, "guest" if record.guest else "host")
        and options.interface in (None, record.interface)
        and options.op in (None, record.op)
        and (options.reg is None or fnmatchcase(record.name, options.reg))
    )
