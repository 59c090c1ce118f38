# SPDX-License-Identifier: GPL-2.0-or-later
"""The kill matrix as a picture: one file, readable without colour.

A cell has the number of programs that failed; its frame is bold if the family is the only one that
sees the mutant, and it has a cross if the kernel died or reported something.
"""

from __future__ import annotations

from typing import Final
from xml.sax.saxutils import escape

from harness.mutants.matrix import Matrix, Row, Status

CELL_W: Final = 34
CELL_H: Final = 16
LEFT: Final = 230  # for the mutants' names
TOP: Final = 110  # for the families' names
RIGHT: Final = 90  # for the fuzzer's column
_SHADES: Final = ((1, "#dfe8f5"), (5, "#b9cdea"), (20, "#8caedd"), (80, "#5f8ecf"))


def svg(matrix: Matrix) -> str:
    """The whole document."""
    families = list(matrix.families)
    width = LEFT + CELL_W * len(families) + RIGHT + 10
    height = TOP + CELL_H * len(matrix.rows) + 34
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="11">',
        "<title>Which family kills which mutant</title>",
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
    ]
    for column, family in enumerate([*families, *(["fuzzer"] if matrix.fuzzed else [])]):
        x = LEFT + CELL_W * column + CELL_W // 2 + 4 + (8 if family == "fuzzer" else 0)
        out.append(
            f'<text transform="translate({x},{TOP - 6}) rotate(-55)">{escape(family)}</text>'
        )
    for line, row in enumerate(matrix.rows):
        out += _row(row, families, TOP + CELL_H * line)
    y = TOP + CELL_H * len(matrix.rows) + 20
    out.append(
        f'<text x="8" y="{y}" font-size="10">number: programs that fail; bold frame: no other '
        "family sees it; &#215;: the kernel died or reported something"
        + ("; fuzzer: programs until the first finding" if matrix.fuzzed else "")
        + "</text>"
    )
    return "\n".join([*out, "</svg>", ""])


def _row(row: Row, families: list[str], y: int) -> list[str]:
    base = y + CELL_H - 4
    bold = ' font-weight="bold"' if row.suite is not Status.KILLED else ""
    note = "" if row.suite is Status.KILLED else f" ({row.suite.value})"
    out = [
        f'<text x="8" y="{base}"{bold}>{escape(row.mutant.name)}{note}'
        f"<title>{escape(row.mutant.breaks)}</title></text>"
    ]
    for column, family in enumerate(families):
        out += _cell(row, family, LEFT + CELL_W * column, y)
    x = LEFT + CELL_W * len(families) + 8
    kill = row.result.fuzz.kill if row.result.fuzz else None
    text = str(kill.number) if kill else ("" if row.fuzz is Status.NOT_RUN else row.fuzz.value)
    out.append(f'<text x="{x + 4}" y="{base}">{text}</text>')
    return out


def _cell(row: Row, family: str, x: int, y: int) -> list[str]:
    count = row.failed.get(family, 0) + row.crashed.get(family, 0)
    if not count:
        return [
            f'<rect x="{x}" y="{y}" width="{CELL_W}" height="{CELL_H}" fill="none" '
            'stroke="#dddddd"/>'
        ]
    fill = [shade for least, shade in _SHADES if count >= least][-1]
    alone = row.families == (family,)
    frame = 'stroke="#000000" stroke-width="2"' if alone else 'stroke="#999999"'
    inset = 1 if alone else 0
    cross = "&#215;" if family in row.crashed else ""
    return [
        f'<rect x="{x + inset}" y="{y + inset}" width="{CELL_W - 2 * inset}" '
        f'height="{CELL_H - 2 * inset}" fill="{fill}" {frame}/>',
        f'<text x="{x + CELL_W // 2}" y="{y + CELL_H - 4}" text-anchor="middle">'
        f"{count}{cross}</text>",
    ]
