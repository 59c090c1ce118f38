# SPDX-License-Identifier: GPL-2.0-or-later
"""Building from sources, with a Makefile that only pretends: what is built, when, and where."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from harness.errors import ProvisionError
from harness.provision import Provisioner, kernels, load_images, packages
from harness.provision.process import Result, run

# Builds "Image" from file.c and, if it is there, new.c; says in the tree's log what it did.
MAKEFILE = r"""
VERSION = 7
PATCHLEVEL = 3
SUBLEVEL = 4
EXTRAVERSION =
SRC := $(CURDIR)
O ?= $(SRC)
IMAGE := $(O)/arch/arm64/boot/Image
allnoconfig:
	@test $(O) = $(SRC) -o ! -e $(SRC)/.config
	grep = $(KCONFIG_ALLCONFIG) > $(O)/.config
Image: $(IMAGE)
$(IMAGE): $(O)/file.o $(wildcard $(SRC)/new.c)
	@echo LINKED
	mkdir -p $(dir $@)
	( printf 'MZ'; head -c 54 /dev/zero; printf 'ARMdLinux version 7.3.4 (x) '; cat $^ ) > $@
	cat $^ > $(O)/System.map
$(O)/file.o: $(SRC)/file.c
	@echo COMPILED
	! grep -q BROKEN $< || { echo "file.c:1: error: BROKEN"; exit 1; }
	cp $< $@
"""
PATCH = "--- a/file.c\n+++ b/file.c\n@@ -1,2 +1,2 @@\n-one\n+patched\n two\n"
IMAGES = """\
apt: {suites: [s]}
qemu: {min_version: "1", default: [q], named: {q: {path: q}}}
config: config
run: [stock]
kernels:
  stock: {source: linux-source-7.3}
  patched: {source: linux-source-7.3, patches: [over, x.patch]}
  same: {like: patched, cmdline: a=b}
  stale: {source: linux-source-7.3, patches: [x.patch, x.patch]}
  mine: {tree: tree}
  mine-patched: {tree: tree, patches: [over, x.patch]}
