# SPDX-License-Identifier: GPL-2.0-or-later
"""The `gicv5` command: what is under test, the tests on kernels, the project's own tests."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from harness import doctor
from harness.coverage.command import command_coverage, coverage_options
from harness.errors import HarnessError, ProvisionError
from harness.fuzz import commands as fuzz
from harness.hwtrace.command import add_options, lines
from harness.mutants import options as mutants
from harness.nightly import command as nightly
from harness.nightly import kernelci
from harness.provision import Listing, Provisioner, default_images, load_images, project_root
from harness.provision.process import child, run
from harness.provision.system import Need, ensure
from harness.results import command as results
from harness.trees import bisect as trees_bisect
from harness.trees import watch as trees_watch

EXIT_KERNEL = 1
EXIT_INTERRUPTED = 130
_PYTEST_FAILED = 1
_SHORT = 12
_CLANG_FORMAT = (Need("clang-format", ("clang-format",)),)
_BROWSER = (Need("chromium", ("chromium", "chromium-browser", "google-chrome")),)


def main(argv: Sequence[str] | None = None) -> int:
    """The entry point; returns the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        signal.signal(signal.SIGTERM, _terminated)
        ours, pytest_arguments = _split(arguments)
        options = _parser().parse_args(ours)
        if pytest_arguments and options.command not in (command_run, trees_watch.command_watch):
            _parser().error("only `run` and `watch` take arguments after --")
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


def report(error: HarnessError) -> None:
    """One error as a person should see it."""
    print(f"gicv5: error: {error.what}", file=sys.stderr)
    if error.remedy:
        print(f"  remedy: {error.remedy}", file=sys.stderr)


def _terminated(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _split(arguments: list[str]) -> tuple[list[str], list[str]]:
    if "--" not in arguments:
        return arguments, []
    at = arguments.index("--")
    return arguments[:at], arguments[at + 1 :]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="gicv5", description="Proves on a real kernel which PPIs KVM shows to a GICv5 guest."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(
        name: str, command: Callable[[argparse.Namespace], int], text: str
    ) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(command=command)
        return sub

    sub = add("run", command_run, "Run the tests on kernels.")
    sub.usage = "gicv5 run [KERNEL ...] [options] [-- PYTEST-ARGUMENT ...]"
    sub.add_argument(
        "kernels",
        nargs="*",
        metavar="KERNEL",
        help="a name, an Image, or a kernel tree (default: run)",
    )
    _images_option(sub)
    sub.add_argument("--qemu", metavar="NAME", help="a QEMU from images.yaml, or an executable")
    sub.add_argument("--host-cpus", metavar="N", type=int, help="CPUs of the machine under test")

    sub = add("images", command_images, "Show, fetch or build what is under test.")
    sub.add_argument("names", nargs="*", metavar="NAME", help="a QEMU or a kernel (default: all)")
    _images_option(sub)
    sub.add_argument("--fetch", action="store_true", help="fetch or build what is not in the cache")
    sub.add_argument(
        "--refresh", action="store_true", help="ask the archive for the newest versions"
    )
    sub.add_argument("--json", action="store_true", help="for programs")

    sub = add("bench", command_bench, "Measure the harness on this machine.")
    sub.add_argument("kernel", nargs="?", default="masked", metavar="KERNEL", help="masked")

    sub = add("trace", command_trace, "Show the accesses to the GIC that a host made.")
    add_options(sub)

    sub = add("fuzz", fuzz.command_fuzz, "Look for bugs with generated programs.")
    fuzz.target_options(sub)
    fuzz.fuzz_options(sub)
    sub = add("replay", fuzz.command_replay, "Run and judge programs from files.")
    fuzz.target_options(sub)
    fuzz.replay_options(sub)
    sub = add("compare", fuzz.command_compare, "Run the same programs on two kernels.")
    fuzz.target_options(sub, kernel=False)
    fuzz.compare_options(sub)

    sub = add("mutants", mutants.command_mutants, "Run the suite on kernels that deserve to fail.")
    mutants.options(sub)

    sub = add("coverage", command_coverage, "Show what is reached in a kernel with gcov.")
    coverage_options(sub)

    sub = add("export", results.command_export, "Convert a session's results for other tools.")
    results.export_options(sub)

    sub = add("nightly", nightly.command_nightly, "Run the matrix of images.yaml, and compare.")
    nightly.nightly_options(sub)

    sub = add(
        "kernelci", kernelci.command_kernelci, "Do one job of KernelCI: JSON in, results out."
    )
    kernelci.kernelci_options(sub)
    sub = add("bisect", trees_bisect.command_bisect, "Find the commit that broke a program.")
    trees_bisect.bisect_options(sub)
    sub = add("watch", trees_watch.command_watch, "Judge a tree again whenever it changes.")
    trees_watch.watch_options(sub)
    sub = add("doctor", doctor.command_doctor, "Say what a host is, and what it lacks.")
    doctor.doctor_options(sub)

    add("test", command_test, "Run the project's own checks and tests.")
    return parser


def _images_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--images",
        type=Path,
        default=default_images(),
        metavar="FILE",
        help="instead of the project's own",
    )


@contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    """Messages to stderr: a spinner for a person, lines for a log."""
    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        yield lambda message: print(f"gicv5: {message}", file=sys.stderr, flush=True)
        return
    with console.status("") as status:

        def show(message: str) -> None:
            console.print(f"[dim]{escape(message)}[/dim]")
            status.update(f"[dim]{escape(message.partition(':')[0])} ...[/dim]")

        yield show


# images


def command_images(options: argparse.Namespace) -> int:
    """List, and with --refresh or --fetch first change, what is in the cache."""
    with _progress() as progress:
        images = load_images(options.images)
        provisioner = Provisioner(images, progress=progress)
        for name in options.names:
            if name not in images.qemu.named:
                images.kernel(name)
        names = options.names or list(provisioner.names())
        for name in names:
            if options.refresh:
                provisioner.refresh(name)
            if options.fetch and (name in options.names or provisioner.is_there(name)):
                _fetch(provisioner, name, asked=bool(options.names))
        listings = [provisioner.describe(name) for name in names]
    if options.json:
        print(json.dumps([dataclasses.asdict(listing) for listing in listings], indent=2))
    else:
        _print_listings(listings)
    return 0


def _fetch(provisioner: Provisioner, name: str, asked: bool) -> None:
    listing = provisioner.describe(name)
    if listing.section == "kernel":
        provisioner.kernel(name)
    elif asked or listing.kind == "package":
        provisioner.qemu(name)


def _print_listings(listings: Sequence[Listing]) -> None:
    table = Table(box=None, pad_edge=False)
    for title in ("name", "kind", "version", "sha256", "cached"):
        table.add_column(title, no_wrap=True)
    for listing in listings:
        table.add_row(
            listing.name,
            f"{listing.section}, {listing.kind}",
            escape(listing.version or "-"),
            listing.sha256[:_SHORT] or "-",
            "yes" if listing.cached else "no",
        )
    console = Console(highlight=False)
    with console.capture() as capture:
        console.print(table)
    heading, *rows = capture.get().splitlines()
    print(heading)
    for listing, row in zip(listings, rows, strict=True):
        unknown = "" if listing.resolved else " (not asked for yet)"
        if listing.absent:
            unknown = " (not in the archive yet)"
        print(row.rstrip())
        print(f"    {listing.resolved or listing.asked}{unknown}")
        if expectation := _expectation(listing):
            print(f"    expect: {expectation}")


def _expectation(listing: Listing) -> str:
    expect = listing.expect
    if expect is None:
        return ""
    accessors = {None: "as probed", True: "yes", False: "no"}[expect.accessors]
    parts = [f"accessors {accessors}", f"finalize {expect.finalize}"]
    if expect.late_writes:
        parts.append(f"late writes {expect.late_writes}")
    if expect.irs is not None:
        parts.append("IRS" if expect.irs else "no IRS")
    return ", ".join(parts) + (f"; {listing.cmdline}" if listing.cmdline else "")


# run


def command_run(options: argparse.Namespace) -> int:
    """Each kernel is provisioned just before its turn, so that the first verdict comes early."""
    images = load_images(options.images)
    names = options.kernels or images.run
    for name in names:
        if "/" not in name and not Path(name).exists():
            images.kernel(name)
    outcomes: list[tuple[str, str, int, float]] = []
    for name in names:
        start = time.monotonic()
        try:
            with _progress() as progress:
                provisioner = Provisioner(images, progress=progress)
                if why := _passed_over(provisioner, name, bool(options.kernels)):
                    print(f"\n{name}: passed over: {why}", flush=True)
                    outcomes.append((name, "passed over", 0, time.monotonic() - start))
                    continue
                provisioner.qemu(options.qemu)
                provisioner.plugin()
                provisioner.initramfs(provisioner.kernel(name))
            code = _pytest(name, options)
            result = _result(code)
        except HarnessError as error:
            report(error)
            code, result = error.exit_code, "ERROR (not provisioned)"
        outcomes.append((name, result, code, time.monotonic() - start))
    _print_outcomes(outcomes)
    return _overall([code for _, _, code, _ in outcomes])


def _passed_over(provisioner: Provisioner, name: str, asked: bool) -> str:
    """Why an optional kernel, unless the user named it, is not judged; "" if it is."""
    if asked:
        return ""
    try:
        return "" if provisioner.is_there(name) else "not in the archive yet"
    except ProvisionError as error:
        return f"the archive cannot be asked for it: {error.what}"


