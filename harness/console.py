# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel log: what the kernel under test said that a healthy kernel does not say."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

MAX_EXCERPT: Final = 80  # lines kept of a report
MAX_EXTENT: Final = 400  # lines that a report can have


class ReportKind(Enum):
    """What a report is; the value names it in texts and fingerprints."""

    UNDEFINED = "undefined instruction"
    SERROR = "SError"
    OOPS = "oops"
    PANIC = "panic"
    KASAN = "KASAN"
    KFENCE = "KFENCE"
    KCSAN = "KCSAN"
    UBSAN = "UBSAN"
    LOCKDEP = "lockdep"
    ATOMIC = "sleeping in atomic context"
    RCU_STALL = "RCU stall"
    LOCKUP = "lockup"
    HUNG_TASK = "hung task"
    BUG = "BUG"
    WARNING = "WARNING"


@dataclass(frozen=True, slots=True)
class KernelReport:
    """One report of the kernel.

    ``title``: its first telling line, without time stamp.  ``function``, ``file``: where, or "".
    ``fingerprint``: the same for the same defect on another boot: no addresses, lines or counters.
    """

    kind: ReportKind
    title: str
    excerpt: tuple[str, ...]
    function: str = ""
    file: str = ""

    @property
    def fingerprint(self) -> str:
        where = f"{self.function}@{self.file}" if self.file else self.function
        return f"{self.kind.value}: {where or _NUMBERS.sub('N', self.title)}"

    @property
    def summary(self) -> str:
        """One line for people."""
        where = f" in {self.function}" if self.function and self.function not in self.title else ""
        said = self.title.lower().startswith(self.kind.value.lower())
        return self.title + where if said else f"{self.kind.value}{where}: {self.title}"


def find_reports(text: str) -> tuple[KernelReport, ...]:
    """The reports in a console or kernel log, in order; a repeated one only once.

    Lines may carry a log level, a time stamp and a caller id.  If any line is stamped, lines that
    are not are user output and say nothing; otherwise every line counts.
    """
    seen: dict[str, KernelReport] = {}
    for report in _reports(kernel_lines(text)):
        seen.setdefault(report.fingerprint, report)
    return tuple(seen.values())


_STAMP = re.compile(r"(?:<\d{1,3}>)?\[ *\d+\.\d{3,9}\](?: ?\[ *[TC]\d+\])? ?")
_NUMBERS = re.compile(r"0x[0-9a-f]+|\b[0-9a-f]{8,}\b|\d+")


def kernel_lines(text: str) -> list[str]:
    """The kernel's lines without stamps; what a user program printed before a stamp is cut off."""
    lines = text.replace("\r", "").split("\n")
    stamps = [_STAMP.search(line) for line in lines]
    if not any(stamps):
        return lines
    return [line[s.end() :] for line, s in zip(lines, stamps, strict=True) if s]


_LOCKDEP = (
    r"possible (?:recursive|circular|irq lock inversion|deadlock)|inconsistent lock state"
    r"|suspicious RCU usage|bad unlock balance|held lock freed|lock held when returning"
    r"|Nested lock was not taken|HARDIRQ-safe|SOFTIRQ-safe|chain_key collision|bad contention"
    r"|\S+ still has locks held"
)

