# SPDX-License-Identifier: GPL-2.0-or-later
"""Which Debian mirror to use: the one this machine is set up for.  No host name is known here."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from harness.errors import ProvisionError
from harness.provision.process import Runner

_FORMAT = "$(REPO_URI)|$(RELEASE)|$(COMPONENT)|$(ORIGIN)|$(LABEL)|$(CREATED_BY)"

# Where debootstrap and mmdebstrap write down the mirror that they use by default.
_TOOLS = (
    (Path("/usr/share/debootstrap/scripts"), re.compile(r"^\s*default_mirror\s+(\S+://\S+)", re.M)),
    (Path("/usr/bin/mmdebstrap"), re.compile(r"^\s*my \$mirror\s*=\s*'(\S+://\S+)'", re.M)),
)
_SUITES = ("trixie", "sid", "stable")


def find_mirror(
    override: str | None,
    run: Runner,
    environment: Mapping[str, str] | None = None,
    root: Path = Path("/"),
) -> str:
    """GICV5_DEBIAN_MIRROR, images.yaml, apt's configuration, or the bootstrap tools' default."""
    env = os.environ if environment is None else environment
    found = (
        env.get("GICV5_DEBIAN_MIRROR")
        or override
        or _from_apt(run, _os_release(root))
        or _from_tools(root)
    )
    if not found:
        raise ProvisionError(
            "no Debian mirror: this machine's apt names none",
            "export GICV5_DEBIAN_MIRROR=<a Debian archive>, or set apt.mirror in images.yaml",
        )
    return found.rstrip("/")


def _from_apt(run: Runner, release: Mapping[str, str]) -> str | None:
    result = run(["apt-get", "indextargets", "--format", _FORMAT])
    if result.returncode != 0:
        return None
    suites = {release.get("VERSION_CODENAME", ""), "stable", "testing", "unstable", "sid"} - {""}
    for line in result.output.splitlines():
        fields = line.split("|")
        if len(fields) != 6:
            continue
        uri, suite, component, origin, label, created_by = fields
        if component != "main" or created_by != "Packages":
            continue
        # Before the first `apt-get update` the origin is empty; then the suite's name must do.
        unread = not origin and release.get("ID") == "debian" and suite in suites
        if unread or (origin == "Debian" and label == "Debian"):
            return uri
    return None


def _from_tools(root: Path) -> str | None:
    for path, pattern in _TOOLS:
        place = root / path.relative_to("/")
        files = [place / suite for suite in _SUITES] if place.is_dir() else [place]
        for file in files:
            try:
                match = pattern.search(file.read_text(errors="replace"))
            except OSError:
                continue
            if match:
                return match[1]
    return None


def _os_release(root: Path) -> dict[str, str]:
    try:
        lines = (root / "etc/os-release").read_text().splitlines()
    except OSError:
        return {}
    pairs = (line.partition("=") for line in lines if "=" in line)
    return {key: value.strip("\"'") for key, _, value in pairs}
