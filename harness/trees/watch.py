# SPDX-License-Identifier: GPL-2.0-or-later
"""``gicv5 watch``: build and judge a tree again whenever one of its sources changes."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from watchfiles import Change, DefaultFilter, watch

from harness.commands.shown import say
from harness.errors import ConfigError, HarnessError
from harness.fuzz.commands import target_options
from harness.provision import Provisioner, load_images
from harness.provision.kbuild import is_kernel_tree
from harness.provision.paths import project_root
from harness.provision.process import child

SETTLE_MS: Final = 200  # editors write a file in several steps
SOURCES: Final = (".c", ".h", ".S", ".lds", ".dts", ".dtsi", ".rs")
NAMES: Final = ("Makefile", "Kbuild", "Kconfig", ".config")


class Sources(DefaultFilter):
    """What a build depends on, and git's checkouts; not what a build makes."""

    def __call__(self, change: Change, path: str) -> bool:
        name = Path(path).name
        wanted = name.endswith(SOURCES) or name.startswith(NAMES)
        made = name.endswith(".mod.c") or "/include/generated/" in path
        return wanted and not made and super().__call__(change, path)


def watch_options(parser: argparse.ArgumentParser) -> None:
    parser.usage = "gicv5 watch TREE [options] [-- PYTEST-ARGUMENT ...]"
    parser.add_argument("tree", type=Path, metavar="TREE", help="a kernel tree")
    parser.add_argument("--times", type=int, metavar="N", help="end after N verdicts")
    target_options(parser, kernel=False)


def command_watch(options: argparse.Namespace) -> int:
    """The exit code of the last verdict, once --times is reached; else until Ctrl-C."""
    tree = options.tree.expanduser().resolve()
    if not is_kernel_tree(tree):
        raise ConfigError(f"not a Linux source tree: {tree}", "give a folder with Kconfig")
    provisioner = Provisioner(load_images(options.images), progress=say)
    code, verdicts, last = 0, 0, ""
    # The watch begins before the first build, so that no edit during a build is missed.
    for changed in _changes(tree):
        began = time.monotonic()
        if changed:
            say(f"changed: {', '.join(changed[:3])}{' ...' if len(changed) > 3 else ''}")
        try:
            kernel = provisioner.kernel(str(tree))
        except HarnessError as e:
            say(f"error: {e}")
            continue
        if kernel.sha256 == last:
            say("the kernel is the same as before")
            continue
        last = kernel.sha256
        built = time.monotonic() - began
        code = child(_pytest(options, tree))
        took = time.monotonic() - began
        say(f"{'PASS' if code == 0 else f'exit code {code}'}: {took:.1f} s, built in {built:.1f} s")
        verdicts += 1
        if verdicts == options.times:
            break
    return code


def _changes(tree: Path) -> Iterator[list[str]]:
    """First nothing, then the names of what changed, again and again."""
    watching = watch(tree, watch_filter=Sources(), debounce=1600, step=SETTLE_MS,
                     yield_on_timeout=True, rust_timeout=500, raise_interrupt=True)  # fmt: skip
    next(watching)  # it watches now
    yield []
    say(f"watching {tree}; Ctrl-C ends it")
    for changes in watching:
        if changes:
            yield names(tree, (path for _, path in changes))


def names(tree: Path, paths: Iterable[str]) -> list[str]:
    """Relative to the tree, in order."""
    return sorted({str(Path(path).relative_to(tree)) for path in paths})


def _pytest(options: argparse.Namespace, tree: Path) -> list[str]:
    argv = [sys.executable, "-m", "pytest", "--target=qemu", f"--kernel={tree}", "-q",
            f"--images={options.images}", f"--host-cpus={options.host_cpus}"]  # fmt: skip
    argv += [f"--qemu={options.qemu}"] if options.qemu else []
    argv += [f"--expect={key}={value}" for key, value in options.expect]
    return [*argv, *_or_suite(options.pytest_arguments)]


def _or_suite(arguments: Sequence[str]) -> list[str]:
    """pytest's own arguments; the suite unless they name a path."""
    named = any(Path(a.partition("::")[0]).exists() for a in arguments if not a.startswith("-"))
    suite = [] if named else [str(project_root() / "tests" / "target")]
    return [*arguments, *suite]
