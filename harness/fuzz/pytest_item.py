# SPDX-License-Identifier: GPL-2.0-or-later
"""``pytest --target=qemu --fuzz=SECONDS``: one more test, after the suite."""

from __future__ import annotations

import secrets
import shlex
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from harness.errors import HarnessError
from harness.fuzz.commands import report, status
from harness.fuzz.corpus import Corpus
from harness.fuzz.fuzzer import Factory, Fuzzer
from harness.fuzz.progress import ProgressLine
from harness.report.pytest_target import TargetSession
from harness.report.verdict import Verdict


class FuzzFailed(Exception):
    """Findings; the text is all that is to be shown."""


class FuzzItem(pytest.Item):
    """``test_programs.py::fuzz``."""

    gicv5: TargetSession

    @classmethod
    def of(cls, parent: pytest.Collector, gicv5: TargetSession) -> FuzzItem:
        item: FuzzItem = cls.from_parent(parent, name="fuzz")
        item.gicv5 = gicv5
        return item

    def runtest(self) -> None:
        verdict = Verdict.ERROR
        try:
            fuzzer = self._fuzz()
            verdict = Verdict.FAIL if fuzzer.findings else Verdict.PASS
        except HarnessError as e:
            raise FuzzFailed(f"ERROR: {e}") from e
        finally:
            self.user_properties += self.gicv5.properties()
            self.user_properties += [
                ("family", "fuzz"), ("program", "fuzz/generated"), ("verdict", verdict.value),
            ]  # fmt: skip
        self.user_properties.append(("fuzz", status(fuzzer)))
        if fuzzer.findings:
            raise FuzzFailed("\n\n".join([self._text(fuzzer), status(fuzzer)]))

    def _fuzz(self) -> Fuzzer:
        seconds = self.config.getoption("gicv5_fuzz")
        seed = self.config.getoption("gicv5_fuzz_seed") or secrets.token_hex(4)
        session = self.gicv5.opened()
        capture = self.config.pluginmanager.getplugin("capturemanager")
        shown = capture.global_and_fixture_disabled() if capture else nullcontext()
        with shown, ProgressLine() as line:
            line.say(f"\ngicv5: fuzzing for {seconds:g} s with --fuzz-seed {seed}")
            fuzzer = Fuzzer(
                session, Factory.of(seed, [session]), Corpus(None),
                lambda statistics: statistics.seconds >= seconds,
                lambda fuzzer: line.show(status(fuzzer)),
            )  # fmt: skip
            fuzzer.run()
        return fuzzer

    def _text(self, fuzzer: Fuzzer) -> str:
        """Each finding, which is also kept as a program file in the results folder."""
        texts = []
        for finding in fuzzer.findings:
            path = self.gicv5.folder / "fuzz" / f"{finding.signature.slug}.program"
            rerun = shlex.join(["gicv5", "replay", str(path), *self.gicv5.arguments()])
            text = report(finding, rerun)
            Corpus(None).save(path, finding.outcome.program, text)
            texts.append(text)
        return "\n\n".join(texts)

    def repr_failure(
        self, excinfo: pytest.ExceptionInfo[BaseException], *args: Any, **kwargs: Any
    ) -> Any:
        if isinstance(excinfo.value, FuzzFailed):
            return str(excinfo.value)
        return super().repr_failure(excinfo, *args, **kwargs)

    def reportinfo(self) -> tuple[Path, None, str]:
        return self.path, None, "fuzz"
