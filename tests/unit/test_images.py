# SPDX-License-Identifier: GPL-2.0-or-later
"""images.yaml: each mistake is reported with file, line, key, and what is allowed."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from harness.errors import ConfigError
from harness.provision import default_images, load_images

GOOD = """\
apt:
  suites: [one]
qemu:
  min_version: "11.1"
  default: [here]
  named:
    here:
      path: qemu
config: minimal.config
run: [first]
kernels:
  first:
    package: linux-*
    expect:
      finalize: per-vcpu
  second:
    like: first
    cmdline: a=b
    expect: {late_writes: exposed}
"""


def write(folder: Path, text: str) -> Path:
    file = folder / "images.yaml"
    file.write_text(textwrap.dedent(text))
    return file


def complaint(file: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        load_images(file)
    assert caught.value.exit_code == 4
    assert caught.value.remedy
    return caught.value.what.replace(f"{file}:", "")


def test_the_projects_own_file() -> None:
    images = load_images(default_images())
    assert images.run == ["next", "debian", "stock", "unmasked", "masked"]
    assert images.kernel("debian").kind == "package"
    assert images.kernel("debian-nvhe").cmdline == "kvm-arm.mode=nvhe"
    exposed, masked = images.kernel("masked-exposed"), images.kernel("masked")
    assert exposed.expect.late_writes == "exposed"
    assert exposed.expect.accessors is True
    assert (exposed.source, exposed.patches) == (masked.source, masked.patches)


def test_like_takes_over_what_it_does_not_say(tmp_path: Path) -> None:
    images = load_images(write(tmp_path, GOOD))
    second = images.kernel("second")
    assert second.package == "linux-*"
    assert second.cmdline == "a=b"
    assert (second.expect.finalize, second.expect.late_writes) == ("per-vcpu", "exposed")
    assert images.origin("second") == "first"


def test_like_adds_files_and_replaces_numbers(tmp_path: Path) -> None:
    text = GOOD.replace("package: linux-*", "source: linux-*\n    patches: [p1]\n    memory: 300")
    text = text.replace("cmdline: a=b", "fragments: [f]\n    patches: [p2, gone]\n    slowdown: 3")
    images = load_images(write(tmp_path, text))
    first, second = images.kernel("first"), images.kernel("second")
    assert (second.patches, second.fragments) == (["p1", "p2", "gone"], ["f"])
    assert (first.memory, first.slowdown) == (300, 1)
    assert (second.memory, second.slowdown) == (300, 3)
    for name in ("p1", "p2", "f"):
        (tmp_path / name).touch()
    assert images.listed_files("second", "fragments") == [tmp_path / "f"]
    with pytest.raises(ConfigError, match=r":21: kernels.second.patches\[1\]: no such file: gone"):
        images.listed_files("second", "patches")


CASES = {
    "unknown key with a near one": (
        "      finalize: per-vcpu",
        "      finalise: per-vcpu",
        "15: kernels.first.expect.finalise: unknown key; did you mean 'finalize'?; "
        "allowed: accessors, finalize, late_writes, irs",
    ),
    "unknown value": (
        "finalize: per-vcpu",
        "finalize: per-cpu",
        "15: kernels.first.expect.finalize: 'per-cpu' is not allowed; "
        "allowed: per-vcpu, first-created",
    ),
    "unknown key in a kernel": (
        "    package: linux-*",
        "    package: linux-*\n    zzz: 1",
        "14: kernels.first.zzz: unknown key; allowed: package, source, tree, image, like, modules, "
        "modules_package, config, fragments, patches, selftests, cmdline, memory, slowdown, "
        "optional, expect, note",
    ),
    "unknown key at the top": (
        "apt:",
        "hosts: {}\napt:",
        "1: hosts: unknown key; allowed: apt, qemu, config, run, kernels, boards, nightly",
    ),
    "number for text": (
        '  min_version: "11.1"',
        "  min_version: 11.1",
        "4: qemu.min_version: must be text, not 11.1: put it in quotes",
    ),
    "not a version": (
        '"11.1"',
        "eleven",
        "4: qemu.min_version: 'eleven' is not a version; write it like 11.1, in quotes",
    ),
    "text for a list": (
        "  suites: [one]",
        "  suites: one",
        "2: apt.suites: must be a list, not 'one'",
    ),
    "text for a mapping": (
        "      finalize: per-vcpu",
        "      per-vcpu",
        "14: kernels.first.expect: must be a mapping (key: value), not 'per-vcpu'",
    ),
    "not a truth value": (
        "finalize: per-vcpu",
        "accessors: maybe",
        "15: kernels.first.expect.accessors: must be true or false, not 'maybe'",
    ),
    "two kinds": (
        "    package: linux-*",
        "    package: linux-*\n    image: x",
        "12: kernels.first: give exactly one of package, source, tree, image, like "
        "(there: package and image)",
    ),
    "no kind": (
        "    package: linux-*",
        "    note: x",
        "12: kernels.first: give exactly one of package, source, tree, image, like (there: none)",
    ),
    "a key of another kind": (
        "    package: linux-*",
        "    package: linux-*\n    patches: [x]",
        "12: kernels.first: patches goes with source or tree or like, not with package",
    ),
    "a fragment for what is not built": (
        "    like: first",
        "    like: first\n    fragments: [x]",
        "18: kernels.second.fragments: goes with source or tree; first is a package",
    ),
    "less memory than a kernel can boot in": (
        "    package: linux-*",
        "    package: linux-*\n    memory: 64",
        "14: kernels.first.memory: Input should be greater than or equal to 128, not 64",
    ),
    "qemu of two kinds": (
        "      path: qemu",
        "      path: qemu\n      package: x",
        "7: qemu.named.here: give exactly one of path, package",
    ),
    "a missing section": ("config: minimal.config\n", "", "1: config: is missing"),
    "like an unknown name": (
        "    like: first",
        "    like: frist",
        "17: kernels.second.like: unknown name 'frist'; did you mean 'first'?; "
        "use one of: first, second",
    ),
    "like itself": (
        "    like: first",
        "    like: second",
        "17: kernels.second.like: goes round in a circle: second -> second",
    ),
    "an unknown kernel to run": (
        "run: [first]",
        "run: [thirst]",
        "10: run[0]: unknown name 'thirst'; did you mean 'first'?; use one of: first, second",
    ),
    "duplicate key": (
        "  second:",
        "  first:",
        "16: duplicate key 'first' (first on line 12)",
    ),
    "one name for two things": (
        "    here:\n",
        "    here: {path: x}\n    first:\n",
        "13: kernels.first: a QEMU has this name already; allowed: a name of its own",
    ),
    "not YAML": ("run: [first]", "run: [first", "11: not YAML: expected ',' or ']', but got ':'"),
}


@pytest.mark.parametrize("case", CASES)
def test_mistakes(tmp_path: Path, case: str) -> None:
    old, new, expected = CASES[case]
    assert old in GOOD
    assert complaint(write(tmp_path, GOOD.replace(old, new, 1))) == expected


def test_all_mistakes_at_once(tmp_path: Path) -> None:
    text = GOOD.replace("cmdline: a=b", "cmdline: 3").replace("suites: [one]", "suites: []")
    assert complaint(write(tmp_path, text)).splitlines() == [
        "2: apt.suites: must not be empty, not []",
        "18: kernels.second.cmdline: must be text, not 3: put it in quotes",
    ]


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read .*none.yaml: No such file"):
        load_images(tmp_path / "none.yaml")


def test_an_empty_file(tmp_path: Path) -> None:
    assert complaint(write(tmp_path, "# nothing\n")) == "1: the file is empty"


def test_an_endless_alias(tmp_path: Path) -> None:
    assert complaint(write(tmp_path, "a: &x [*x]\n")) == "1: an alias that contains itself"


def test_a_binary_file(tmp_path: Path) -> None:
    file = tmp_path / "images.yaml"
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load_images(file)


def test_unknown_kernel(tmp_path: Path) -> None:
    images = load_images(write(tmp_path, GOOD))
    with pytest.raises(ConfigError, match=r"no kernel 'frist'.*did you mean 'first'") as caught:
        images.kernel("frist")
    assert caught.value.remedy == "use one of: first, second"


def test_a_missing_patch_has_its_line(tmp_path: Path) -> None:
    text = GOOD.replace(
        "    package: linux-*", "    source: linux\n    patches:\n      - gone.patch"
    )
    images = load_images(write(tmp_path, text))
    with pytest.raises(ConfigError) as caught:
        images.file("gone.patch", "kernels", "first", "patches", 0)
    assert caught.value.what == (
        f"{tmp_path}/images.yaml:15: kernels.first.patches[0]: no such file: gone.patch"
    )