# Anchored at the start of a message: a command line with "oops=panic", or user text that contains
# these words, is none.  The first that matches decides.
_STARTS: Final = tuple((kind, re.compile(pattern)) for kind, pattern in (
    (ReportKind.KASAN, r"BUG: KASAN: "),
    (ReportKind.KFENCE, r"BUG: KFENCE: "),
    (ReportKind.KCSAN, r"BUG: KCSAN: "),
    (ReportKind.UBSAN, r"UBSAN: \S+ in "),
    (ReportKind.LOCKDEP, rf"(?:\[ )?(?:WARNING|BUG): (?:{_LOCKDEP}|Invalid wait context)"),
    (ReportKind.LOCKDEP, r"BUG: (?:MAX_LOCK|MAX_LOCKDEP|spinlock |rwlock |rwsem )"),
    (ReportKind.LOCKDEP, r"BUG: key \S+ has not been registered"),
    (ReportKind.LOCKDEP, r"INFO: trying to register non-static key"),
    (ReportKind.ATOMIC, r"BUG: (?:sleeping function called from invalid|scheduling while atomic)"),
    (ReportKind.ATOMIC, r"BUG: workqueue leaked "),
    (ReportKind.LOCKUP, r"watchdog: BUG: soft lockup"),
    (ReportKind.LOCKUP, r"watchdog: (?:CPU\d+: )?Watchdog detected hard LOCKUP"),
    (ReportKind.LOCKUP, r"BUG: workqueue lockup"),
    (ReportKind.RCU_STALL, r"(?:rcu: )?INFO: \S+ (?:self-)?detected (?:expedited )?stall"),
    (ReportKind.HUNG_TASK, r"INFO: task .+ blocked .*for more than \d+ seconds"),
    (ReportKind.UNDEFINED, r"Internal error: Oops - Undefined instruction"),
    (ReportKind.SERROR, r"SError Interrupt on CPU\d+"),
    (ReportKind.SERROR, r"Internal error: synchronous external abort"),
    (ReportKind.OOPS, r"Unable to handle kernel |Internal error: |BUG: unable to handle "),
    (ReportKind.OOPS, r"Unhandled (?:32|64)-bit el\w+ \w+ exception on CPU|Bad mode in .* handler"),
    (ReportKind.PANIC, r"Kernel panic - not syncing: |kvm \[\d+\]: nVHE hyp (?:panic|BUG) at"),
    (ReportKind.BUG, r"kernel BUG at \S+(?::\d+!| \[verbose)"),
    (ReportKind.BUG, r"BUG: (?:Bad |using |stack guard page|kernel |memory leak|non-static key)"),
    (ReportKind.BUG, r"BUG \S+ \((?:Not tainted|Tainted).*\): "),  # of the slab allocator
    (ReportKind.BUG, r"---\[ end trace"),  # of a report whose beginning is not in the log
    (ReportKind.WARNING, r"WARNING: (?:CPU: \d+ PID: \d+ )?(?:(?:at )?\S+:\d+ )?(?:at )?\S+\+0x"),
))  # fmt: skip

_CUT = "------------[ cut here ]------------"
_RULE = re.compile(r"={20,}$")
_END = re.compile(r"---\[ end (?:trace|Kernel panic)")
_TRACE = re.compile(r"(?:Call trace|Call Trace|stack backtrace):")
_FRAME = re.compile(r" +(?:\? )?([A-Za-z_][\w.$]*)\+0x[0-9a-f]+/0x")
_DUMP = re.compile(
    r"[ \t]|Call trace:|Code: |CPU: |Tainted: |Hardware name|Modules linked|pstate|[pl][cr] : "
    r"|sp : |x\d{1,2}\s?: |task:|Workqueue:|Mem abort|Data abort|user pgtable|\[[0-9a-f]{16}\]"
    r"|swapper|Insufficient|irq event|hardirqs|softirqs|preempt_count|RCU nest|in_atomic"
    r"|INFO: lockdep|\d+ locks? held|no locks held|stack backtrace|Kernel Offset"
    r"|PHYS_OFFSET|Memory Limit|SMP:|$"
)
# The machinery that reports, never the culprit.
_REPORTERS = re.compile(
    r"dump_(?:stack|backtrace)|show_(?:stack|regs)|panic$|vpanic$|__might_|__schedule_bug|__warn"
    r"|print_|kasan_|__asan|__hwasan|kcsan_|__tsan|__ubsan|ubsan_|handle_overflow|check_noncircular"
    r"|check_prev|check_wait|mark_lock|_raw_(?:spin|read|write)_|__kmalloc|kmem_cache_alloc|kfree"
    r"|__lock_acquire|lock_acquire|validate_chain|lockdep_|die$|arm64_.*die|die_kernel|oops_|__die"
    r"|report_bug|bug_handler|brk_handler|do_mem_abort|el1h?_|el1_|rcu_|sched_show|nmi_|watchdog_|make_task_dead"
    r"|refcount_warn|__list_\w+_valid|add_taint|do_exit|(?:__)?(?:switch_to|schedule|mutex_)|rwsem_|down_|do_serror"
)
_PC = re.compile(r"(?:pc|RIP) ?: (?:\d+:)?([A-Za-z_][\w.$]*)\+0x")
_WARNED_AT = re.compile(r"(?P<file>\S+?):\d+ (?:at )?(?P<function>[A-Za-z_][\w.$]*)\+0x")
_IN = re.compile(r"\b(?:in|at) (?:(?P<file>\S+\.[chS]):\d+|(?P<function>[A-Za-z_][\w.$]*)\+0x)")
_BUG_AT = re.compile(r"kernel BUG at (?P<file>\S+):\d+!")
_RACE = re.compile(r"BUG: KCSAN: [\w: -]+ in (?P<function>[A-Za-z_][\w.$]*) / ")
_CLONE = re.compile(r"\.(?:constprop|isra|part|cold|llvm)(?:\.\d+)*")
_IDS = re.compile(r"(?:CPU: \d+ PID: \d+ )|, CPU#\d+.*$|(?: at)? virtual address [0-9a-f]+$")


