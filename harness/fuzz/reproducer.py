# SPDX-License-Identifier: GPL-2.0-or-later
"""A program as one C file that needs neither the harness nor anything else of it.

    aarch64-linux-gnu-gcc -O2 -static -o reproducer FILE.c

It is made of the agent's own sources (guest/), which interpret the program; the guest's image and
the program and its expected results, as data; the judge (kselftest_glue/) and reproducer.c.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from harness.fuzz.sections import is_racy
from harness.kselftest.tables import Case, c_tables, capabilities_h
from harness.program import Program
from harness.provision.paths import project_root
from harness.report.listing import Lister
from harness.trace import Trace
from harness.wire_header import c_header

SOURCES: Final = (
    "guest/frame.c", "guest/host.c", "guest/vm.c", "guest/irs.c", "guest/parse.c",
    "guest/execute.c", "guest/run.c", "guest/parallel.c", "guest/program.c", "guest/supervise.c",
    "guest/probe.c", "kselftest_glue/judge.c",
)  # fmt: skip
RACE_REPETITIONS: Final = 1000
GUEST_IMAGE: Final = "obj/el1/guest.bin"  # where the guest build leaves it, beside its ``init``
_INCLUDE: Final = re.compile(r'^#include "(.*)"\n', re.M)
_ONCE: Final = "#pragma once\n"
_STATIC: Final = re.compile(r"^static (?!inline)[^=;()]*?(\w+)\(", re.M)
_SPDX: Final = re.compile(r"^(//|/\*) SPDX-License-Identifier.*\n")


def c_source(program: Program, allowed: Sequence[Trace], image: bytes, about: str = "") -> str:
    """The file.  ``allowed``: every trace of a kernel that is not affected; ``image``: the EL1
    guest's; ``about``: lines for the comment at its head."""
    return "\n".join(_parts(program, allowed, image, about))


def _parts(program: Program, allowed: Sequence[Trace], image: bytes, about: str) -> Iterator[str]:
    yield "// SPDX-License-Identifier: GPL-2.0-or-later"
    yield "/*"
    yield f" * Reproducer of {program.name}, for an arm64 host with a GICv5 and /dev/kvm."
    yield " *"
    yield " *\taarch64-linux-gnu-gcc -O2 -static -o reproducer THIS-FILE"
    yield " *"
    yield " * Exit status: 0 not affected, 1 affected, 4 cannot tell.  Also runs as PID 1."
    yield " *"
    for line in [*about.splitlines(), *_listing(program)]:
        yield f" * {line.replace('/*', '/ *').replace('*/', '* /')}".rstrip()
    yield " */"
    yield "#define _GNU_SOURCE"
    yield "#include <sys/mount.h>\n#include <sys/reboot.h>\n#include <sys/stat.h>"
    yield (c_header() + capabilities_h()).replace(_ONCE, "")
    included, taken = {"wire.h", "capabilities.h"}, set[str]()
    for name in SOURCES:
        yield _apart(_source(name, included), Path(name).stem, taken)
    yield from _image(image)
    yield "/* --- The program, and what the reference model expects of it --- */"
    yield c_tables("reproducer", [Case.of(program, allowed)])
    yield "/* A race does not show each time. */"
    yield f"#define REPETITIONS {RACE_REPETITIONS if is_racy(program.ops) else 1}"
    yield Path(__file__).with_name("reproducer.c").read_text()


def _listing(program: Program) -> Iterator[str]:
    for step, text in Lister(program).lines():
        yield f"{step.number:>3}  {text}"


def _source(name: str, included: set[str]) -> str:
    """A file of ours, with each header in the place where it is first included."""
    root = project_root()

    def header(match: re.Match[str]) -> str:
        if match[1] in included:
            return ""
        included.add(match[1])
        beside = f"{Path(name).parent}/{match[1]}"
        return _source(beside if (root / beside).exists() else f"guest/{match[1]}", included)

    text = _SPDX.sub("", (root / name).read_text()).replace(_ONCE, "")
    return f"/* --- {name} --- */\n{_INCLUDE.sub(header, text)}"


def _apart(text: str, stem: str, taken: set[str]) -> str:
    """Two files may have static functions of one name; in one file the second gets another."""
    for name in _STATIC.findall(text):
        if name in taken:
            text = re.sub(rf"\b{name}\(", f"{stem}_{name}(", text)
        taken.add(name)
    return text


def _image(image: bytes) -> Iterator[str]:
    """In assembly: the agent knows the image by two symbols."""
    yield "/* --- The EL1 guest: guest/el1/, built --- */"
    yield 'asm(".pushsection .rodata\\n.balign 8\\n.global guest_image, guest_image_end\\n"'
    yield '    "guest_image:\\n"'
    for at in range(0, len(image), 16):
        yield f'    ".byte {", ".join(f"{byte:#04x}" for byte in image[at : at + 16])}\\n"'
    yield '    "guest_image_end:\\n.popsection\\n");'
