# SPDX-License-Identifier: GPL-2.0-or-later
"""Patterns to exact packages, with a fake apt; and what is remembered for offline runs."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from harness.errors import ProvisionError
from harness.provision import Provisioner, load_images
from harness.provision.apt import Apt, Package, Query, near_names
from harness.provision.cache import Cache
from harness.provision.images import AptSection
from harness.provision.mirror import find_mirror
from harness.provision.process import Result, run

MIRROR = "http://archive.test/debian"
KERNEL = "linux-binary-7.3.*-cloud-arm64"


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass
class FakeApt:
    """Answers for apt, from a list of (name, architecture, version); everything else is real."""

    archive: list[tuple[str, str, str]]
    needs: Mapping[str, list[str]] = field(default_factory=dict)
    mirror: str = MIRROR
    online: bool = True
    update_output: str = ""
    corrupt: bool = False
    calls: list[str] = field(default_factory=list)

    def __call__(
        self,
        argv: Sequence[str],
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        log: Path | None = None,
        stdin: Path | None = None,
        timeout: float | None = None,
    ) -> Result:
        known = {
            ("apt-get", "indextargets"): self.targets,
            ("apt-get", "update"): self.update,
            ("apt-get", "install"): self.install,
            ("apt-get", "download"): self.download,
            ("apt-cache", "pkgnames"): self.names,
            ("apt-cache", "show"): self.show,
            ("apt-config", "dump"): lambda _a, _c: (
                0,
                'Acquire::http::Proxy "http://p.test";\nX "";',
            ),
            ("dpkg", "--print-architecture"): lambda _a, _c: (0, "amd64"),
        }
        answer = known.get((argv[0], argv[1]))
        if answer is None:
            return run(argv, cwd=cwd, env=env, log=log, stdin=stdin, timeout=timeout)
        self.calls.append(argv[1])
        code, output = answer(list(argv), cwd)
        return Result(tuple(argv), code, output)

    def targets(self, _argv: list[str], _cwd: Path | None) -> tuple[int, str]:
        return 0, f"{self.mirror}/|trixie|main|Debian|Debian|Packages\n" if self.mirror else ""

    def update(self, _argv: list[str], _cwd: Path | None) -> tuple[int, str]:
        return (0, "") if self.online else (100, f"E: no network {self.update_output}")

    def names(self, _argv: list[str], _cwd: Path | None) -> tuple[int, str]:
        return 0, "\n".join({name for name, _, _ in self.archive})

    def show(self, argv: list[str], _cwd: Path | None) -> tuple[int, str]:
        records = []
        for name, architecture, version in self.archive:
            plain, exact = f"{name}:{architecture}", f"{name}:{architecture}={version}"
            if plain in argv or exact in argv:
                records.append(
                    f"Package: {name}\nVersion: {version}\nArchitecture: {architecture}\n"
                    f"Depends: x: y\nDescription: d\n more: text\nSHA256: {sha(name + version)}\n"
                )
        return 0, "\n".join(records)

    def install(self, argv: list[str], _cwd: Path | None) -> tuple[int, str]:
        name, _, rest = argv[-1].partition(":")
        wanted = rest.partition("=")[2]
        lines = []
        for n, architecture, version in self.archive:
            if (n == name and version == wanted) or n in self.needs.get(name, []):
                file = f"{n}_{version.replace(':', '%3a')}_{architecture}.deb"
                lines.append(f"'{MIRROR}/pool/{file}' {file} 100 ")
        return 0, "\n".join(lines)

    def download(self, argv: list[str], cwd: Path | None) -> tuple[int, str]:
        assert cwd is not None
        for exact in argv[2:]:
            name, _, rest = exact.partition(":")
            text = name + rest.partition("=")[2]
            (cwd / f"{name}.deb").write_text("bad" if self.corrupt else text)
        return 0, ""


@pytest.fixture(autouse=True)
def no_mirror_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GICV5_DEBIAN_MIRROR", raising=False)


def make(folder: Path, fake: FakeApt) -> Apt:
    section = AptSection(suites=["trixie", "trixie-backports"])
    return Apt(section, Cache(folder, lambda _: None), fake, lambda _: None)


def kernels(*versions: str) -> list[tuple[str, str, str]]:
    return [(f"linux-binary-{v.partition('-')[0]}-cloud-arm64", "arm64", v) for v in versions]


@pytest.mark.parametrize(
    ("versions", "newest"),
    [
        (["7.3.4-1", "7.3.10-1", "7.3.9-1"], "7.3.10-1"),
        (["7.3.4-1", "7.3.4-1~bpo13+1"], "7.3.4-1"),
        (["7.3.4~rc1-1", "7.3.4-1"], "7.3.4-1"),
        (["7.3.4-2", "7.3.4-10"], "7.3.4-10"),
        (["7.4.1-1", "7.3.4-1"], "7.3.4-1"),
    ],
)
def test_newest_as_dpkg_sees_it(tmp_path: Path, versions: list[str], newest: str) -> None:
    found = make(tmp_path, FakeApt(kernels(*versions))).resolve(Query(KERNEL, "arm64"))
    assert [p.version for p in found] == [newest]
    assert found[0].sha256 == sha(found[0].name + newest)


@pytest.mark.parametrize("there", ["7.4.1", "7.10.2", "8.0"])
def test_a_group_of_alternatives(tmp_path: Path, there: str) -> None:
    archive = [(f"linux-binary-{v}+deb", "arm64", f"{v}-1") for v in ("7.3.9", there)]
    query = Query("linux-binary-{7.[4-9]*,7.[1-9][0-9]*,[89].*}+deb", "arm64")
    assert make(tmp_path, FakeApt(archive)).resolve(query)[0].version == f"{there}-1"
    with pytest.raises(ProvisionError, match=r"near names: linux-binary-7\.3\.9"):
        make(tmp_path, FakeApt(archive[:1])).resolve(query)


def test_version_pattern_and_epoch(tmp_path: Path) -> None:
    archive = [("qemu", "amd64", v) for v in ("1:10.0.13+ds", "1:11.1.3+ds-1~bpo13+1", "1:12.0")]
    found = make(tmp_path, FakeApt(archive)).resolve(Query("qemu", "amd64", "1:11.*"))
    assert found[0].version == "1:11.1.3+ds-1~bpo13+1"


def test_closure_is_exact(tmp_path: Path) -> None:
    archive = [("qemu", "amd64", "1:11.1"), ("libc6", "amd64", "2.41"), ("data", "all", "1:11.1")]
    fake = FakeApt([*archive, ("other", "amd64", "1")], {"qemu": ["libc6", "data"]})
    found = make(tmp_path, fake).resolve(Query("qemu", "amd64", closure=True))
    assert [(p.name, p.architecture, p.version) for p in found] == [
        archive[0],
        archive[2],
        archive[1],
    ]
    assert found[1].sha256 == sha("data1:11.1")


def test_companions_have_the_same_version(tmp_path: Path) -> None:
    archive = kernels("7.3.4-1", "7.3.5-1") + [
        (f"linux-modules-{v}-cloud-arm64", "arm64", f"{v}-1") for v in ("7.3.4", "7.3.5", "7.3.6")
    ]
    query = Query(KERNEL, "arm64", also=("linux-modules-*",))
    found = make(tmp_path, FakeApt(archive)).resolve(query)
    assert [p.version for p in found] == ["7.3.5-1", "7.3.5-1"]
    assert found[1].name == "linux-modules-7.3.5-cloud-arm64"


def test_what_is_gone_and_what_is_near(tmp_path: Path) -> None:
    with pytest.raises(ProvisionError) as caught:
        make(tmp_path, FakeApt(kernels("7.4.1-1", "7.5.0-1"))).resolve(Query(KERNEL, "arm64"))
    assert caught.value.what == (
        "no package linux-binary-7.3.*-cloud-arm64 (arm64) in trixie, trixie-backports; "
        "near names: linux-binary-7.4.1-cloud-arm64, linux-binary-7.5.0-cloud-arm64"
    )
    assert "images.yaml" in caught.value.remedy


def test_a_version_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(ProvisionError, match=r"no version of qemu 1:11.\* .*there: qemu 1:12.0"):
        make(tmp_path, FakeApt([("qemu", "amd64", "1:12.0")])).resolve(
            Query("qemu", "amd64", "1:11.*")
        )


def test_near_names() -> None:
    names = ["linux-source-7.4", "linux-source-6.12", "linux-headers-7.4", "qemu"]
    assert near_names("linux-source-7.3", names) == ["linux-source-6.12", "linux-source-7.4"]
    assert near_names("qemo", names) == ["qemu"]
    assert near_names("zzz", names) == []


def test_sources_and_proxies(tmp_path: Path) -> None:
    make(tmp_path, FakeApt(kernels("7.3.4-1"))).resolve(Query(KERNEL, "arm64"))
    sources = (tmp_path / "apt/sources.list").read_text().splitlines()
    assert [line.partition("] ")[2] for line in sources] == [
        f"{MIRROR} trixie main",
        f"{MIRROR} trixie-backports main",
    ]
    assert all("signed-by=/usr/share/keyrings/debian-archive-keyring" in line for line in sources)
    assert 'Acquire::http::Proxy "http://p.test";' in (tmp_path / "apt/apt.conf").read_text()


def test_no_network(tmp_path: Path) -> None:
    fake = FakeApt([], online=False)
    with pytest.raises(
        ProvisionError, match=r"cannot read the package index of http://archive.test"
    ):
        make(tmp_path, fake).resolve(Query(KERNEL, "arm64"))


def test_a_key_that_is_too_new(tmp_path: Path) -> None:
    fake = FakeApt([], online=False, update_output="NO_PUBKEY 0123")
    with pytest.raises(ProvisionError, match="signature") as caught:
        make(tmp_path, fake).resolve(Query(KERNEL, "arm64"))
    assert "debian-archive-keyring" in caught.value.remedy


def test_a_download_that_is_not_what_was_announced(tmp_path: Path) -> None:
    fake = FakeApt([], corrupt=True)
    package = Package("a", "amd64", "1", sha("a1"))
    with pytest.raises(ProvisionError, match="downloaded, but not as announced: a 1"):
        make(tmp_path, fake).download([package], tmp_path / "d")
    fake.corrupt = False
    assert make(tmp_path, fake).download([package], tmp_path / "d") == [tmp_path / "d" / "a.deb"]


@pytest.mark.parametrize(
    ("targets", "release", "expected"),
    [
        (f"{MIRROR}/|trixie|main|Debian|Debian|Packages", "ID=debian", MIRROR),
        # Nothing was downloaded yet: no origin is known, the suite's name decides.
        (f"{MIRROR}/|bookworm|main|||Packages", "ID=debian\nVERSION_CODENAME=bookworm", MIRROR),
        ("http://o.test/x/|bookworm|main|||Packages", "ID=ubuntu\nVERSION_CODENAME=noble", None),
        ("http://other.test/x/|noble|main|Ubuntu|Ubuntu|Packages", 'ID="ubuntu"', None),
        (f"http://sec.test/|s|main|Debian|Debian-Security|Packages\n{MIRROR}/|t|main|Debian|Debian|"
         "Packages", "ID=debian", MIRROR),
        ("http://other.test/|nodistro|main|Vendor|Vendor|Packages", "ID=debian", None),
        (f"{MIRROR}/|trixie|contrib|Debian|Debian|Packages", "ID=debian", None),
    ],
)  # fmt: skip
def test_the_machines_own_mirror(
    tmp_path: Path, targets: str, release: str, expected: str | None
) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/os-release").write_text(release)

    def fake(argv: Sequence[str], **_: object) -> Result:
        return Result(tuple(argv), 0, targets)

    if expected:
        assert find_mirror(None, fake, {}, tmp_path) == expected
    else:
        with pytest.raises(ProvisionError, match="no Debian mirror") as caught:
            find_mirror(None, fake, {}, tmp_path)
        assert "GICV5_DEBIAN_MIRROR" in caught.value.remedy


def test_the_bootstrap_tools_know_a_mirror(tmp_path: Path) -> None:
    scripts = tmp_path / "usr/share/debootstrap/scripts"
    scripts.mkdir(parents=True)
    (scripts / "sid").write_text("case $ARCH in\n  *) default_mirror http://d.test/debian ;;\n")

    def fake(argv: Sequence[str], **_: object) -> Result:
        return Result(tuple(argv), 0, "")

    (scripts / "sid").write_text("default_mirror http://d.test/debian\nmirror_style release\n")
    assert find_mirror(None, fake, {}, tmp_path) == "http://d.test/debian"
    assert find_mirror("http://file.test/d", fake, {}, tmp_path) == "http://file.test/d"
    env = {"GICV5_DEBIAN_MIRROR": "http://env.test/debian/"}
    assert find_mirror("http://file.test/d", fake, env, tmp_path) == "http://env.test/debian"


IMAGES = """\
apt: {suites: [trixie]}
qemu:
  min_version: "11.1"
  default: [packaged]
  named:
    packaged: {package: qemu, version: "1:11.*", program: qemu-system-aarch64}
