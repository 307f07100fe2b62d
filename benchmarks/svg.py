"""Lines with bands on a logarithmic axis, as SVG; no library for it is among the dependencies."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

_WIDTH, _HEIGHT = 760, 420
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 230, 40, 50

#: Okabe and Ito's colours, which people with any colour vision can tell apart.
COLOURS = ("#999999", "#56b4e9", "#0072b2", "#009e73", "#e69f00", "#cc79a7", "#d55e00", "#000000", "#f0e442")


@dataclass(frozen=True)
class Line:
    """One line; None where it has no value. ``lower`` and ``upper`` are the ends of its band."""

    name: str
    lower: Sequence[float | None]
    middle: Sequence[float | None]
    upper: Sequence[float | None]
    colour: str
    band: bool = True


def chart(title: str, xs: Sequence[float], lines: Sequence[Line], *, x_label: str, y_label: str, floor: float) -> str:
    """Return the drawing. What is below ``floor`` is drawn there: zero has no logarithm."""
    values = [max(floor, v) for line in lines for v in (*line.lower, *line.middle) if v is not None]
    low, high = math.log10(min(values, default=floor)), math.log10(max(values, default=10 * floor))
    low, high = math.floor(low * 3) / 3, max(math.ceil(high * 3) / 3, math.floor(low * 3) / 3 + 1 / 3)

    def x(value: float) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * value / max(xs)

    def y(value: float) -> float:
        share = (math.log10(min(max(value, 10**low), 10**high)) - low) / (high - low)
        return _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * share

    def points(at: Sequence[float], values: Sequence[float | None]) -> str:
        known = zip(at, values, strict=True)
        return " ".join(f"{x(place):.1f},{y(value):.1f}" for place, value in known if value is not None)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>',
        f'<text x="{_LEFT}" y="22" font-size="15">{escape(title)}</text>',
        f'<text x="{_LEFT}" y="{_HEIGHT - 12}" font-size="12">{escape(x_label)}</text>',
        f'<text x="16" y="{_HEIGHT - _BOTTOM}" font-size="12" transform="rotate(-90 16 {_HEIGHT - _BOTTOM})">'
        f"{escape(y_label)}</text>",
    ]
    for tick in range(math.ceil(low * 3), math.floor(high * 3) + 1):
        value = float(f"{10 ** (tick / 3):.1g}")
        parts.append(f'<path d="M{_LEFT} {y(value):.1f}H{_WIDTH - _RIGHT}" stroke="#dddddd"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y(value) + 4:.1f}" font-size="11" text-anchor="end">{value:g}</text>')
    for quarter in range(5):
        value = max(xs) * quarter / 4
        place = f'x="{x(value):.1f}" y="{_HEIGHT - _BOTTOM + 16}"'
        parts.append(f'<text {place} font-size="11" text-anchor="middle">{value:g}</text>')
    for line in lines:
        if line.band:
            known = [place for place, value in zip(xs, line.upper, strict=True) if value is not None]
            lower = [value for value, above in zip(line.lower, line.upper, strict=True) if above is not None]
            upper = [value for value in line.upper if value is not None]
            around = f"{points(known, upper)} {points(known[::-1], lower[::-1])}"
            parts.append(f'<polygon points="{around}" fill="{line.colour}" fill-opacity="0.18"/>')
    for place, line in enumerate(lines):
        drawn = f'stroke="{line.colour}" stroke-width="2" fill="none"'
        parts.append(f'<polyline points="{points(xs, line.middle)}" {drawn}/>')
        height = _TOP + 20 * place
        parts.append(f'<path d="M{_WIDTH - _RIGHT + 14} {height}h22" {drawn}/>')
        parts.append(f'<text x="{_WIDTH - _RIGHT + 42}" y="{height + 4}" font-size="12">{escape(line.name)}</text>')
    return "\n".join([*parts, "</svg>", ""])