"""


class FakeArchive:
    """A source package in the archive; make, patch, tar and cp are real, the compiler is not."""

    def __init__(self, tarball: Path) -> None:
        self.tarball = tarball
        self.online = True
        self.made: list[str] = []

    def __call__(self, argv: Sequence[str], **options: object) -> Result:
        answers = {
            "dpkg": "amd64",
            "apt-config": "",
            "pkgnames": "linux-source-7.3",
            "show": "Package: linux-source-7.3\nVersion: 7.3.4-1\nArchitecture: all\nSHA256: "
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "indextargets": "http://archive.test/|s|main|Debian|Debian|Packages",
            "--version": "gcc 12",
        }
        if argv[0] == "dpkg-deb":
            sources = Path(argv[-1]) / "usr/src"
            sources.mkdir(parents=True)
            shutil.copy(self.tarball, sources)
            return Result(tuple(argv), 0, "")
        if argv[:2] == ["apt-get", "download"]:
            assert self.online
            (Path(str(options["cwd"])) / "linux.deb").touch()
            return Result(tuple(argv), 0, "")
        if argv[:2] == ["apt-get", "update"]:
            return Result(tuple(argv), 0 if self.online else 100, "")
        for key in argv[:2]:
            if key in answers:
                return Result(tuple(argv), 0, answers[key])
        if argv[0] == "make":
            self.made.append(argv[-1])
        return run(argv, **options)  # type: ignore[arg-type]


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeArchive:
    for module in (kernels, packages):
        monkeypatch.setattr(module, "ensure", lambda *_: None)
    tree = tmp_path / "tree"
    (tree / "arch/arm64").mkdir(parents=True)
    for name, text in {
        "Makefile": MAKEFILE,
        "Kconfig": "",
        "arch/arm64/Kconfig": "",
        "file.c": "one\ntwo\n",
    }.items():
        (tree / name).write_text(text)
    tarball = tmp_path / "linux-source-7.3.tar.xz"
    subprocess.run(["tar", "-cJf", tarball, "-C", tmp_path, "tree"], check=True)
    (tmp_path / "over").mkdir()
    (tmp_path / "over/new.c").write_text("overlay\n")
    (tmp_path / "x.patch").write_text(PATCH)
    (tmp_path / "config").write_text("CONFIG_A=y\n")
    (tmp_path / "images.yaml").write_text(IMAGES)
    return FakeArchive(tarball)


def provisioner(folder: Path, archive: FakeArchive, said: list[str] | None = None) -> Provisioner:
    show = (said if said is not None else []).append
    return Provisioner(
        load_images(folder / "images.yaml"), folder / "cache", progress=show, runner=archive
    )


def content(image: Path) -> str:
    return image.read_bytes().partition(b"(x) ")[2].decode()


def symbols(image: Path) -> str:
    return image.with_name("System.map").read_text()


def logs(folder: Path) -> Mapping[str, str]:
    return {p.stem: p.read_text() for p in (folder / "cache/logs").iterdir()}


def test_patched_kernels_start_from_the_unpatched_build(
    tmp_path: Path, archive: FakeArchive
) -> None:
    stock = provisioner(tmp_path, archive).kernel("stock")
    assert (stock.version, content(stock.image)) == ("7.3.4", "one\ntwo\n")
    assert stock.source == "linux-source-7.3 7.3.4-1 + config"
    patched = provisioner(tmp_path, archive).kernel("patched")
    assert content(patched.image) == "patched\ntwo\noverlay\n"
    assert symbols(stock.image) == content(stock.image)
    assert symbols(patched.image) == content(patched.image)
    archive.made.clear()
    same = provisioner(tmp_path, archive).kernel("same")
    assert (same.image, same.cmdline) == (patched.image, "a=b")
    assert archive.made == []
    pristine = next((tmp_path / "cache/objects").glob("linux-source-*")) / "tree"
    assert (pristine / "file.c").read_text() == "one\ntwo\n"
    assert not (pristine / "new.c").exists()
    assert not (pristine / ".config").exists()
    assert list((tmp_path / "cache/tmp").iterdir()) == []


def test_an_overlay_alone_recompiles_nothing(tmp_path: Path, archive: FakeArchive) -> None:
    (tmp_path / "images.yaml").write_text(
        IMAGES.replace("[over, x.patch]}\n  same", "[over]}\n  same")
    )
    provisioner(tmp_path, archive).kernel("patched")
    log = logs(tmp_path)
    assert "COMPILED" in log["base-linux-source-7.3"]
    assert "COMPILED" not in log["kernel-patched"]
    assert "LINKED" in log["kernel-patched"]


def test_offline_after_the_first_time(tmp_path: Path, archive: FakeArchive) -> None:
    first = provisioner(tmp_path, archive).kernel("stock")
    archive.online = False
    assert provisioner(tmp_path, archive).kernel("stock") == first
    # Another kernel of the same sources needs no network either.
    assert provisioner(tmp_path, archive).kernel("patched").version == "7.3.4"


def test_a_change_of_configuration_is_another_kernel(tmp_path: Path, archive: FakeArchive) -> None:
    first = provisioner(tmp_path, archive).kernel("stock")
    (tmp_path / "config").write_text("CONFIG_B=y\n")
    assert not provisioner(tmp_path, archive).describe("stock").cached
    assert provisioner(tmp_path, archive).kernel("stock").image != first.image


def test_a_patch_that_does_not_fit_leaves_nothing(tmp_path: Path, archive: FakeArchive) -> None:
    with pytest.raises(ProvisionError, match=r"x.patch does not fit Linux 7.3.4: file.c"):
        provisioner(tmp_path, archive).kernel("stale")
    assert list((tmp_path / "cache/tmp").iterdir()) == []


def test_a_users_tree_is_built_beside_it(tmp_path: Path, archive: FakeArchive) -> None:
    tree = tmp_path / "tree"
    before = sorted(tree.rglob("*"))
    first = provisioner(tmp_path, archive).kernel(str(tree))
    assert sorted(tree.rglob("*")) == before
    assert content(first.image) == "one\ntwo\n"
    assert provisioner(tmp_path, archive).kernel("mine").image == first.image
    (tree / "file.c").write_text("edited\n")
    second = provisioner(tmp_path, archive).kernel("mine")
    assert content(second.image) == symbols(second.image) == "edited\n"
    assert content(first.image) == "one\ntwo\n", "what was handed out stays as it was"


@pytest.mark.parametrize("name", ["mine", "mine-patched"])
def test_a_users_tree_that_was_built_in_place(
    tmp_path: Path, archive: FakeArchive, name: str
) -> None:
    tree = tmp_path / "tree"
    (tree / ".gitignore").write_text(".config\n")
    subprocess.run(["git", "init", "-q"], cwd=tree, check=True)
    (tree / ".config").write_text("CONFIG_OF_THE_USER=y\n")
    expected = "patched\ntwo\noverlay\n" if name == "mine-patched" else "one\ntwo\n"
    for _ in range(2):
        assert content(provisioner(tmp_path, archive).kernel(name).image) == expected
    assert (tree / "file.c").read_text() == "one\ntwo\n"
    assert not (tree / "new.c").exists()
    assert (tree / ".config").read_text() == "CONFIG_OF_THE_USER=y\n"


def test_a_build_that_fails_shows_the_compilers_words(tmp_path: Path, archive: FakeArchive) -> None:
    (tmp_path / "tree/file.c").write_text("BROKEN\n")
    with pytest.raises(ProvisionError) as caught:
        provisioner(tmp_path, archive).kernel("mine")
    assert "file.c:1: error: BROKEN" in caught.value.what
    assert str(tmp_path / "cache/logs") in caught.value.remedy
    assert "error: BROKEN" in next(iter(logs(tmp_path).values()))


def test_refused_symbols_are_said(tmp_path: Path, archive: FakeArchive) -> None:
    (tmp_path / "tree/Makefile").write_text(MAKEFILE.replace("grep =", "grep =y"))
    (tmp_path / "config").write_text('CONFIG_A=y\nCONFIG_S="text"\n')
    said: list[str] = []
    provisioner(tmp_path, archive, said).kernel("mine")
    assert "note: Linux 7.3.4 does not take CONFIG_S" in said
