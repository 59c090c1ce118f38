# SPDX-License-Identifier: GPL-2.0-or-later
"""Kernel images, patches, trees and modules; no kernel is built here."""

from __future__ import annotations

import gzip
import lzma
import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from harness.errors import ConfigError, ProvisionError
from harness.provision import Expect, Provisioner, cpio, kbuild, load_images
from harness.provision.image_file import check_image, image_version
from harness.provision.kbuild import Patch
from harness.provision.kmod import extract_modules
from harness.provision.process import Result, run

BANNER = b"Linux version 7.3.4-test (who@where) #1\n\0"


def image(banner: bytes = BANNER) -> bytes:
    return b"MZ".ljust(56, b"\0") + b"ARM\x64" + b"\0" * 100 + banner


def zboot(compression: bytes = b"gzip") -> bytes:
    payload = gzip.compress(image(), mtime=0)
    numbers = (0x80).to_bytes(4, "little") + len(payload).to_bytes(4, "little")
    head = b"MZ\0\0zimg" + numbers + b"\0" * 8 + compression.ljust(32, b"\0")
    return head.ljust(0x80, b"\0") + payload


@pytest.mark.parametrize("data", [image(), gzip.compress(image(), mtime=0), zboot()])
def test_images(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "Image"
    file.write_bytes(data)
    check_image(file)
    assert image_version(file) == "7.3.4-test"


def test_an_image_without_a_banner(tmp_path: Path) -> None:
    file = tmp_path / "Image"
    file.write_bytes(image(b""))
    check_image(file)
    assert image_version(file) == ""


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x7fELF" + b"\0" * 200,
        image()[:56],
        b"MZ".ljust(56, b"\0") + b"RISC",
        gzip.compress(b"no kernel" * 50, mtime=0),
        b"\x1f\x8b but not gzip at all",
        zboot(b"lzma"),
    ],
)
def test_not_images(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "vmlinux"
    file.write_bytes(data)
    with pytest.raises(ConfigError, match=r"not an arm64 Image: .*/vmlinux") as caught:
        check_image(file)
    assert caught.value.remedy


def test_not_even_a_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read .*: Is a directory"):
        check_image(tmp_path)


def provisioner(folder: Path, kernels: str) -> Provisioner:
    file = folder / "images.yaml"
    file.write_text(
        'apt: {suites: [s]}\nqemu: {min_version: "1", default: [q], named: {q: {path: q}}}\n'
        f"config: c\nrun: [k]\nkernels:\n{kernels}"
    )
    return Provisioner(load_images(file), folder / "cache")


def test_a_given_image(tmp_path: Path) -> None:
    (tmp_path / "Image").write_bytes(image())
    ours = provisioner(tmp_path, "  k: {image: Image, cmdline: x=y, expect: {accessors: true}}")
    by_name = ours.kernel("k")
    assert by_name.image == tmp_path / "Image"
    assert (by_name.version, by_name.cmdline) == ("7.3.4-test", "x=y")
    assert by_name.expect == Expect(accessors=True, finalize="per-vcpu", late_writes=None)
    by_path = ours.kernel(str(tmp_path / "Image"))
    assert by_path.sha256 == by_name.sha256
    assert by_path.expect == Expect()


def test_names_and_paths_that_are_wrong(tmp_path: Path) -> None:
    ours = provisioner(tmp_path, "  k: {image: gone/Image}\n  stock: {tree: notree}")
    (tmp_path / "notree").mkdir()
    cases = {
        "stok": "no kernel 'stok' in images.yaml; did you mean 'stock'?",
        "/no/such/Image": "no such file or folder: /no/such/Image",
        str(tmp_path / "images.yaml"): "not an arm64 Image: ",
        str(tmp_path): "not a Linux source tree: ",
        "stock": "not a Linux source tree: notree",
        "k": f"{tmp_path}/images.yaml:6: kernels.k.image: no such file: gone/Image",
    }
    for name, message in cases.items():
        with pytest.raises(ConfigError) as caught:
            ours.kernel(name)
        assert caught.value.what.startswith(message)
        assert caught.value.remedy


# cpio


def parse_newc(data: bytes) -> dict[str, tuple[int, bytes, tuple[int, int]]]:
    """An independent reader, by the format's description in the kernel's documentation."""
    at, found = 0, {}
    while True:
        assert data[at : at + 6] == b"070701"
        fields = [int(data[at + 6 + 8 * i : at + 14 + 8 * i], 16) for i in range(13)]
        mode, mtime, size, name_size = fields[1], fields[5], fields[6], fields[11]
        assert (fields[2], fields[3], mtime) == (0, 0, 0)
        name_at = at + 110
        assert data[name_at + name_size - 1] == 0
        name = data[name_at : name_at + name_size - 1].decode()
        body = (name_at + name_size + 3) & ~3
        if name == "TRAILER!!!":
            return found
        found[name] = (mode, data[body : body + size], (fields[9], fields[10]))
        at = (body + size + 3) & ~3


def entries() -> list[cpio.Entry]:
    return [
        cpio.regular("/init", b"#!", executable=True),
        cpio.regular("modules/00-a.ko", b"module"),
        cpio.regular("empty", b""),
        cpio.directory("proc"),
        cpio.character_device("dev/console", 5, 1),
    ]


def test_cpio_round_trip() -> None:
    data = cpio.archive(entries())
    assert len(data) % 4 == 0
    found = parse_newc(data)
    assert list(found) == [
        "dev",
        "dev/console",
        "empty",
        "init",
        "modules",
        "modules/00-a.ko",
        "proc",
    ]
    assert found["init"] == (stat.S_IFREG | 0o755, b"#!", (0, 0))
    assert found["modules/00-a.ko"] == (stat.S_IFREG | 0o644, b"module", (0, 0))
    assert found["dev/console"] == (stat.S_IFCHR | 0o600, b"", (5, 1))
    assert found["modules"][0] == stat.S_IFDIR | 0o755
    assert cpio.archive(reversed(entries())) == data


def test_cpio_as_cpio_sees_it() -> None:
    if shutil.which("cpio") is None:
        pytest.skip("no cpio here")
    output = subprocess.run(
        ["cpio", "-it", "--quiet"], input=cpio.archive(entries()), capture_output=True, check=True
    )
    assert output.stdout.split() == [n.encode() for n in parse_newc(cpio.archive(entries()))]


# Patches

MAKEFILE = "VERSION = 7\nPATCHLEVEL = 3\nSUBLEVEL = 9\nEXTRAVERSION = -rc1\n"
BEFORE = "".join(f"line {n}\n" for n in range(1, 40))
PATCH = """\
A description.

--- a/dir/file.c
+++ b/dir/file.c
@@ -4,2 +4,3 @@
 line 4
+new
 line 5
@@ -30,3 +31,3 @@
 line 30
-line 31
+line thirty-one
 line 32
--- a/Makefile
+++ b/Makefile
@@ -1,2 +1,2 @@
-VERSION = 7
+VERSION = 8
 PATCHLEVEL = 3
"""


def tree(folder: Path) -> Path:
    (folder / "dir").mkdir(parents=True)
    (folder / "dir/file.c").write_text(BEFORE)
    (folder / "Makefile").write_text(MAKEFILE)
    return folder


def patch(folder: Path) -> Patch:
    (folder / "x.patch").write_text(PATCH)
    return Patch(folder / "x.patch")


def test_patches_and_overlays(tmp_path: Path) -> None:
    source = tree(tmp_path / "tree")
    (tmp_path / "over/dir/sub").mkdir(parents=True)
    (tmp_path / "over/dir/sub/new.c").write_text("new file\n")
    overlay = Patch(tmp_path / "over")
    kbuild.apply_patches(source, [overlay, patch(tmp_path)], run)
    assert (source / "dir/sub/new.c").read_text() == "new file\n"
    assert "line 4\nnew\nline 5\n" in (source / "dir/file.c").read_text()
    assert kbuild.tree_version(source) == "8.3.9-rc1"
    assert overlay.as_input()[0][:2] == ["overlay", "dir/sub/new.c"]


def test_an_overlay_brings_new_files_only(tmp_path: Path) -> None:
    source = tree(tmp_path / "tree")
    (tmp_path / "over/dir").mkdir(parents=True)
    (tmp_path / "over/dir/file.c").write_text("other")
    with pytest.raises(ProvisionError, match=r"over does not fit .*: dir/file.c is there already"):
        kbuild.apply_patches(source, [Patch(tmp_path / "over")], run)
    assert (source / "dir/file.c").read_text() == BEFORE


def test_a_hunk_that_does_not_fit(tmp_path: Path) -> None:
    source = tree(tmp_path / "tree")
    moved = BEFORE.replace("line 31\n", "something else\n")
    (source / "dir/file.c").write_text(moved)
    with pytest.raises(ProvisionError) as caught:
        kbuild.apply_patches(source, [patch(tmp_path)], run)
    assert caught.value.what == (
        "x.patch does not fit Linux 7.3.9-rc1: dir/file.c hunk #2 (this tree has moved)"
    )
    assert (source / "dir/file.c").read_text() == moved
    assert (source / "Makefile").read_text() == MAKEFILE
    assert sorted(p.name for p in source.rglob("*")) == ["Makefile", "dir", "file.c"]


def test_a_patch_for_a_file_that_is_gone(tmp_path: Path) -> None:
    source = tree(tmp_path / "tree")
    (source / "dir/file.c").unlink()
    with pytest.raises(
        ProvisionError, match=r"x.patch does not fit Linux 7.3.9-rc1: dir/file.c is gone"
    ):
        kbuild.apply_patches(source, [patch(tmp_path)], run)


def test_a_patch_that_is_in_already(tmp_path: Path) -> None:
    source = tree(tmp_path / "tree")
    kbuild.apply_patches(source, [patch(tmp_path)], run)
    with pytest.raises(ProvisionError, match=r"8.3.9-rc1: dir/file.c has it already, Makefile has"):
        kbuild.apply_patches(source, [patch(tmp_path)], run)


def test_derived_trees_share_sources_and_copy_products(tmp_path: Path) -> None:
    pristine = tree(tmp_path / "pristine")
    (pristine / "link").symlink_to("Makefile")
    built, derived = tmp_path / "built", tmp_path / "derived"
    kbuild.link_tree(pristine, built, run)
    (built / "made").mkdir()
    (built / "made/file.o").write_text("object")
    os.utime(built / "made/file.o", ns=(1_000_000_123, 1_000_000_123))
    (built / ".config").write_text("CONFIG_X=y")
    kbuild.link_tree(pristine, derived, run)
    kbuild.copy_products(built, pristine, derived)
    assert (derived / "made/file.o").stat().st_mtime_ns == 1_000_000_123
    assert (derived / "made/file.o").stat().st_ino != (built / "made/file.o").stat().st_ino
    assert (derived / "link").is_symlink()
    kbuild.apply_patches(derived, [patch(tmp_path)], run)
    # What is shared was not written to.
    assert (pristine / "dir/file.c").read_text() == BEFORE
    assert (pristine / "Makefile").read_text() == MAKEFILE


def test_sync_of_a_users_tree(tmp_path: Path) -> None:
    source, mirror = tree(tmp_path / "source"), tmp_path / "mirror"
    mirror.mkdir()
    names = ["Makefile", "dir/file.c"]
    kbuild.sync_tree(source, names, mirror)
    (mirror / "file.o").write_text("product")
    os.utime(mirror / "Makefile", ns=(5, 5))
    old = (mirror / "dir/file.c").stat().st_mtime_ns
    kbuild.sync_tree(source, names, mirror)
    assert (mirror / "dir/file.c").stat().st_mtime_ns == old, "nothing changed, nothing touched"
    assert (mirror / "Makefile").stat().st_mtime_ns > 5, (
        "what a patch changed is brought back, as new"
    )
    (mirror / "overlay.c").write_text("from the last build")
    kbuild.sync_tree(source, ["Makefile"], mirror, ["overlay.c", "Makefile"])
    assert not (mirror / "dir/file.c").exists()
    assert not (mirror / "overlay.c").exists()
    assert (mirror / "Makefile").exists()
    assert (mirror / "file.o").read_text() == "product"


def test_files_of_a_tree_that_was_built_in_place(tmp_path: Path) -> None:
    source = tree(tmp_path / "source")
    assert kbuild.source_files(source, run) == ["Makefile", "dir/file.c"]
    (source / ".config").touch()
    with pytest.raises(ProvisionError, match="built in place") as caught:
        kbuild.source_files(source, run)
    assert caught.value.remedy == "make mrproper there"
    (source / ".gitignore").write_text("*.o\n.config\n")
    (source / "new.o").touch()
    subprocess.run(["git", "init", "-q"], cwd=source, check=True)
    assert kbuild.source_files(source, run) == [".gitignore", "Makefile", "dir/file.c"]
    (source / ".gitignore").write_text("/*\n")
    with pytest.raises(ProvisionError, match="git does not know its Makefile"):
        kbuild.source_files(source, run)


def test_refused_configuration(tmp_path: Path) -> None:
    def fake_make(argv: list[str], **_: object) -> Result:
        (tmp_path / ".config").write_text('CONFIG_A=y\nCONFIG_S="x"\n# CONFIG_B is not set\n')
        return Result(tuple(argv), 0, "")

    fragments = [tmp_path / "f", tmp_path / "g"]
    fragments[0].write_text('CONFIG_A=m\nCONFIG_B=y\nCONFIG_C=n\nCONFIG_S="x"\n')
    fragments[1].write_text("# the last counts\nCONFIG_A=y\nCONFIG_GONE=y\n")
    build = kbuild.KernelBuild(tmp_path, fake_make, tmp_path / "log")  # type: ignore[arg-type]
    assert build.configure(fragments) == ["CONFIG_B", "CONFIG_GONE"]


# Modules


def module(depends: str) -> bytes:
    return b"\x7fELF\0name=x\0depends=" + depends.encode() + b"\0vermagic=7\0"


def test_modules_in_load_order(tmp_path: Path) -> None:
    root = tmp_path / "root/lib/modules/7"
    root.mkdir(parents=True)
    (root / "virtio-mmio.ko.xz").write_bytes(lzma.compress(module("virtio_ring,virtio")))
    (root / "virtio_ring.ko").write_bytes(module("virtio"))
    (root / "virtio.ko.gz").write_bytes(gzip.compress(module(""), mtime=0))
    (root / "modules.builtin").write_text("kernel/drivers/char/virtio_console.ko\n")
    out = tmp_path / "out"
    names = extract_modules([tmp_path / "root"], ["virtio_mmio", "virtio_console"], out, run)
    assert names == ["00-virtio.ko", "01-virtio_ring.ko", "02-virtio_mmio.ko"]
    assert (out / "02-virtio_mmio.ko").read_bytes() == module("virtio_ring,virtio")
    with pytest.raises(ProvisionError, match="no module gone"):
        extract_modules([tmp_path / "root"], ["gone"], out, run)
