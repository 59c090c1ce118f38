# SPDX-License-Identifier: GPL-2.0-or-later
"""The cache: an object is there whole or not at all, and is built once."""

from __future__ import annotations

import errno
import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from harness.errors import ProvisionError
from harness.provision.cache import Cache, Facts, digest, file_sha256, write_whole
from harness.provision.process import must, run

FORK = multiprocessing.get_context("fork")


def make(root: Path, said: list[str] | None = None) -> Cache:
    return Cache(root, (said if said is not None else []).append)


def builder(text: str) -> Callable[[Path], Facts]:
    def build(folder: Path) -> Facts:
        (folder / "file").write_text(text)
        return {"sha256": text}

    return build


def leftovers(root: Path) -> list[str]:
    return [p.name for p in (root / "tmp").iterdir()]


def test_built_once(tmp_path: Path) -> None:
    first = make(tmp_path).get("thing", {"a": 1}, builder("one"))
    again = make(tmp_path).get("thing", {"a": 1}, builder("two"))
    other = make(tmp_path).get("thing", {"a": 2}, builder("three"))
    assert (first.path / "file").read_text() == "one"
    assert again == first
    assert other.path != first.path
    assert make(tmp_path).lookup("thing", {"a": 2}) == other
    assert make(tmp_path).lookup("thing", {"a": 3}) is None
    assert leftovers(tmp_path) == []


def test_the_key_does_not_depend_on_order() -> None:
    assert digest({"a": 1, "b": [2]}) == digest({"b": [2], "a": 1})
    assert digest({"a": 1}) != digest({"a": "1"})


@pytest.mark.parametrize("failure", [KeyboardInterrupt(), RuntimeError("x"), ProvisionError("x")])
def test_nothing_half_built(tmp_path: Path, failure: BaseException) -> None:
    cache = make(tmp_path)

    def build(folder: Path) -> Facts:
        (folder / "half").write_text("x")
        raise failure

    with pytest.raises(type(failure)):
        cache.get("thing", 1, build)
    assert leftovers(tmp_path) == []
    assert cache.lookup("thing", 1) is None
    assert cache.get("thing", 1, builder("whole")).facts == {"sha256": "whole"}


def _slow(root: Path, built: Event, go_on: Event) -> None:
    def build(folder: Path) -> Facts:
        (folder / "half").write_text("x")
        built.set()
        go_on.wait(20)
        (folder / "file").write_text("by the first")
        return {}

    make(root).get("thing", 1, build)


def test_two_runs_build_it_once(tmp_path: Path) -> None:
    built, go_on = FORK.Event(), FORK.Event()
    other = FORK.Process(target=_slow, args=(tmp_path, built, go_on), daemon=True)
    other.start()
    assert built.wait(20)
    said: list[str] = []
    cache = Cache(tmp_path, lambda message: (said.append(message), go_on.set())[0])
    # The other run's folder is in use: the sweep of a new run leaves it alone.
    assert len(leftovers(tmp_path)) == 1
    found = cache.get("thing", 1, builder("by the second"), "a thing")
    other.join(20)
    assert said == ["waiting for another run that is busy with a thing"]
    assert (found.path / "file").read_text() == "by the first"
    assert not (found.path / "half").exists() or other.exitcode == 0
    assert leftovers(tmp_path) == []


def test_what_a_killed_run_left_is_swept(tmp_path: Path) -> None:
    built, never = FORK.Event(), FORK.Event()
    other = FORK.Process(target=_slow, args=(tmp_path, built, never), daemon=True)
    other.start()
    assert built.wait(20)
    assert other.pid is not None
    os.kill(other.pid, signal.SIGKILL)
    other.join(20)
    assert len(leftovers(tmp_path)) == 1
    cache = make(tmp_path)
    assert leftovers(tmp_path) == []
    assert cache.lookup("thing", 1) is None
    assert cache.get("thing", 1, builder("x")).facts == {"sha256": "x"}


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_disk_full(tmp_path: Path, number: int) -> None:
    cache = make(tmp_path)
    kept = cache.get("kept", 1, builder("kept"))

    def build(folder: Path) -> Facts:
        (folder / "half").write_text("x")
        raise OSError(number, os.strerror(number))

    with pytest.raises(ProvisionError, match=r"disk full: .* MB free under") as caught:
        cache.get("thing", 1, build)
    assert "GICV5_CACHE" in caught.value.remedy
    assert leftovers(tmp_path) == []
    assert cache.lookup("kept", 1) == kept