def _kind(line: str) -> ReportKind | None:
    return next((kind for kind, pattern in _STARTS if pattern.match(line)), None)


def _reports(lines: Sequence[str]) -> Iterator[KernelReport]:
    index = 0
    while index < len(lines):
        kind = _kind(lines[index])
        if kind is None:
            index += 1
            continue
        first, end = _before(lines, index), _extent(lines, index, kind)
        # "Unable to handle kernel ..." announces an oops, whose own line says which.
        kinds = [_kind(line) for line in lines[index:end]]
        if kind is ReportKind.OOPS and ReportKind.UNDEFINED in kinds:
            kind = ReportKind.UNDEFINED
        yield _report(kind, lines[index], lines[first:end], lines[first:index])
        index = end


def _before(lines: Sequence[str], index: int) -> int:
    """Where the report that is recognised at ``index`` begins: at its scissors, if near."""
    for back in range(1, 9):
        if index - back >= 0 and lines[index - back].startswith(_CUT):
            return index - back
        if index - back < 0 or _END.match(lines[index - back]):
            break
    return index


def _continues(kind: ReportKind, line: str) -> bool:
    """Whether a line that could start a report belongs to the one that is being read."""
    other = _kind(line)
    dying = (ReportKind.OOPS, ReportKind.UNDEFINED, ReportKind.SERROR, ReportKind.BUG)
    return other is None or (kind in dying and other in dying) or other is kind is ReportKind.PANIC


def _extent(lines: Sequence[str], start: int, kind: ReportKind) -> int:
    """The end of a report: its end mark, another report, or what is no dump after its trace."""
    framed = kind in (ReportKind.KASAN, ReportKind.KCSAN, ReportKind.KFENCE)  # by rules of "==="
    traced = False
    for index in range(start + 1, min(len(lines), start + MAX_EXTENT)):
        line = lines[index]
        if _END.match(line) or (framed and _RULE.match(line)):
            return index + 1
        if not _continues(kind, line) or line.startswith(_CUT):
            return index
        if _TRACE.match(line):
            traced = True
        elif traced and not framed and not _DUMP.match(line):
            return index
    return min(len(lines), start + MAX_EXTENT)


def _report(
    kind: ReportKind, line: str, excerpt: Sequence[str], preamble: Sequence[str]
) -> KernelReport:
    function, file = _place(kind, line, excerpt)
    said = [t for t in preamble if t.strip() and not t.startswith(_CUT)]
    title = said[0] if said and kind is ReportKind.WARNING else line
    kept = tuple(t.rstrip() for t in excerpt[:MAX_EXCERPT])
    return KernelReport(kind, _IDS.sub("", title).strip(), kept, function, file)


def _place(kind: ReportKind, line: str, excerpt: Sequence[str]) -> tuple[str, str]:
    """Function and file of a report, as far as it says.  A panic is told by its own words."""
    file, functions = "", []
    for pattern in (_WARNED_AT, _BUG_AT, _RACE, _IN):
        if match := pattern.search(line):
            found = match.groupdict()
            file = found.get("file") or ""
            functions = [found.get("function") or ""]
            break
    if kind is ReportKind.PANIC:
        return "", file
    functions += [match[1] for text in excerpt if (match := _PC.search(text))]
    culprits = [f for f in functions if f and not _REPORTERS.match(f)]
    function = next(iter(culprits), "") or _first_frame(excerpt) or next(iter(functions), "")
    return _CLONE.sub("", function), file


def _first_frame(excerpt: Sequence[str]) -> str:
    """The innermost function of the first call trace that is not part of the reporting."""
    start = next((i for i, text in enumerate(excerpt) if _TRACE.match(text)), 0)
    for text in excerpt[start:]:
        match = _FRAME.match(text)
        if match and not _REPORTERS.match(match[1]):
            return _CLONE.sub("", match[1])
    return ""
