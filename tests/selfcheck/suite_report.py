# SPDX-License-Identifier: GPL-2.0-or-later
"""The suite on a kernel, run as people run it, and what came of it."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Case:
    """One program as the JUnit file has it."""

    program: str
    properties: dict[str, str]
    text: str
    seconds: float

    @property
    def verdict(self) -> str:
        return self.properties["verdict"].upper()

    @property
    def family(self) -> str:
        return self.program.split("/", 1)[0]


@dataclass(frozen=True)
class Report:
    """A run of the suite: its exit status, its programs, what the terminal showed."""

    status: int
    cases: tuple[Case, ...]
    output: str

    def families(self, verdict: str) -> Counter[str]:
        return Counter(case.family for case in self.cases if case.verdict == verdict)

    def with_verdict(self, verdict: str) -> list[Case]:
        return [case for case in self.cases if case.verdict == verdict]


RunSuite = Callable[..., Report]


def run_suite(folder: Path, kernel: str, *options: str) -> Report:
    """``pytest --target=qemu --kernel=KERNEL OPTIONS`` in a process of its own."""
    xml = folder / "junit.xml"
    argv = [
        sys.executable, "-m", "pytest", "--target=qemu", f"--kernel={kernel}", *options, "-v",
        f"--junitxml={xml}", f"--results={folder}", "-p", "no:cacheprovider",
    ]  # fmt: skip
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=1500, check=False)
    output = done.stdout + done.stderr
    assert xml.exists(), output
    return Report(done.returncode, tuple(map(_case, _testcases(xml))), output)


def _testcases(xml: Path) -> list[ElementTree.Element]:
    return list(ElementTree.parse(xml).iter("testcase"))


def _case(element: ElementTree.Element) -> Case:
    properties = {p.get("name", ""): p.get("value", "") for p in element.iter("property")}
    texts = [
        f"{child.get('message', '')}\n{child.text or ''}"
        for child in element
        if child.tag in ("failure", "error", "skipped")
    ]
    seconds = float(element.get("time", "0"))
    return Case(properties.get("program", "?"), properties, "\n".join(texts), seconds)
