# SPDX-License-Identifier: GPL-2.0-or-later
"""Plots as SVG, made for a page without scripts: every bar and line is labelled in words, too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

WIDTH: Final = 640
BAR: Final = 18
LABEL: Final = 220
VALUE: Final = 90
HEIGHT: Final = 150
MARGIN: Final = 40


@dataclass(frozen=True, slots=True)
class Bar:
    """One row: ``parts`` are stacked; ``text`` stands behind them."""

    label: str
    parts: tuple[float, ...]
    text: str = ""


def bars(rows: Sequence[Bar], title: str) -> str:
    """Horizontal bars on one scale.  Empty for no rows."""
    if not rows:
        return ""
    longest = max(sum(row.parts) for row in rows) or 1.0
    scale = (WIDTH - LABEL - VALUE) / longest
    out = [_open(len(rows) * BAR, title)]
    for number, row in enumerate(rows):
        y = number * BAR
        out.append(
            f'<text x="{LABEL - 6}" y="{y + 13}" text-anchor="end">{escape(row.label)}</text>'
        )
        x = float(LABEL)
        for part, value in enumerate(row.parts):
            width = value * scale
            out.append(
                f'<rect class="p{part % 3}" x="{x:.1f}" y="{y + 3}" width="{width:.1f}" '
                f'height="{BAR - 6}"/>'
            )
            x += width
        out.append(f'<text x="{x + 6:.1f}" y="{y + 13}">{escape(row.text)}</text>')
    return "".join([*out, "</svg>"])


def line(points: Sequence[tuple[float, float]], title: str, x_unit: str, y_unit: str) -> str:
    """One line through points in the order of x; y from 0.  Empty for fewer than two points."""
    if len(points) < 2:
        return ""
    left, right = points[0][0], points[-1][0]
    top = max(y for _, y in points) or 1.0
    wide, high = (WIDTH - 2 * MARGIN) / ((right - left) or 1.0), (HEIGHT - MARGIN) / top

    def place(x: float, y: float) -> str:
        return f"{MARGIN + (x - left) * wide:.1f},{HEIGHT - MARGIN / 2 - y * high:.1f}"

    path = " ".join(place(x, y) for x, y in points)
    dots = "".join(
        '<circle r="2.5" cx="{}" cy="{}"/>'.format(*place(x, y).split(",")) for x, y in points
    )
    base = HEIGHT - MARGIN / 2
    return (
        _open(HEIGHT, title)
        + f'<path class="axis" d="M{MARGIN},8 V{base} H{WIDTH - MARGIN}"/>'
        + f'<polyline points="{path}"/>'
        + (dots if len(points) <= 60 else "")
        + f'<text x="{MARGIN + 4}" y="14">{top:.3g} {escape(y_unit)}</text>'
        + f'<text x="{MARGIN}" y="{HEIGHT - 4}">{left:.3g}</text>'
        + f'<text x="{WIDTH - MARGIN}" y="{HEIGHT - 4}" text-anchor="end">'
        + f"{right:.3g} {escape(x_unit)}</text></svg>"
    )


def rate(ends: Sequence[float], buckets: int = 40) -> list[tuple[float, float]]:
    """Events per second over time, from the times at which they ended, in seconds."""
    if not ends or max(ends) <= 0:
        return []
    width = max(ends) / buckets
    counts = [0] * buckets
    for end in ends:
        counts[min(buckets - 1, int(end / width))] += 1
    return [((i + 0.5) * width, count / width) for i, count in enumerate(counts)]


def _open(height: float, title: str) -> str:
    return (
        f'<svg class="plot" viewBox="0 0 {WIDTH} {height:.0f}" role="img" '
        f'aria-label="{escape(title)}"><title>{escape(title)}</title>'
    )
