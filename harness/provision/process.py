# SPDX-License-Identifier: GPL-2.0-or-later
"""Running other programs: output captured or logged, nothing left behind after Ctrl-C."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from harness.errors import ProvisionError

LAST_LINES = 15
_GRACE_SECONDS = 3.0
_LATE_SECONDS = 30


@dataclass(frozen=True)
class Result:
    """How a program ended.  With a log file, ``output`` is empty: it is in the file."""

    argv: tuple[str, ...]
    returncode: int
    output: str
    log: Path | None = None

    def tail(self) -> str:
        """The last lines it printed."""
        text = self.output
        if self.log is not None and self.log.exists():
            with self.log.open("rb") as stream:
                stream.seek(max(0, self.log.stat().st_size - 16384))
                text = stream.read().decode(errors="replace")
        return "\n".join(text.rstrip().splitlines()[-LAST_LINES:])


class Runner(Protocol):
    """Runs a program to its end; tests put a fake in its place."""

    def __call__(
        self,
        argv: Sequence[str],
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        log: Path | None = None,
        stdin: Path | None = None,
        timeout: float | None = None,
    ) -> Result:
        """Output is stdout and stderr together; ``env`` adds to the environment."""
        ...


def run(
    argv: Sequence[str],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    log: Path | None = None,
    stdin: Path | None = None,
    timeout: float | None = None,
) -> Result:
    """The real Runner.  The program and all its children die with us."""
    out: IO[bytes] | int = subprocess.PIPE
    if log is not None:
        log.parent.mkdir(parents=True, exist_ok=True)
        out = log.open("ab")
        out.write(f"$ {shlex.join(argv)}\n".encode())
        out.flush()
    source: IO[bytes] | int = stdin.open("rb") if stdin is not None else subprocess.DEVNULL
    try:
        output, code = _communicate(lambda: _start(argv, cwd, env, out, source), timeout)
    except FileNotFoundError:
        raise ProvisionError(f"no such program: {argv[0]}", "install it, or see PATH") from None
    except subprocess.TimeoutExpired:
        raise ProvisionError(
            f"no end after {timeout:.0f} s: {shlex.join(argv)}",
            "see whether the machine or its network is stuck",
        ) from None
    finally:
        for stream in (out, source):
            if not isinstance(stream, int):
                stream.close()
    return Result(tuple(argv), code, output, log)


def _start(
    argv: Sequence[str],
    cwd: Path | None,
    env: Mapping[str, str] | None,
    out: IO[bytes] | int,
    source: IO[bytes] | int,
) -> subprocess.Popen[bytes]:
    if shutil.which(argv[0]) is None:
        raise FileNotFoundError(argv[0])
    # A session of its own lets us end the whole family; the parent-death signal covers our SIGKILL.
    bound = ["setpriv", "--pdeathsig", "TERM", "--"] if shutil.which("setpriv") else []
    return subprocess.Popen(
        [*bound, *argv],
        cwd=cwd,
        env={**os.environ, "LC_ALL": "C", **(env or {})},
        stdin=source,
        stdout=out,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def _communicate(
    start: Callable[[], subprocess.Popen[bytes]], timeout: float | None
) -> tuple[str, int]:
    child = None
    try:
        with _signals_held():
            child = start()
        output, _ = child.communicate(timeout=timeout)
    except BaseException:
        if child is not None:
            _end_family(child)
        raise
    return (output or b"").decode(errors="replace"), child.returncode


@contextmanager
def _signals_held() -> Iterator[None]:
    """Put off Ctrl-C until the block is done: a child that just started must become known first."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    arrived: list[int] = []
    before = {
        number: signal.signal(number, lambda number, _frame: arrived.append(number))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)
    for late in arrived:
        signal.raise_signal(late)


def _end_family(child: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(child.pid, number)
            child.wait(_GRACE_SECONDS)
        except ProcessLookupError:
            break
        except subprocess.TimeoutExpired:
            continue
    child.wait()


def must(result: Result, what: str, remedy: str) -> Result:
    """``result`` if it succeeded; else a ProvisionError with the last lines and the log's place."""
    if result.returncode == 0:
        return result
    where = f"\n(whole log: {result.log})" if result.log else ""
    code = result.returncode
    ended = f"signal {-code}" if code < 0 else f"exit status {code}"
    raise ProvisionError(f"{what} ({ended}):\n{result.tail()}{where}", remedy)


def child(argv: Sequence[str], cwd: Path | None = None) -> int:
    """Run in the foreground; after Ctrl-C, wait for it to end in order."""
    with subprocess.Popen(argv, cwd=cwd) as started:
        try:
            return started.wait()
        except KeyboardInterrupt:
            started.terminate()
            try:
                started.wait(_LATE_SECONDS)
            except subprocess.TimeoutExpired:
                started.kill()
            raise
