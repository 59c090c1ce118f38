# SPDX-License-Identifier: GPL-2.0-or-later
"""Trees that are rebuilt with one patch after the other, with a Makefile that only pretends."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from test_provision_build import FakeArchive, content, provisioner
from test_provision_build import archive as archive  # noqa: PLC0414 (a fixture)

from harness.errors import ConfigError, ProvisionError
from harness.provision import worktree
from harness.provision.cache import file_sha256


@pytest.fixture(autouse=True)
def tools(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worktree, "ensure", lambda *_: None)


def patch(folder: Path, name: str, old: str, new: str) -> Path:
    path = folder / f"{name}.patch"
    path.write_text(f"Breaks: it\n\n--- a/file.c\n+++ b/file.c\n@@ -1 +1 @@\n-{old}\n+{new}\n")
    return path


def test_each_patch_is_alone_and_the_last_one_is_undone(
    tmp_path: Path, archive: FakeArchive
) -> None:
    one, two = (patch(tmp_path, n, "patched", n) for n in ("mutant-1", "mutant-2"))
    with provisioner(tmp_path, archive).work_trees("patched", 1) as (tree,):
        assert content(tree.image()) == "patched\ntwo\noverlay\n"
        assert content(tree.image(one)) == "mutant-1\ntwo\noverlay\n"
        assert content(tree.image(two)) == "mutant-2\ntwo\noverlay\n"
    assert (tree.tree / "file.c").read_text() == "patched\ntwo\n"


def test_the_second_tree_is_a_copy_that_is_built_already(
    tmp_path: Path, archive: FakeArchive
) -> None:
    with provisioner(tmp_path, archive).work_trees("patched", 2) as trees:
        built = archive.made.count("Image")
        assert [content(tree.image()) for tree in trees] == ["patched\ntwo\noverlay\n"] * 2
        assert "COMPILED" not in trees[1].log.read_text()
        mutated = content(trees[0].image(patch(tmp_path, "m", "patched", "mutant")))
        assert mutated != content(trees[1].image())
    assert built == 2  # the base and the first tree


def test_the_cached_source_stays_as_it_was_packaged(tmp_path: Path, archive: FakeArchive) -> None:
    """The trees share its files: the second one, a copy of a patched tree, must not write them."""
    with provisioner(tmp_path, archive).work_trees("patched", 2) as trees:
        assert (trees[1].tree / "file.c").read_text() == "patched\ntwo\n"
    (pristine,) = tmp_path.glob("cache/objects/linux-source-*/tree/file.c")
    assert pristine.read_text() == "one\ntwo\n"


def test_a_tree_that_a_killed_run_left_mutated_is_mended(
    tmp_path: Path, archive: FakeArchive
) -> None:
    provision = provisioner(tmp_path, archive)
    with provision.work_trees("patched", 1) as (tree,):
        tree.image(patch(tmp_path, "m", "patched", "mutant"))
        left = {p: p.read_bytes() for p in tree.folder.rglob("*.c")}
    for path, data in left.items():  # as it was before the block ended
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    assert (tree.tree / "file.c").read_text().startswith("mutant")
    with provision.work_trees("patched", 1) as (tree,):
        assert content(tree.image()) == "patched\ntwo\noverlay\n"


def test_a_patch_that_does_not_fit_is_named_and_leaves_nothing(
    tmp_path: Path, archive: FakeArchive
) -> None:
    with provisioner(tmp_path, archive).work_trees("patched", 1) as (tree,):
        with pytest.raises(ProvisionError, match=r"wrong\.patch does not fit Linux 7\.3\.4"):
            tree.image(patch(tmp_path, "wrong", "no such line", "mutant"))
        with pytest.raises(ProvisionError, match=r"file\.c:1: error: BROKEN"):
            tree.image(patch(tmp_path, "broken", "patched", "BROKEN"))
        assert content(tree.image()) == "patched\ntwo\noverlay\n"


def test_a_mutated_image_is_built_once_whatever_its_header_says(
    tmp_path: Path, archive: FakeArchive
) -> None:
    one = patch(tmp_path, "m", "patched", "mutant")
    with provisioner(tmp_path, archive).work_trees("patched", 1) as (tree,):
        base = file_sha256(tree.image())
        made = tree.mutated(one, base)
        assert gzip.decompress(made.image.read_bytes()).endswith(b"mutant\ntwo\noverlay\n")
        assert made.sha256 != base
        built = len(archive.made)
        one.write_text("Breaks: the same, in other words\n" + one.read_text())
        assert tree.mutated(one, base) == made
        assert len(archive.made) == built
        assert tree.mutated(one, "another kernel") != made


def test_the_users_tree_is_never_written_to(tmp_path: Path, archive: FakeArchive) -> None:
    one = patch(tmp_path, "m", "one", "mutant")
    for expected in ("mutant\ntwo\n", "mutant\nTWO\n"):
        with provisioner(tmp_path, archive).work_trees("mine", 2) as trees:
            assert [content(tree.image(one)) for tree in trees] == [expected] * 2
        (tmp_path / "tree/file.c").write_text("one\nTWO\n")
    assert not (tmp_path / "tree/file.o").exists()


def test_a_prebuilt_kernel_cannot_be_mutated(tmp_path: Path, archive: FakeArchive) -> None:
    image = tmp_path / "Image"
    image.write_bytes(b"")
    with (
        pytest.raises(ConfigError, match="cannot be patched"),
        provisioner(tmp_path, archive).work_trees(str(image), 1),
    ):
        pass
