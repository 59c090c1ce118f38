# SPDX-License-Identifier: GPL-2.0-or-later
"""The nightly matrix without a kernel: the plan, what a job left, what has changed."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from browser import SCREENSHOTS, browser
from html_sample import sample

from harness.cli import main
from harness.errors import ConfigError
from harness.nightly.command import earlier_nights, save
from harness.nightly.job import command, read_job
from harness.nightly.night import (
    Change,
    Changes,
    Night,
    Outcome,
    changes,
    exit_code,
    night_facts,
    night_of,
)
from harness.nightly.plan import Variant, plan
from harness.provision import default_images, load_images
from harness.results import jsonl
from harness.results.model import Results

FAMILIES = ("order", "masking")


def images(tmp_path: Path, nightly: str) -> Path:
    path = tmp_path / "images.yaml"
    path.write_text(
        default_images().read_text().partition("\nnightly:")[0] + "\nnightly:\n" + nightly
    )
    return path


def ids(tmp_path: Path, nightly: str, *requested: str) -> list[str]:
    loaded = load_images(images(tmp_path, nightly))
    return [v.id for v in plan(loaded, "20261122", FAMILIES, requested)]


def test_the_matrix_is_a_product(tmp_path: Path) -> None:
    text = "  matrix:\n    - {kernels: [stock, masked], host_cpus: [1, 2], suites: [all, order]}\n"
    assert ids(tmp_path, text) == [
        "stock-1cpu-all", "stock-1cpu-order", "stock-2cpu-all", "stock-2cpu-order",
        "masked-1cpu-all", "masked-1cpu-order", "masked-2cpu-all", "masked-2cpu-order",
    ]  # fmt: skip


def test_a_block_on_request_is_left_out_unless_requested(tmp_path: Path) -> None:
    text = "  matrix:\n    - {kernels: [stock]}\n    - {kernels: [kasan], on_request: slow}\n"
    assert ids(tmp_path, text) == ["stock-1cpu-all"]
    assert ids(tmp_path, text, "slow") == ["stock-1cpu-all", "kasan-1cpu-all"]
    with pytest.raises(ConfigError, match="no block is on_request: fast") as error:
        ids(tmp_path, text, "fast")
    assert "use one of: slow" in str(error.value)


def test_fuzz_seeds_are_new_each_night_or_named(tmp_path: Path) -> None:
    block = "    - {kernels: [masked], suites: [fuzz], fuzz_seconds: 5, seeds: %s}\n"
    path = images(tmp_path, "  matrix:\n" + block % "2")
    new = plan(load_images(path), "20261122", FAMILIES)
    assert [(v.id, v.seed) for v in new] == [
        ("masked-1cpu-fuzz-1", "20261122-1"), ("masked-1cpu-fuzz-2", "20261122-2"),
    ]  # fmt: skip
    assert "--fuzz=5" in command(new[0], path)
    named = plan(load_images(images(tmp_path, "  matrix:\n" + block % "[x]")), "n", FAMILIES)
    assert named[0].seed == "x"


@pytest.mark.parametrize(
    ("nightly", "said"),
    [
        ("  matrix:\n    - {kernels: [stok]}", "did you mean 'stock'"),
        ("  matrix:\n    - {kernels: [stock], qemus: []}", "did you mean 'qemu'"),
        ("  matrix:\n    - {kernels: [stock], host_cpus: [9]}", "nightly.matrix[0].host_cpus[0]"),
        ("  matrix:\n    - {kernels: [stock], suites: [ordre]}", "no family 'ordre'"),
        ("  matrix:\n    - {kernels: [stock, stock]}", "twice: stock-1cpu-all"),
        ("  timeout: 5", "has no `nightly`"),
    ],
)
def test_a_mistake_in_the_matrix_is_named(tmp_path: Path, nightly: str, said: str) -> None:
    with pytest.raises(ConfigError) as e:
        ids(tmp_path, nightly)
    assert said in e.value.what


def test_the_projects_own_matrix(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["nightly", "--plan"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) - 1 >= 12
    assert lines[-1] == f"{len(lines) - 1} variants"


# --- what has changed ---

PASSES = Outcome("v", "k", seconds=10.0, counts={"PASS": 9}, provenance={"kernel": "1"})
FAILS = replace(PASSES, bad={"a/b": ("FAIL", "lost")}, counts={"PASS": 8, "FAIL": 1})
NEWER = {"kernel": "2"}


def night(outcome: Outcome, started: str = "2026-11-22") -> Night:
    return Night(started, 10.0, (outcome,))


def kinds(tonight: Outcome, *earlier: Outcome) -> list[str]:
    found = changes(night(tonight), [night(each) for each in earlier])
    return [kind for kind in ("new", "fixed", "flaky", "slower") if getattr(found, kind)]


def test_new_fixed_flaky() -> None:
    fails, passes = replace(FAILS, provenance=NEWER), replace(PASSES, provenance=NEWER)
    assert kinds(fails, PASSES) == ["new"]
    assert kinds(passes, FAILS) == ["fixed"]
    assert kinds(fails, FAILS) == kinds(passes, PASSES) == []
    assert kinds(FAILS, PASSES) == ["flaky"]  # nothing but the verdict is different
    assert kinds(fails, FAILS, PASSES) == ["flaky"]  # it came, it went, it came
    assert kinds(FAILS) == []  # there is nothing to compare with
    crashes = replace(fails, bad={"a/b": ("CRASH", "oops")})
    assert kinds(crashes, FAILS) == ["new"]
    assert kinds(replace(passes, skipped=("a/b",)), FAILS) == []  # neither fixed nor failing
    assert kinds(fails, replace(PASSES, skipped=("a/b",))) == ["new"]


def test_a_variant_that_did_not_end_has_fixed_nothing() -> None:
    cut = replace(PASSES, provenance=NEWER, trouble="it did not end in order", counts={"PASS": 2})
    assert kinds(cut, FAILS) == []
    assert kinds(replace(FAILS, trouble="it did not end in order"), PASSES) == ["flaky"]
    assert kinds(replace(FAILS, provenance=NEWER), cut, PASSES) == ["new"]


def test_a_new_seed_finds_something_new() -> None:
    assert kinds(replace(FAILS, seed="2"), replace(PASSES, seed="1")) == ["new"]


def test_slower_is_against_the_median_of_some_nights() -> None:
    slow = replace(PASSES, seconds=16.0)
    assert kinds(slow, PASSES) == ["slower"]
    assert kinds(slow, PASSES, PASSES, slow) == ["slower"]
    assert kinds(slow, slow, slow, PASSES) == []
    assert kinds(replace(PASSES, seconds=1.9), replace(PASSES, seconds=0.5)) == []  # noise
    family = replace(PASSES, families={"order": 9.0})
    assert kinds(family, replace(PASSES, families={"order": 1.0})) == ["slower"]


def test_exit_codes() -> None:
    ours = replace(PASSES, trouble="it left no results", code=6, counts={})
    unbuilt = replace(ours, code=5)
    absent = Outcome("v", "k", absent=True)
    new = changes(night(replace(FAILS, provenance=NEWER)), [night(PASSES)])
    for outcome, code in ((PASSES, 0), (FAILS, 1), (ours, 6), (unbuilt, 5), (absent, 0)):
        assert exit_code(night(outcome), Changes()) == code, outcome
    assert exit_code(Night("x", 0, (ours, FAILS)), Changes()) == 1
    assert exit_code(night(FAILS), Changes(), new_only=True) == 0
    assert exit_code(night(FAILS), new, new_only=True) == 1


def test_a_night_is_kept(tmp_path: Path) -> None:
    facts = json.loads(json.dumps(night_facts(night(FAILS), Changes())))
    assert night_of(facts) == night(FAILS)
    for name, text in (("job-2", json.dumps(facts)), ("job-1", "{}"), ("job-0", "nonsense")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "nightly.json").write_text(text)
    assert earlier_nights(tmp_path) == [night(FAILS)]


# --- what a job left ---


def left(job: Path, name: str, results: Results | None) -> None:
    folder = job / "test-results" / f"nightly-{name}"
    (folder / "session").mkdir(parents=True)
    (folder / "stdout").write_text("the last word\n")
    if results is not None:
        (folder / "session" / jsonl.FILE).write_text(jsonl.write(results))


def test_variants_are_read_back(tmp_path: Path) -> None:
    results = sample(tmp_path)
    left(tmp_path, "01-a", results)
    left(tmp_path, "02-x-a", None)
    left(tmp_path, "03-cut", replace(results, seconds=0.0))
    variants = [Variant(name, "k") for name in ("a", "x-a", "cut", "gone")]
    good, nothing, cut, gone = read_job(tmp_path, variants)
    assert good.status == "CRASH"
    assert good.counts == {"PASS": 1, "FAIL": 2, "CRASH": 1, "SKIP": 1, "ERROR": 1}
    assert good.bad["plain/dies"][0] == "CRASH"
    assert good.skipped == ("plain/lacks",)
    assert nothing.status == "ERROR"
    assert "the last word" in nothing.trouble
    assert "did not end in order" in cut.trouble
    assert gone.trouble == "Avocado did not start it"


def test_the_page_of_a_night(tmp_path: Path) -> None:
    results = sample(tmp_path)
    left(tmp_path, "1-a", results)
    (outcome,) = read_job(tmp_path, [Variant("a", "k")])
    tonight, before = Night("2", 9.0, (outcome,)), Night("1", 9.0, (replace(PASSES, id="a"),))
    found = changes(tonight, [before])
    save(tonight, found, [before], tmp_path)
    text = (tmp_path / "nightly.html").read_text()
    for said in (
        "New failures: 4",
        "order/second-first",
        "failures, over the nights",
        "report.html",
    ):
        assert said in text
    with browser() as chromium:
        shown = chromium.new_page(viewport={"width": 390, "height": 844})
        shown.goto((tmp_path / "nightly.html").as_uri())
        shown.screenshot(path=SCREENSHOTS / "nightly-phone.png", full_page=True)
        assert shown.evaluate("document.documentElement.scrollWidth") <= 390
    save(tonight, Changes(), [], tmp_path)
    assert "no night before" in (tmp_path / "nightly.html").read_text()


def test_all_changes_are_on_the_page_and_most_are_folded(tmp_path: Path) -> None:
    new = tuple(Change("a", f"order/{n}", "FAIL", "PASS") for n in range(12))
    save(Night("2"), Changes(new=new), [Night("1")], tmp_path)
    text = (tmp_path / "nightly.html").read_text()
    assert "<summary>2 more</summary>" in text
    assert re.findall(r"<td>(order/\d+)</td>", text) == [each.what for each in new]
