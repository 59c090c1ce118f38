# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian packages through apt itself, with a configuration of our own.

apt verifies the archive's signature and every file's hash.  It runs without root, knows nothing of
what is installed on this machine, and changes nothing there.
"""

from __future__ import annotations

import difflib
import fnmatch
import functools
import re
import time
import urllib.parse
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness.errors import NotInArchive, ProvisionError
from harness.provision.cache import Cache, file_sha256, write_whole
from harness.provision.images import AptSection
from harness.provision.mirror import find_mirror
from harness.provision.process import Result, Runner, must

_KEYRINGS = tuple(
    Path(f"/usr/share/keyrings/debian-archive-keyring.{end}") for end in ("gpg", "pgp")
)
_FRESH_SECONDS = 600
_BAD_NETWORK = "see that the network and the mirror work; GICV5_DEBIAN_MIRROR chooses another one"


@dataclass(frozen=True)
class Query:
    """A package asked for by pattern, the newest that fits.

    ``suite`` is where it and what it depends on come from first; ``closure`` asks for the latter
    too; ``also`` are patterns of companions that must have the same version.
    """

    pattern: str
    architecture: str
    version: str = "*"
    suite: str = ""
    closure: bool = False
    also: tuple[str, ...] = ()

    def __str__(self) -> str:
        version = f" {self.version}" if self.version != "*" else ""
        suite = f" from {self.suite}" if self.suite else ""
        return f"{self.pattern}{version} ({self.architecture}){suite}"


@dataclass(frozen=True)
class Package:
    """One exact package; ``sha256`` is the signed index's."""

    name: str
    architecture: str
    version: str
    sha256: str

    @property
    def exact(self) -> str:
        """The way apt spells it."""
        return f"{self.name}:{self.architecture}={self.version}"

    def __str__(self) -> str:
        return f"{self.name} {self.version}"

    def as_input(self) -> dict[str, Any]:
        """For a cache key or a record."""
        return asdict(self)


