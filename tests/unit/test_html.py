# SPDX-License-Identifier: GPL-2.0-or-later
"""The page, opened in a real browser.  Screenshots are kept in build/screenshots/."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import SCREENSHOTS, browser
from html_sample import sample
from lxml import html
from playwright.sync_api import Browser, Page

from harness.report.verdict import Verdict
from harness.results.formats import load
from harness.results.html import AT_ONCE, page
from harness.results.model import Case, Results
from harness.results.plots import Bar, bars, line, rate

VIEWS = {
    "desktop": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "light"},
    "dark": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 844}, "color_scheme": "light"},
}


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("session")
    sample(folder)
    out = folder / "report.html"
    out.write_text(page(load(folder), folder))
    return out


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as found:
        yield found


def opened(chromium: Browser, report: Path, view: str) -> tuple[Page, list[str]]:
    """The page with everything unfolded, and what it complained of or asked for."""
    said: list[str] = []
    shown = chromium.new_page(**VIEWS[view])
    shown.on("console", lambda message: said.append(message.text))
    shown.on("pageerror", lambda error: said.append(str(error)))
    shown.on("request", lambda request: said.append(request.url))
    shown.goto(report.as_uri())
    shown.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    return shown, said


@pytest.mark.parametrize("view", VIEWS)
def test_the_page_in_a_browser(chromium: Browser, report: Path, view: str) -> None:
    shown, said = opened(chromium, report, view)
    shown.screenshot(path=SCREENSHOTS / f"report-{view}.png", full_page=True)
    assert said == [report.as_uri()]  # self-contained, and no complaint
    width = shown.evaluate("document.documentElement.scrollWidth")
    assert width <= VIEWS[view]["viewport"]["width"]
    text = shown.inner_text("body")
    for verdict in Verdict:
        assert verdict.name in text
    for said_there in (
        "vCPU1, Active of PPIs 0-63", "guest, after its first run", "the guest has not run",
        "leaked: CNTHP(26), PPI(40)", "PMUv3: absent", "dvi-overwritten", "Linux 7.3.4, VHE, 1 CPU",
        "pytest --target=qemu order/second-first", "<one> & 'two'",
    ):  # fmt: skip
        assert said_there in text, said_there
    for map_row in shown.query_selector_all(".maps pre"):  # no map needs to be scrolled
        assert map_row.evaluate("each => each.scrollWidth <= each.clientWidth")


def test_verdicts_and_cells_do_not_need_colour(report: Path) -> None:
    """Each verdict has a word, and each cell of a map a letter of its own."""
    document = html.parse(str(report))
    marks = {(b.get("class"), b.text) for b in document.iter("b") if b.getparent().tag == "pre"}
    assert len({text for _, text in marks}) == len(marks)
    assert {"leaked", "lost", "exposed", "hiddenset"} <= {name for name, _ in marks}
    for span in document.iter("span"):
        if span.get("class") in {verdict.value for verdict in Verdict} and span.text:
            assert re.search(r"\w|[✓✗☠–!]", span.text)


def test_a_console_that_has_a_report_once_more_is_folded(report: Path) -> None:
    document = html.parse(str(report))
    dies, silent = (document.xpath(f"//details[@id='plain/{name}']")[0] for name in
                    ("dies", "silent"))  # fmt: skip
    assert "Kernel report" in [h3.text for h3 in dies.iter("h3")]
    assert [each.text for each in dies.xpath(".//details/summary")] == ["Console"]
    assert "Console" in [h3.text for h3 in silent.iter("h3")]  # there is nothing else to see


def test_what_a_kernel_says_is_not_markup(report: Path) -> None:
    text = report.read_text()
    assert "hello &lt;b&gt;" in text
    assert "hello <b>" not in text
    assert "plain/<one>" not in text


def test_a_session_whose_artefacts_are_gone_has_a_page(report: Path, tmp_path: Path) -> None:
    assert "order/second-first" in page(load(report.parent), tmp_path)


def test_plots_of_nothing_and_of_little() -> None:
    assert bars([], "x") == line([(1, 1)], "x", "s", "s") == ""
    assert "<rect" in bars([Bar("none", (0.0,))], "x")
    assert "polyline" in line([(1, 0), (2, 0)], "x", "s", "s")
    counted = rate([0.1, 0.2, 4.0], buckets=4)
    assert sum(per_second for _, per_second in counted) == pytest.approx(3.0)  # buckets of 1 s


def test_failures_are_by_family_and_all_but_some_are_folded(tmp_path: Path) -> None:
    names = [f"{family}/{n}" for family in ("order", "pmu") for n in range(AT_ONCE)] + ["pmu/last"]
    found = Results("now", "masked", cases=tuple(Case(name, Verdict.FAIL) for name in names))
    document = html.fromstring(page(found, tmp_path))
    shown = {each.get("id") for each in document.xpath("//details[not(ancestor::details)][@id]")}
    assert shown == set(names) - {"pmu/last"}
    (folded,) = document.xpath("//details[@class='more']")
    assert folded.xpath("summary/text()") == ["1 more of pmu"]
    assert folded.xpath("details/@id") == ["pmu/last"]
    for link in document.xpath("//table[@class='families']//a"):
        assert document.xpath(f"//*[@id='{link.get('href')[1:]}']"), link.text
