# SPDX-License-Identifier: GPL-2.0-or-later
"""The user's cache: objects named by a hash of everything that went into them.

An object is a folder.  It is built under tmp/ and renamed into objects/ when it is complete, under
a lock of its own: it is there whole or not at all, and two runs never build the same one twice.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from harness.errors import ProvisionError

_FULL = (errno.ENOSPC, errno.EDQUOT)
_LITTLE_SPACE = 16 << 20
Facts = Mapping[str, Any]


@dataclass(frozen=True)
class Object:
    """A complete object: its folder, and what its builder wrote down about it."""

    key: str
    path: Path
    facts: Facts


def digest(inputs: Any) -> str:
    """A short, stable hash of JSON-like data."""
    text = json.dumps(inputs, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def file_sha256(path: Path) -> str:
    """The SHA-256 of a file's content."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


class Cache:
    """One cache folder."""

    def __init__(self, root: Path, progress: Callable[[str], None]) -> None:
        self.root = root
        self._progress = progress
        try:
            for name in ("objects", "locks", "tmp", "logs", "resolved", "work"):
                (root / name).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ProvisionError(
                f"cannot use the cache folder {root}: {error.strerror}",
                "set GICV5_CACHE to a folder of yours",
            ) from error
        self._sweep()

    def lookup(self, kind: str, inputs: Any) -> Object | None:
        """The object if it is there; never builds, never waits."""
        return self._load(f"{kind}-{digest(inputs)}")

    def get(
        self, kind: str, inputs: Any, build: Callable[[Path], Facts], title: str = ""
    ) -> Object:
        """The object, built by ``build(folder)`` if it is not there yet."""
        key = f"{kind}-{digest(inputs)}"
        if found := self._load(key):
            return found
        with self.locked(key, title or kind):
            if found := self._load(key):
                return found
            self._remove_leftovers(key)
            folder = Path(tempfile.mkdtemp(prefix=f"{key}.", dir=self.root / "tmp"))
            try:
                with self.space_checked():
                    folder.chmod(0o755)
                    facts = build(folder)
                    record = {"inputs": inputs, "facts": facts}
                    (folder / "object.json").write_text(json.dumps(record, indent=1) + "\n")
                    folder.rename(self.root / "objects" / key)
            except BaseException:
                _remove(folder)
                raise
        found = self._load(key)
        assert found is not None
        return found

    @contextlib.contextmanager
    def locked(self, key: str, title: str) -> Iterator[None]:
        """Hold the lock called ``key``; says so when another run holds it."""
        lock = FileLock(self._lock_file(key))
        try:
            lock.acquire(timeout=0)
        except Timeout:
            self._progress(f"waiting for another run that is busy with {title}")
            lock.acquire()
        try:
            yield
        finally:
            lock.release()

    @contextlib.contextmanager
    def space_checked(self) -> Iterator[None]:
        """Turn any failure that comes from a full disk into one that says so."""
        try:
            yield
        except OSError as error:
            if error.errno in _FULL:
                raise self._full() from error
            raise ProvisionError(
                f"cannot write to the cache: {error}",
                f"see who owns {self.root}, or set GICV5_CACHE",
            ) from error
        except ProvisionError as error:
            full = "No space left on device" in error.what or "Disk quota exceeded" in error.what
            if full or shutil.disk_usage(self.root).free < _LITTLE_SPACE:
                raise self._full() from error
            raise

    def log(self, name: str) -> Path:
        """A fresh log file, kept after the build whatever happens."""
        path = self.root / "logs" / f"{name}.log"
        path.unlink(missing_ok=True)
        return path

    def work(self, name: str) -> Path:
        """A folder that is changed in place: hold ``locked(name)`` while using it."""
        path = self.root / "work" / name
        path.mkdir(parents=True, exist_ok=True)
        return path

    def recall(self, query: Any) -> Any | None:
        """What was remembered for a query, or None."""
        try:
            record = json.loads((self.root / "resolved" / f"{digest(query)}.json").read_text())
        except (OSError, ValueError):
            return None
        return record.get("answer") if isinstance(record, dict) else None

    def remember(self, query: Any, answer: Any) -> None:
        """Keep an answer for later, offline runs."""
        with self.space_checked():
            text = json.dumps({"query": query, "answer": answer}, indent=1) + "\n"
            write_whole(self.root / "resolved" / f"{digest(query)}.json", text.encode())

    def _lock_file(self, key: str) -> Path:
        return self.root / "locks" / f"{key}.lock"

    def _load(self, key: str) -> Object | None:
        path = self.root / "objects" / key
        try:
            return Object(key, path, json.loads((path / "object.json").read_text())["facts"])
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError) as error:
            raise ProvisionError(
                f"damaged cache object {path}: {error}", f"rm -r {path}"
            ) from error

    def _remove_leftovers(self, key: str) -> None:
        """Needs the lock of ``key``: then whoever made these is gone."""
        for leftover in (self.root / "tmp").glob(f"{key}.*"):
            _remove(leftover)

    def _sweep(self) -> None:
        """Remove what killed runs left: temporary folders whose lock is free."""
        for leftover in list((self.root / "tmp").iterdir()):
            lock = FileLock(self._lock_file(leftover.name.rpartition(".")[0]))
            with contextlib.suppress(Timeout), lock.acquire(timeout=0):
                _remove(leftover)

    def _full(self) -> ProvisionError:
        free = shutil.disk_usage(self.root).free >> 20
        return ProvisionError(
            f"disk full: {free} MB free under {self.root} (nothing in the cache was damaged)",
            "free some space, or set GICV5_CACHE to a folder on a larger disk",
        )


def write_whole(path: Path, data: bytes) -> None:
    """Replace a file at once: a reader sees the old content or the new."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _remove(folder: Path) -> None:
    """Remove a tree, also while a dying child still writes into it."""
    for _ in range(3):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