def _pytest(kernel: str, options: argparse.Namespace) -> int:
    argv = [sys.executable, "-m", "pytest", "--target=qemu", "--kernel", kernel]
    argv += ["--images", str(options.images)]
    if options.qemu:
        argv += ["--qemu", options.qemu]
    if options.host_cpus is not None:
        argv += ["--host-cpus", str(options.host_cpus)]
    argv += options.pytest_arguments
    named = (a.partition("::")[0] for a in options.pytest_arguments if not a.startswith("-"))
    if not any(Path(a).exists() for a in named):
        argv.append(str(project_root() / "tests" / "target"))
    print(f"\n{kernel}", flush=True)
    return child(argv)


def _result(code: int) -> str:
    if code in (0, _PYTEST_FAILED):
        return "FAIL" if code else "PASS"
    return f"ERROR (pytest ended with {code})"


def _overall(codes: Sequence[int]) -> int:
    """1 if a kernel is at fault; else what of ours went wrong; else 0."""
    if EXIT_KERNEL in codes:
        return EXIT_KERNEL
    wrong = next((code for code in codes if code), 0)
    return wrong if wrong >= 0 else 2


def _print_outcomes(outcomes: Sequence[tuple[str, str, int, float]]) -> None:
    console = Console(highlight=False)
    table = Table(box=None, pad_edge=False)
    for title in ("kernel", "result", "exit code", "seconds"):
        table.add_column(title, justify="left" if title in ("kernel", "result") else "right")
    for name, result, code, seconds in outcomes:
        colour = {"PASS": "green", "FAIL": "red"}.get(result, "yellow")
        table.add_row(escape(name), f"[{colour}]{escape(result)}[/]", str(code), f"{seconds:.1f}")
    console.print()
    console.print(table)


# bench


def command_bench(options: argparse.Namespace) -> int:
    """Print the figures that the README states, as they are here and now."""
    from harness.bench import report as figures  # noqa: PLC0415 (it needs QEMU's libraries)

    with _progress() as progress:
        for what, figure in figures(options.kernel, progress):
            print(f"{what:40} {figure}", flush=True)
    return 0


# trace


def command_trace(options: argparse.Namespace) -> int:
    """Decode a trace file of the platform."""
    for text in lines(options):
        print(text)
    return 0


# test


def command_test(_options: argparse.Namespace) -> int:
    """All of the project's own checks, to the end, whatever fails; 0 only if all passed."""
    root = project_root()
    say = partial(print, "gicv5:", file=sys.stderr)
    ensure(_CLANG_FORMAT, run, say)
    try:
        ensure(_BROWSER, run, say)
    except ProvisionError as error:  # its tests are skipped, and say why
        say(f"no browser: {error.what}")
    outcomes: list[tuple[str, str, int, float]] = []
    with tempfile.TemporaryDirectory(prefix="gicv5-test.") as scratch:
        for name, argv in _checks(root, Path(scratch)):
            print(f"\n{name}", flush=True)
            start = time.monotonic()
            code = child(argv, cwd=root)
            outcomes.append((name, "FAIL" if code else "PASS", code, time.monotonic() - start))
    _print_outcomes([(name, result, code, seconds) for name, result, code, seconds in outcomes])
    return 1 if any(code for _, _, code, _ in outcomes) else 0


def _checks(root: Path, scratch: Path) -> list[tuple[str, list[str]]]:
    python = [sys.executable, "-m"]
    # kernel/ follows the kernel's own style, which checkpatch knows and clang-format does not.
    sources = sorted(
        str(path.relative_to(root))
        for part in ("docs", "guest", "harness", "qemu_plugin", "tests/platform")
        for path in (root / part).rglob("*.[ch]")
    )
    make = ["make", "-C", "qemu_plugin", "test"]
    return [
        ("ruff", [*python, "ruff", "check", "."]),
        ("ruff format", [*python, "ruff", "format", "--check", "."]),
        ("mypy", [*python, "mypy"]),
        ("clang-format", ["clang-format", "--dry-run", "-Werror", *sources]),
        ("qemu_plugin", [*make, f"OUT={scratch}"]),
        ("qemu_plugin, sanitized", [*make, f"OUT={scratch}", "SAN=1"]),
        ("tests/unit", [*python, "pytest", "-q", "tests/unit"]),
        ("tests/platform", [*python, "pytest", "-q", "tests/platform"]),
        ("tests/board", [*python, "pytest", "-q", "tests/board"]),
        ("tests/selfcheck", [*python, "pytest", "-q", "tests/selfcheck"]),
    ]


if __name__ == "__main__":
    sys.exit(main())
