# SPDX-License-Identifier: GPL-2.0-or-later
"""The commands in the documentation, and how they are tested.

A block of commands is an indented block with lines that begin with one of PROGRAMS.  A comment
before it says when it is executed:

    <!-- test: quick -->    in CI, needs no kernel
    <!-- test: kernel -->   in CI, on kernels that are in the cache
    <!-- test: long -->     with --long only; so is a block without a comment
    <!-- test: no: WHY -->  never: it needs what no test machine has

With --long, what only says for how long or how many is made smaller (SHORTER), and a command that
several blocks have is executed for the first.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
FILES = ("README.md", *sorted(str(p.relative_to(ROOT)) for p in (ROOT / "docs").rglob("*.md")))
PROGRAMS = ("gicv5", "pytest", "python", "pip", "mutmut", "make", "aarch64-linux-gnu-gcc")
# These judge kernels: 1 says that a kernel deserved it.
JUDGES = (
    "run", "replay", "compare", "fuzz", "nightly", "kernelci", "mutants", "coverage", "watch",
)  # fmt: skip
# What a test does not wait for: how long a command goes on, if that is all that a number says.
SHORTER = (
    (r"(--seconds[ =])\d+", r"\g<1>10"),
    (r"(--fuzz[ =])\d+", r"\g<1>5"),
    (r"--soak-minutes=\d+", "--soak-minutes=2"),
    (r"FUZZ_SECONDS=\d+", "FUZZ_SECONDS=20"),
    (r"--accesses \d+", "--accesses 500000"),
    (r"^gicv5 (fuzz|compare)(?!.*--seconds)", r"gicv5 \1 --seconds 10"),
    (r"^gicv5 watch(?!.*--times)", "gicv5 watch --times 1"),
    (r"(^gicv5 replay .*--times )\d+", r"\g<1>2"),
    (r"^gicv5 mutants(?!.* -k\b)", "gicv5 mutants -k wfi"),
    (r"--stress-plugin=\S+", r"\g<0> -k wakeups"),
    (r"'--kselftest=kvm:\*'", r"\g<0> --kselftest-timeout=20"),
)
# What is executed elsewhere, by what it has in it.
ELSEWHERE = {
    "./gicv5 test": "CI itself, and a night's job",
    "ssh:HOST": "tests/board",
    "board:NAME": "tests/board",
}
COMMENT = re.compile(r"^<!-- test: (\w+)(?:: (.*))? -->$")


@dataclass(frozen=True)
class Block:
    """Consecutive commands.  ``kind``: quick, kernel, long, no, python.  ``line``: its first."""

    file: str
    line: int
    kind: str
    commands: tuple[str, ...]
    why: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


def blocks(file: str) -> list[Block]:
    """Those of a file, in order."""
    found: list[Block] = []
    kind, why = "long", ""
    lines = (ROOT / file).read_text().splitlines()
    at = 0
    while at < len(lines):
        if match := COMMENT.match(lines[at]):
            kind, why = match[1], match[2] or ""
        elif lines[at].startswith("    "):
            end = at
            while end < len(lines) and (lines[end].startswith("    ") or not lines[end].strip()):
                end += 1
            text = [line[4:] for line in lines[at:end]]
            commands = ("\n".join(text),) if kind == "python" else tuple(_commands(text))
            if commands:
                found.append(Block(file, at + 1, kind, commands, why))
            kind, why, at = "long", "", end
            continue
        elif lines[at].strip():
            kind, why = "long", ""
        at += 1
    return found


def _commands(lines: list[str]) -> Iterator[str]:
    """Whole commands, without their comments."""
    joined = "\n".join(lines).replace("\\\n", " ").splitlines()
    where = ""
    for line in joined:
        words = line.split()
        if words and words[0] == "cd":
            where = f"cd {shlex.quote(words[1])} && "
        elif words and Path(words[0]).name in PROGRAMS and not line.startswith(" "):
            yield where + shlex.join(shlex.split(line, comments=True))


def all_blocks() -> list[Block]:
    return [block for file in FILES for block in blocks(file)]


def shortened(command: str) -> str:
    """The same, but soon over."""
    for pattern, instead in SHORTER:
        command = re.sub(pattern, instead, command)
    return command


def elsewhere(command: str) -> str:
    """Where it is executed, if not here."""
    return next((where for text, where in ELSEWHERE.items() if text in command), "")


def allowed_codes(command: str) -> set[int]:
    """0; and 1 where a verdict on a kernel is asked for."""
    words = command.rpartition("&& ")[2].split()
    judges = words[0] == "pytest" and "--target=qemu" in words
    judges |= words[0].endswith("gicv5") and (words[1] in JUDGES or "--step" in words)
    return {0, 1} if judges else {0}
