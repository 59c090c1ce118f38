# SPDX-License-Identifier: GPL-2.0-or-later
"""Whole pytest sessions against targets without a kernel, and what starts them."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
PLUGIN = ("-p", "harness.pytest_plugin", "-p", "no:cacheprovider")
INSTALLED = any(
    entry.value == "harness.pytest_plugin"
    for entry in importlib.metadata.entry_points(group="pytest11")
)

TARGETS = """
    import pytest
    from pathlib import Path
    from fake_target import FakeTarget, unprovisioned
    from harness import program as p, suite
    from harness.model import Behaviour, Finalize
    from harness.program import Program
    from harness.provision import Expect
    from harness.suite import Family

    SETUP = (
        p.CreateVm(), p.CreateDevice(), p.CreateVcpu(vcpu=0, id=0), p.CreateVcpu(vcpu=1, id=1),
        p.InitVcpu(vcpu=0), p.InitVcpu(vcpu=1), p.init_device(),
    )
    RUN = (p.write("ENABLER0", (1 << 64) - 1),)

    def program(name, *ops):
        return Program(name, (*SETUP, *ops))

    FAMILIES = (
        Family("order", "who runs first", (
            program("order/second-first", p.Run(RUN, vcpu=1), p.Run(RUN)),
            program("order/first-first", p.Run(RUN), p.Run(RUN, vcpu=1)),
        )),
        Family("plain", "what is simple", (
            program("plain/one", p.Run(RUN)),
            program("plain/two", p.Run(RUN)),
            program("plain/three", p.Run(RUN)),
        )),
    )
    suite.families = lambda: FAMILIES

    def pytest_gicv5_targets():
        events = Path(__file__).parent / "events"
        old = Behaviour(finalize=Finalize.FIRST_CREATED)
        def fake(**kwargs):
            return FakeTarget(events=events, **kwargs).factory()
        return {
            "good": fake(),
            "old": fake(behaviour=old),
            "crash": fake(mishaps={"plain/one": "crash"}),
            "warn": fake(mishaps={"plain/one": "warn"}),
            "unknown": fake(mishaps={"plain/one": "unknown"}),
            "unknown-crash": fake(mishaps={"plain/one": "unknown-crash"}),
            "silent": fake(mishaps={"plain/one": "silent"}),
            "lost": fake(mishaps={"plain/one": "crash"}, bad_boots=frozenset({2, 3, 4})),
            "broken": fake(mishaps={"plain/one": "broken"}),
            "interrupt": fake(mishaps={"plain/one": "interrupt"}),
            "terminate": fake(mishaps={"plain/one": "terminate"}),
            "unbootable": fake(bad_boots=frozenset(range(1, 9))),
            "accessors": fake(expect=Expect(accessors=True)),
            "unprovisioned": unprovisioned,
        }
"""


class Run:
    """Starts sessions; each in a process of its own, as families() is replaced."""

    def __init__(self, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
        self.pytester = pytester
        self.monkeypatch = monkeypatch
        self.path = pytester.path

    def __call__(self, *args: str, tests: str = "target") -> pytest.RunResult:
        folder = self.path / "target"
        folder.mkdir(exist_ok=True)
        (folder / "test_programs.py").write_text('"""The suite."""\n')
        where = [tests] if tests else []
        return self.pytester.runpytest_subprocess(*PLUGIN, *args, *where, timeout=60)

    def events(self, worker: str = "") -> list[str]:
        path = self.path / "events"
        lines = path.read_text().splitlines() if path.exists() else []
        return [line.split(" ", 1)[1] for line in lines if line.startswith(worker)]
