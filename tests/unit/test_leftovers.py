# SPDX-License-Identifier: GPL-2.0-or-later
"""What the processes of a night leave behind is ended."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from harness.nightly.leftovers import children, nothing_left

ORPHAN = "sleep 300 > /dev/null 2>&1 & echo $!"
DEAF = "(trap '' TERM; while :; do sleep 1; done) > /dev/null 2>&1 & echo $!"


@pytest.mark.parametrize("script", [ORPHAN, DEAF])
def test_an_orphan_is_ended(script: str) -> None:
    with nothing_left(0.5):
        done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
        orphan = Path("/proc", done.stdout.strip())
        assert orphan.exists()
    assert not orphan.exists()


def test_an_exception_comes_through_and_who_was_there_before_stays() -> None:
    with subprocess.Popen(["sleep", "300"]) as before:
        with pytest.raises(KeyboardInterrupt), nothing_left():
            raise KeyboardInterrupt
        assert before.pid in children()
        assert before.poll() is None
        before.kill()
