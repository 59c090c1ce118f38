# SPDX-License-Identifier: GPL-2.0-or-later
"""pstore: what a kernel said before it died, as far as the board's memory has kept it.

Linux: Documentation/admin-guide/ramoops.rst; the file system is fs/pstore/inode.c.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from typing import Final

from harness.errors import TargetError
from harness.targets.link import Link

# What keeps it, if anything does
BACKEND: Final = "cat /sys/module/pstore/parameters/backend 2>/dev/null"
# The shell's folder while it does something there.  What was not mounted is not mounted afterwards.
_THERE: Final = (
    "d=/sys/fs/pstore; mount -t pstore pstore $d 2>/dev/null && trap 'umount $d' EXIT; "
    "(cd $d && {what})"
)
_LINE: Final = re.compile(r"(?:<\d+>)?(\[ *(\d+\.\d+)\].*)")


def kept(backend: str) -> bool:
    """Whether there is a backend, by the answer to ``BACKEND``."""
    return backend not in ("", "(null)")


def records(link: Link, sudo: str, timeout: float) -> frozenset[str]:
    """Checksum and name of each record that is there; none if that cannot be said."""
    said = _run(link, sudo, timeout, "md5sum -- * 2>/dev/null")
    return frozenset(line for line in said.splitlines() if re.match(r"[0-9a-f]{32} ", line))


def take(link: Link, sudo: str, timeout: float, known: frozenset[str], after: str) -> str:
    """The log in the records that are not ``known``, which are removed from the board.

    ``after``: the log of the same boot as far as it was read already.
    """
    texts = []
    for record in records(link, sudo, timeout) - known:
        name = shlex.quote(record.split(maxsplit=1)[1])
        texts.append(_run(link, sudo, timeout, f"cat -- {name} && rm -f -- {name}"))
    return merged(texts, after)


def merged(texts: Iterable[str], after: str = "") -> str:
    """The lines with a time stamp, each once, in their order, and of them those behind ``after``.

    The same line may be in the record of a panic and in that of the console, and a backend may have
    cut a log in pieces.  A log without time stamps has no order: nothing of it is left.
    """
    seen = _stamped(after)
    since = seen[-1][0] if seen else -1.0
    lines = dict.fromkeys(line for text in texts for line in _stamped(text))
    ordered = sorted(lines, key=lambda line: line[0])
    return "".join(f"{text}\n" for stamp, text in ordered if stamp > since)


def _stamped(log: str) -> list[tuple[float, str]]:
    """Seconds and text of the lines with a time stamp."""
    matches = map(_LINE.match, log.splitlines())
    return [(float(m[2]), m[1]) for m in matches if m]


def _run(link: Link, sudo: str, timeout: float, what: str) -> str:
    """Its output; "" if that fails: the board has other troubles then."""
    try:
        return link.execute(f"{sudo}sh -c {shlex.quote(_THERE.format(what=what))}", timeout).text
    except TargetError:
        return ""