class Apt:
    """A private apt below the cache folder."""

    def __init__(
        self, settings: AptSection, cache: Cache, run: Runner, progress: Callable[[str], None]
    ) -> None:
        self._settings = settings
        self._cache = cache
        self._run = run
        self._progress = progress
        self._updated = False

    @functools.cached_property
    def host_architecture(self) -> str:
        """Debian's name for this machine: amd64, arm64."""
        result = must(
            self._run(["dpkg", "--print-architecture"]),
            "dpkg does not work",
            "use a Debian or Ubuntu machine",
        )
        return result.output.strip()

    def resolve(self, query: Query) -> tuple[Package, ...]:
        """The newest match first, then its dependencies or companions, if asked for."""
        with self._cache.locked("apt", "the package index"), self._cache.space_checked():
            self._update()
            found = self._newest(query)
            if query.closure:
                return self._closure(found, query)
            return (found, *(self._companion(found, pattern) for pattern in query.also))

    def download(self, packages: Sequence[Package], folder: Path) -> list[Path]:
        """Fetch and verify packages; their files in the order given."""
        folder.mkdir(parents=True, exist_ok=True)
        argv = ["apt-get", "download", *(p.exact for p in packages)]
        with self._cache.locked("apt", "a download"):
            what = f"{packages[0]} could not be downloaded"
            must(self._apt(argv, cwd=folder), what, _BAD_NETWORK)
        by_sha = {file_sha256(deb): deb for deb in folder.glob("*.deb")}
        missing = [str(p) for p in packages if p.sha256 not in by_sha]
        if missing:
            raise ProvisionError(
                f"downloaded, but not as announced: {', '.join(missing)}", _BAD_NETWORK
            )
        return [by_sha[p.sha256] for p in packages]

    def _update(self) -> None:
        stamp = self._cache.root / "apt" / "updated"
        configured = self._configure()
        if self._updated:
            return
        fresh = stamp.exists() and 0 <= time.time() - stamp.stat().st_mtime < _FRESH_SECONDS
        if not (fresh and stamp.read_text() == configured):
            self._progress("reading Debian's package index")
            result = self._apt(["apt-get", "update", "-o", "APT::Update::Error-Mode=any"])
            if "NO_PUBKEY" in result.output:
                raise ProvisionError(
                    f"the archive's signature is by a key that is not here:\n{result.tail()}",
                    "apt-get install --only-upgrade debian-archive-keyring",
                )
            mirror = configured.partition(" ")[0]
            must(result, f"cannot read the package index of {mirror}", _BAD_NETWORK)
            write_whole(stamp, configured.encode())
        self._updated = True

    def _configure(self) -> str:
        """Write the configuration; a text that changes when the sources do."""
        root = self._cache.root / "apt"
        for name in (
            "etc/apt.conf.d",
            "etc/preferences.d",
            "state/lists/partial",
            "cache/archives/partial",
        ):
            (root / name).mkdir(parents=True, exist_ok=True)
        keyring = next((k for k in _KEYRINGS if k.exists()), None)
        if keyring is None:
            raise ProvisionError(
                "Debian's archive keys are not on this machine",
                "apt-get install debian-archive-keyring",
            )
        mirror = find_mirror(self._settings.mirror, self._run)
        components = " ".join(self._settings.components)
        sources = "".join(
            f"deb [signed-by={keyring}] {mirror} {suite} {components}\n"
            for suite in self._settings.suites
        )
        host = self.host_architecture
        architectures = " ".join(f'"{a}";' for a in dict.fromkeys((host, "arm64")))
        conf = (
            f'Dir::Etc "{root}/etc";\nDir::Etc::sourcelist "{root}/sources.list";\n'
            f'Dir::Etc::sourceparts "-";\nDir::State "{root}/state";\n'
            f'Dir::State::status "{root}/status";\n'
            f'Dir::Cache "{root}/cache";\nDir::Log "{root}/state";\n'
            f'APT::Architecture "{host}";\nAPT::Architectures {{ {architectures} }};\n'
            'APT::Install-Recommends "false";\nAcquire::Languages "none";\nAcquire::Retries "3";\n'
            'APT::Sandbox::User "root";\n' + self._proxies()
        )
        for name, text in (("sources.list", sources), ("apt.conf", conf), ("status", "")):
            file = root / name
            if not file.exists() or file.read_text() != text:
                write_whole(file, text.encode())
        return f"{mirror} {sources}"

    def _proxies(self) -> str:
        """The machine's own proxy and certificate settings, which a private set-up would lose."""
        dump = self._run(["apt-config", "dump"]).output
        keep = re.compile(r"^Acquire::https?::(?!.*\bUser-Agent\b).+$", re.M)
        return "".join(f"{line}\n" for line in keep.findall(dump))

    def _apt(self, argv: Sequence[str], cwd: Path | None = None) -> Result:
        env = {
            "APT_CONFIG": str(self._cache.root / "apt" / "apt.conf"),
            "DEBIAN_FRONTEND": "noninteractive",
        }
        return self._run(argv, env=env, cwd=cwd)

    def _names(self) -> list[str]:
        return self._apt(["apt-cache", "pkgnames"]).output.split()

    def _newest(self, query: Query) -> Package:
        names = self._names()
        matching = names_like(query.pattern, names)
        wanted = [f"{name}:{query.architecture}" for name in matching]
        known = self._show(wanted, query.architecture) if wanted else []
        fitting = [p for p in known if fnmatch.fnmatchcase(p.version, query.version)]
        if not fitting:
            raise self._gone(query, names, known)
        # The same version may be in several kernels' names: the name decides then, to be definite.
        by_age = functools.cmp_to_key(self._compare)
        return max(sorted(fitting, key=lambda p: p.name), key=lambda p: by_age(p.version))

    def _companion(self, package: Package, pattern: str) -> Package:
        version = re.sub(r"([*?[])", r"[\1]", package.version)
        try:
            return self._newest(Query(pattern, package.architecture, version))
        except NotInArchive as e:
            raise ProvisionError(f"{package} is alone: {e.what}", e.remedy) from e

    def _compare(self, left: str, right: str) -> int:
        if left == right:
            return 0
        older = self._run(["dpkg", "--compare-versions", left, "lt", right]).returncode == 0
        return -1 if older else 1

    def _show(self, exact: Iterable[str], architecture: str) -> list[Package]:
        """The index's records, every version of each."""
        output = self._apt(["apt-cache", "show", "--all-versions", *exact]).output
        found = []
        for record in output.split("\n\n"):
            fields = dict(
                line.split(": ", 1)
                for line in record.splitlines()
                if ": " in line and line[0] != " "
            )
            if {"Package", "Version", "SHA256"} <= fields.keys():
                # An "all" package is asked for as the architecture that wants it.
                arch = fields.get("Architecture", architecture)
                found.append(Package(fields["Package"], arch, fields["Version"], fields["SHA256"]))
        return found

    def _closure(self, package: Package, query: Query) -> tuple[Package, ...]:
        suite = ["-t", query.suite] if query.suite else []
        result = must(
            self._apt(["apt-get", "install", "--print-uris", "-qq", "-y", *suite, package.exact]),
            f"{package} has dependencies that cannot be met",
            "see apt.suites in images.yaml",
        )
        files = re.findall(r"^'[^']+' (\S+)_(\S+)_(\S+)\.deb \d+", result.output, re.M)
        wanted = [(n, urllib.parse.unquote(v), a) for n, v, a in files]
        known = self._show([f"{n}:{a}={v}" for n, v, a in wanted], query.architecture)
        by_id = {(p.name, p.version): p for p in known}
        missing = [n for n, v, _ in wanted if (n, v) not in by_id]
        if missing or (package.name, package.version) not in by_id:
            raise ProvisionError(
                f"{package}: the index does not describe {', '.join(missing) or package.name}",
                _BAD_NETWORK,
            )
        rest = sorted({by_id[n, v] for n, v, _ in wanted} - {package}, key=lambda p: p.name)
        return (package, *rest)

    def _gone(self, query: Query, names: list[str], known: list[Package]) -> ProvisionError:
        if known:
            there = ", ".join(sorted({str(p) for p in known}))
            what = f"no version of {query} in the archive; there: {there}"
            return ProvisionError(what, "adapt the version pattern in images.yaml")
        near = near_names(query.pattern, names)
        hint = f"; near names: {', '.join(near)}" if near else ""
        suites = ", ".join(self._settings.suites)
        return NotInArchive(
            f"no package {query} in {suites}{hint}",
            "adapt the package pattern in images.yaml",
        )


def names_like(pattern: str, names: Iterable[str]) -> list[str]:
    """Names that match a shell pattern; it may have one group of alternatives, ``{a,b*}``."""
    before, _, rest = pattern.partition("{")
    group, _, after = rest.partition("}")
    patterns = [f"{before}{each}{after}" for each in group.split(",")]
    return [name for name in names if any(fnmatch.fnmatchcase(name, each) for each in patterns)]


def near_names(pattern: str, names: Iterable[str], limit: int = 6) -> list[str]:
    """Names that differ from the pattern in their numbers only, else the ones spelled alike."""
    pattern = re.sub(r"{.*}", "*", pattern)
    numbers_free = re.sub(r"(\*|\d)[\d.*]*", "*", pattern)
    near = fnmatch.filter(names, numbers_free)
    if not near:
        plain = pattern.replace("*", "")
        near = difflib.get_close_matches(plain, list(names), n=limit, cutoff=0.75)
    return sorted(near)[-limit:]
