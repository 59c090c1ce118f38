# SPDX-License-Identifier: GPL-2.0-or-later
"""Watching a tree, with a build that needs no compiler."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest
from watchfiles import Change

from harness.cli import main
from harness.errors import ProvisionError
from harness.trees import watch

SOURCE = "arch/arm64/kvm/vgic/vgic-v5.c"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("Makefile", "Kconfig", "arch/arm64/Kconfig", SOURCE):
        path = tmp_path / "linux" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tmp_path / "linux"


class Verdicts:
    """In the place of the build and of pytest: an edit follows each verdict but the last."""

    def __init__(self, tree: Path, edits: Sequence[tuple[str, str]]) -> None:
        self.tree, self.edits = tree, list(edits)
        self.judged: list[list[str]] = []
        self.builds = 0

    def kernel(self, _name: str) -> SimpleNamespace:
        self.builds += 1
        text = (self.tree / SOURCE).read_bytes()
        if b"error" in text:
            self.next_edit()
            raise ProvisionError("make Image failed", "read the log")
        return SimpleNamespace(sha256=hashlib.sha256(text.strip()).hexdigest())

    def child(self, argv: list[str]) -> int:
        self.judged.append(argv)
        self.next_edit()
        return len(self.judged) - 1

    def next_edit(self) -> None:
        if self.edits:
            name, text = self.edits.pop(0)
            threading.Timer(0.5, (self.tree / name).write_text, (text,)).start()


def watched(
    monkeypatch: pytest.MonkeyPatch, tree: Path, times: int, *edits: tuple[str, str]
) -> tuple[int, Verdicts]:
    verdicts = Verdicts(tree, edits)
    monkeypatch.setattr(watch, "Provisioner", lambda *_args, **_kwargs: verdicts)
    monkeypatch.setattr(watch, "child", verdicts.child)
    return main(["watch", str(tree), "--times", str(times), "--", "-k", "order"]), verdicts


def test_an_edit_is_judged_and_the_code_is_the_last_one(
    monkeypatch: pytest.MonkeyPatch, tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    began = time.monotonic()
    code, verdicts = watched(monkeypatch, tree, 2, (SOURCE, "edited"))
    assert code == 1
    assert len(verdicts.judged) == 2
    assert f"--kernel={tree}" in verdicts.judged[0]
    assert verdicts.judged[0][-3:-1] == ["-k", "order"]
    assert f"changed: {SOURCE}" in capsys.readouterr().err
    assert time.monotonic() - began < 30


def test_what_does_not_build_is_said_and_the_watch_goes_on(
    monkeypatch: pytest.MonkeyPatch, tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, verdicts = watched(monkeypatch, tree, 2, (SOURCE, "error"), (SOURCE, "mended"))
    assert len(verdicts.judged) == 2
    assert verdicts.builds == 3
    assert "make Image failed" in capsys.readouterr().err


def test_only_sources_count(tree: Path) -> None:
    def wanted(name: str) -> bool:
        return watch.Sources()(Change.modified, str(tree / name))

    for name in (SOURCE, "Makefile", "arch/arm64/Kconfig", "include/x.h", "a/Makefile.vgic", "x.S"):
        assert wanted(name), name
    for name in ("kvm.o", ".git/x.c", "x.mod.c", "include/generated/asm.h", "x.c.swp", "a/.x.o.d"):
        assert not wanted(name), name


def test_not_a_tree(tmp_path: Path) -> None:
    assert main(["watch", str(tmp_path)]) == 4
