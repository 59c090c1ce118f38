# SPDX-License-Identifier: GPL-2.0-or-later
"""The project's own `next`: passed over until the archive has it, then found by itself."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_provision_apt import FakeApt

from harness import cli
from harness.commands import run
from harness.errors import ConfigError, NotInArchive, ProvisionError
from harness.provision import Expect, Provisioner, default_images, load_images

RELEASED = "7.3.4-1~bpo13+1"
OLD = [
    (f"linux-{part}-7.3.4+deb13-cloud-arm64", "arm64", RELEASED)
    for part in ("binary-unsigned", "modules")
] + [("linux-source-7.3", "amd64", RELEASED)]


def later(
    name: str = "7.4.2+deb13", version: str = "7.4.2-1~bpo13+1"
) -> list[tuple[str, str, str]]:
    """What the archive gets with a release."""
    return [
        (f"linux-binary-unsigned-{name}-cloud-arm64", "arm64", version),
        (f"linux-modules-{name}-cloud-arm64", "arm64", version),
        (f"linux-source-{name[:3]}", "amd64", version),
    ]


def provisioner(cache: Path, apt: FakeApt) -> Provisioner:
    return Provisioner(load_images(default_images()), cache, runner=apt)


@pytest.fixture(autouse=True)
def no_mirror_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GICV5_DEBIAN_MIRROR", raising=False)


def test_absent(tmp_path: Path) -> None:
    ours = provisioner(tmp_path, apt := FakeApt(OLD))
    assert not ours.describe("next").absent, "nobody has asked"
    assert ours.default_kernel() == "debian"
    assert apt.calls == [], "the default kernel costs no question"
    assert not ours.is_there("next")
    assert "pkgnames" in apt.calls
    assert ours.describe("next").absent
    assert ours.default_kernel() == "debian"
    with pytest.raises(NotInArchive, match=r"no package linux-binary-unsigned-\{7"):
        ours.kernel("next")


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("7.4.2+deb13", "7.4.2-1~bpo13+1"),
        ("7.4.11+deb14", "7.4.11-3"),
        ("7.10.1+deb13", "7.10.1-1"),
        ("8.0.3+deb14", "8.0.3-1"),
    ],
)
def test_found_by_itself(tmp_path: Path, name: str, version: str) -> None:
    """The names are those of the release before, with other numbers."""
    assert not provisioner(tmp_path, FakeApt(OLD)).is_there("next")
    ours = provisioner(tmp_path, FakeApt([*OLD, *later(name, version)]))
    assert ours.is_there("next")
    assert ours.default_kernel() == "next", "judged first, from now on also without asking"
    found = ours.describe("next")
    assert (found.version, found.absent) == (version, False)
    assert found.resolved == f"linux-binary-unsigned-{name}-cloud-arm64"
    assert found.expect == Expect(accessors=True, late_writes="refused", irs=True)


def test_the_newest_is_taken(tmp_path: Path) -> None:
    archive = [*later(), *later("7.4.10+deb13", "7.4.10-1")]
    ours = provisioner(tmp_path, FakeApt(archive))
    assert ours.is_there("next")
    assert ours.describe("next").version == "7.4.10-1"


def test_released_kernels_stay_what_they_are(tmp_path: Path) -> None:
    ours = provisioner(tmp_path, FakeApt([*OLD, *later()]))
    ours.refresh("debian")
    assert ours.describe("debian").version == RELEASED


def test_without_its_modules_it_is_an_error_not_absent(tmp_path: Path) -> None:
    ours = provisioner(tmp_path, FakeApt([*OLD, later()[0]]))
    with pytest.raises(ProvisionError, match=r"is alone: no package linux-modules-{7"):
        ours.is_there("next")
    assert not ours.describe("next").absent


def test_run_passes_over_what_is_absent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also offline; but a kernel that the user names must be there."""
    judged: list[str] = []
    monkeypatch.setenv("GICV5_CACHE", str(tmp_path))
    monkeypatch.setattr(run, "_pytest", lambda name, _options: judged.append(name) or 0)
    for part in ("qemu", "plugin", "initramfs"):
        monkeypatch.setattr(Provisioner, part, lambda *_: None)
    monkeypatch.setattr(Provisioner, "kernel", lambda *_: None)

    for is_there, code, says in (
        (lambda _self, name: name != "next", 0, "next: passed over: not in the archive yet"),
        (offline, 0, "next: passed over: the archive cannot be asked for it: no network"),
    ):
        judged.clear()
        monkeypatch.setattr(Provisioner, "is_there", is_there)
        assert cli.main(["run"]) == code
        assert judged == ["debian", "stock", "unmasked", "masked"]
        assert says in capsys.readouterr().out
    assert cli.main(["run", "next"]) == 0
    assert judged[-1] == "next"


def offline(_self: Provisioner, name: str) -> bool:
    if name == "next":
        raise ProvisionError("no network", "")
    return True


def test_not_all_may_be_optional(tmp_path: Path) -> None:
    text = default_images().read_text().replace("run: [next, debian, stock, unmasked, masked]",
                                                "run: [next]")  # fmt: skip
    (tmp_path / "images.yaml").write_text(text)
    with pytest.raises(ConfigError, match="all of these are optional"):
        load_images(tmp_path / "images.yaml")


def test_only_what_is_fetched_can_be_optional(tmp_path: Path) -> None:
    text = default_images().read_text().replace("like: masked\n", "image: x\n    optional: true\n")
    (tmp_path / "images.yaml").write_text(text)
    with pytest.raises(ConfigError, match="optional goes with package or source, not with image"):
        load_images(tmp_path / "images.yaml")
