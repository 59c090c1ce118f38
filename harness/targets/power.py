# SPDX-License-Identifier: GPL-2.0-or-later
"""A board's plug, and the right to pull it: one process at a time."""

from __future__ import annotations

import getpass
import json
import os
import shlex
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

from harness.boards import LockEntry, PowerEntry
from harness.errors import BootError, ConfigError, TargetError
from harness.targets.link import Refused


class Power:
    """Runs a lab's power commands.  BootError if one fails."""

    def __init__(self, name: str, entry: PowerEntry, timeout: float) -> None:
        self._name, self._entry, self._timeout = name, entry, timeout

    def off(self) -> None:
        """Off, whatever it is now; nothing if the lab has one command for off and on again."""
        if not self._entry.cycle:
            assert self._entry.off is not None
            self._run("off", self._entry.off)
            time.sleep(self._entry.pause)

    def on(self) -> None:
        """What follows ``off``."""
        if self._entry.cycle:
            self._run("cycle", self._entry.cycle)
        else:
            assert self._entry.on is not None
            self._run("on", self._entry.on)

    def _run(self, what: str, command: str) -> None:
        try:
            done = subprocess.run(
                ["sh", "-c", command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, timeout=self._timeout, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise BootError(
                f"{self._name}: power {what} did not end in {self._timeout:.0f} s: {command}",
                "run it by hand; deadlines.command in the boards file says how long it may take",
            ) from None
        if done.returncode:
            said = " ".join(done.stdout.decode(errors="replace").split())[-300:]
            raise BootError(
                f"{self._name}: power {what} failed with status {done.returncode}: {command}: "
                f"{said}",
                "run it by hand; `power` in the boards file has it",
            )


class BoardLock:
    """Held from ``acquire`` to ``release``, or to the end of this process."""

    def __init__(self, name: str, entry: LockEntry) -> None:
        self._name, self._entry = name, entry
        plain = "".join(c if c.isalnum() or c in "-._" else "_" for c in name)
        folder = Path(tempfile.gettempdir())
        self.path = Path(entry.file).expanduser() if entry.file else folder / f"gicv5-{plain}.lock"
        # Another user of this machine must be able to lock it, too.
        self._lock = FileLock(self.path, timeout=max(entry.wait, 0.0), mode=0o666)
        self._note = self.path.with_name(self.path.name + ".owner")
        self._place = False

    def acquire(self) -> None:
        """Refused says who has the board."""
        if self._lock.is_locked:
            return
        try:
            self._lock.acquire()
        except Timeout:
            raise Refused(
                f"the board {self._name} is in use: {self._owner()}",
                "wait for its end, or let this run wait: lock: {wait: SECONDS} in the boards file",
            ) from None
        except OSError as e:
            raise ConfigError(
                f"the board {self._name} cannot be locked: {e}", f"see who owns {self.path}"
            ) from None
        me = {"pid": os.getpid(), "user": _user(), "since": time.strftime("%Y-%m-%d %H:%M:%S")}
        with suppress(OSError):
            self._note.write_text(json.dumps(me))
        if self._entry.labgrid:
            try:
                self._labgrid("acquire")
            except BaseException:
                self.release()
                raise
            self._place = True

    def release(self) -> None:
        """May be called twice."""
        if self._place:
            self._place = False
            with suppress(TargetError):
                self._labgrid("release")
        if self._lock.is_locked:
            with suppress(OSError):
                self._note.unlink()
            self._lock.release()

    def _owner(self) -> str:
        try:
            owner = json.loads(self._note.read_text())
            return f"by {owner['user']} (pid {owner['pid']}) since {owner['since']}"
        except (OSError, ValueError, KeyError):
            return f"somebody holds {self.path}"

    def _labgrid(self, what: str) -> None:
        argv = ["labgrid-client", "-p", str(self._entry.labgrid), what]
        try:
            done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
        except FileNotFoundError:
            raise ConfigError(
                f"the board {self._name} has a labgrid place, and there is no labgrid-client here",
                "pipx install labgrid, and set LG_COORDINATOR",
            ) from None
        except subprocess.TimeoutExpired:
            raise Refused(f"{shlex.join(argv)}: no answer", "see LG_COORDINATOR") from None
        if done.returncode:
            said = " ".join((done.stdout + done.stderr).split())[-300:]
            raise Refused(f"{shlex.join(argv)}: {said}", "see labgrid-client -v places")


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