config: c
run: [k]
kernels:
  k: {package: "linux-binary-*"}
"""


@dataclass
class FakeDebs(FakeApt):
    """Also unpacks: a QEMU that is a script, with a dynamic loader that is one, too."""

    version: str = "11.1.3"
    help_text: str = "-plugin [file=]<file>"

    def __call__(self, argv: Sequence[str], **options: object) -> Result:  # type: ignore[override]
        if argv[0] == "dpkg-deb":
            root = Path(argv[-1])
            (root / "usr/bin").mkdir(parents=True, exist_ok=True)
            (root / "usr/lib/x86_64-linux-gnu").mkdir(parents=True, exist_ok=True)
            program = root / "usr/bin/qemu-system-aarch64"
            program.write_text(
                f"case $* in *--version*) echo QEMU emulator version {self.version};; "
                f"*) echo '{self.help_text}';; esac\n"
            )
            loader = root / "usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"
            loader.write_text('#!/bin/sh\nshift 2\nexec sh "$@"\n')
            loader.chmod(0o755)
            self.calls.append("unpack")
            return Result(tuple(argv), 0, "")
        return super().__call__(argv, **options)  # type: ignore[arg-type]


QEMU_ARCHIVE = [("qemu", "amd64", "1:11.1.3"), ("libc6", "amd64", "2.41")]


def provisioner(folder: Path, fake: FakeApt) -> Provisioner:
    (folder / "images.yaml").write_text(IMAGES)
    return Provisioner(load_images(folder / "images.yaml"), folder / "cache", runner=fake)


def test_qemu_from_the_archive_then_offline(tmp_path: Path) -> None:
    fake = FakeDebs(QEMU_ARCHIVE, {"qemu": ["libc6"]})
    first = provisioner(tmp_path, fake).qemu()
    assert (first.version, first.source) == ("11.1.3", "qemu 1:11.1.3")
    assert first.argv[0].endswith("/ld-linux-x86-64.so.2")
    assert first.argv[1] == "--library-path"
    assert fake.calls.count("unpack") == 2
    offline = FakeDebs([], online=False)
    assert provisioner(tmp_path, offline).qemu() == first
    assert not {"update", "download", "unpack"} & set(offline.calls)


def test_refresh_asks_again(tmp_path: Path) -> None:
    fake = FakeDebs(QEMU_ARCHIVE, {"qemu": ["libc6"]})
    provisioner(tmp_path, fake).qemu()
    fake.archive = [("qemu", "amd64", "1:11.2.0"), *QEMU_ARCHIVE]
    assert provisioner(tmp_path, fake).qemu().source == "qemu 1:11.1.3"
    provisioner(tmp_path, fake).refresh("packaged")
    listing = provisioner(tmp_path, fake).describe("packaged")
    assert (listing.version, listing.cached) == ("1:11.2.0", False)
    assert provisioner(tmp_path, fake).qemu().source == "qemu 1:11.2.0"


@pytest.mark.parametrize(
    ("version", "help_text", "reason"),
    [
        ("11.0.9", "-plugin [file=]", "version 11.0.9 is older than 11.1"),
        ("11.10", "-nothing", "built without plugin support"),
    ],
)
def test_a_qemu_that_will_not_do(tmp_path: Path, version: str, help_text: str, reason: str) -> None:
    fake = FakeDebs(QEMU_ARCHIVE, version=version, help_text=help_text)
    with pytest.raises(ProvisionError, match=reason):
        provisioner(tmp_path, fake).qemu()
    assert list((tmp_path / "cache/objects").iterdir()) == []
