# SPDX-License-Identifier: GPL-2.0-or-later
"""The few things that are wanted of git."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from harness.errors import ConfigError

_FOUND = re.compile(r"^([0-9a-f]{40,64}) is the first bad commit", re.M)


@dataclass(frozen=True, slots=True)
class Tree:
    """A git working tree."""

    path: Path

    def git(self, *argv: str) -> subprocess.CompletedProcess[str]:
        """Run git here, in English, without asking anything."""
        env = {**os.environ, "LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0"}
        return subprocess.run(
            ["git", "-c", f"safe.directory={self.path}", "-c", "advice.detachedHead=false", *argv],
            cwd=self.path, env=env, capture_output=True, text=True, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip

    def must(self, *argv: str, remedy: str = "see git's message") -> str:
        done = self.git(*argv)
        if done.returncode:
            said = (done.stderr or done.stdout).strip()
            raise ConfigError(f"git {' '.join(argv)} failed in {self.path}: {said}", remedy)
        return done.stdout.strip()

    def commit(self, revision: str) -> str:
        """The full name of a commit."""
        return self.must(
            "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}",
            remedy=f"{revision!r} is no commit of {self.path}",
        )  # fmt: skip

    def title(self, commit: str) -> str:
        """``1a2b3c4d5e6f subject``."""
        return self.must("log", "-1", "--abbrev=12", "--format=%h %s", commit)

    def check_clean(self) -> None:
        """Bisecting checks commits out: nothing that is not committed may be in the way."""
        changed = self.must("status", "--porcelain", "--untracked-files=no")
        if changed:
            first = changed.splitlines()[0].strip()
            raise ConfigError(
                f"{self.path} has changes that are not committed: {first}", "commit or stash them"
            )
        if self.git("rev-parse", "--verify", "--quiet", "refs/bisect/bad").returncode == 0:
            raise ConfigError(f"{self.path} is being bisected already", "git bisect reset there")

    def mark(self, what: str) -> str | None:
        """``git bisect good``, ``bad`` or ``skip``: the first bad commit if that is now known.

        ConfigError if only commits that had to be skipped are left.
        """
        done = self.git("bisect", what)
        if match := _FOUND.search(done.stdout):
            return match[1]
        if done.returncode:
            said = " ".join(done.stdout.split())
            raise ConfigError(
                f"git bisect {what}: {said or done.stderr.strip()}",
                "mend what keeps those commits from being judged, or give nearer ends",
            )
        return None