def test_disk_full_in_a_tool(tmp_path: Path) -> None:
    def build(_folder: Path) -> Facts:
        result = run(["sh", "-c", "echo cc1: No space left on device; exit 1"])
        must(result, "make failed", "read the log")
        return {}

    with pytest.raises(ProvisionError, match="disk full"):
        make(tmp_path).get("thing", 1, build)


def test_answers_are_remembered(tmp_path: Path) -> None:
    query = {"pattern": "linux-*"}
    assert make(tmp_path).recall(query) is None
    make(tmp_path).remember(query, [{"version": "1"}])
    assert make(tmp_path).recall(query) == [{"version": "1"}]
    # A damaged memory is no memory.
    next((tmp_path / "resolved").iterdir()).write_text("{")
    assert make(tmp_path).recall(query) is None


def test_a_damaged_object_is_named(tmp_path: Path) -> None:
    made = make(tmp_path).get("thing", 1, builder("x"))
    (made.path / "object.json").write_text("[")
    with pytest.raises(ProvisionError, match="damaged cache object") as caught:
        make(tmp_path).lookup("thing", 1)
    assert caught.value.remedy == f"rm -r {made.path}"


def test_a_cache_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ProvisionError, match="cannot use the cache folder"):
        make(tmp_path / "file" / "cache")


def test_write_whole_leaves_the_old_file_when_it_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "f"
    write_whole(file, b"old")

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="full"):
        write_whole(file, b"new")
    assert file.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["f"]


def test_sha256(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"abc")
    assert file_sha256(tmp_path / "f").startswith("ba7816bf8f01cfea")


def _run_forever(pid_file: Path) -> None:
    # A background job starts with SIGINT ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    run(["sh", "-c", f"sleep 60 & echo $! > {pid_file}; wait"])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_children_die_with_us(tmp_path: Path, number: signal.Signals) -> None:
    pid_file = tmp_path / "pid"
    ours = FORK.Process(target=_run_forever, args=(pid_file,), daemon=True)
    ours.start()
    deadline = time.monotonic() + 20
    while not (pid_file.exists() and pid_file.read_text().strip()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    grandchild = int(pid_file.read_text())
    parent = int(Path(f"/proc/{grandchild}/stat").read_text().rpartition(")")[2].split()[1])
    assert ours.pid is not None
    os.kill(ours.pid, number)
    ours.join(20)
    # After SIGKILL the kernel itself ends the program that we started; its family is its business.
    watched = grandchild if number == signal.SIGINT else parent
    while _alive(watched):
        assert time.monotonic() < deadline, "still running"
        time.sleep(0.02)
    if _alive(grandchild):
        os.kill(grandchild, signal.SIGKILL)


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def test_a_program_that_is_not_there() -> None:
    with pytest.raises(ProvisionError, match="no such program: gicv5-no-such-tool"):
        run(["gicv5-no-such-tool"])


def test_a_program_that_hangs() -> None:
    with pytest.raises(ProvisionError, match="no end after 0 s: sleep 60"):
        run(["sleep", "60"], timeout=0.1)


def test_a_failure_shows_the_last_lines_and_the_log(tmp_path: Path) -> None:
    log = tmp_path / "build.log"
    result = run(["sh", "-c", "seq 100; exit 3"], log=log)
    with pytest.raises(ProvisionError) as caught:
        must(result, "make failed", "read it")
    assert "make failed (exit status 3)" in caught.value.what
    assert "99\n100\n" in caught.value.what
    assert "\n85\n" not in caught.value.what
    assert str(log) in caught.value.what
    assert log.read_text().startswith("$ sh -c")
