"""The plot: for each row, how much of all answers was generated and how much people saw, over time (SVG)"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bench.figures import Cost, Figures
from bench.rows import Row

__all__ = ["draw"]

_WIDTH, _HEIGHT, _LEFT, _GAP = 620, 150, 50, 60
_COLOURS = {"generated": "#9a9a9a", "floor": "#d1822f", "magpie": "#1f6fb2"}


def draw(rows: Mapping[str, tuple[Row, Mapping[str, tuple[Figures, Cost]]]]) -> str:
    """Panels one below the other."""
    panels = [_panel(number, title, row, measured) for number, (title, (row, measured)) in enumerate(rows.items())]
    width, height = _WIDTH + 2 * _LEFT, len(panels) * (_HEIGHT + _GAP) + _GAP
    names = "".join(
        f'<text x="{_LEFT + 130 * at}" y="20" fill="{colour}">{name}</text>'
        for at, (name, colour) in enumerate(_COLOURS.items())
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" '
        f'font-size="12"><rect width="100%" height="100%" fill="#fff"/>{names}{"".join(panels)}</svg>\n'
    )


def _panel(number: int, title: str, row: Row, measured: Mapping[str, tuple[Figures, Cost]]) -> str:
    figures = {name: seen for name, (seen, _) in measured.items()}
    top = _GAP + number * (_HEIGHT + _GAP)
    steps = max(len(each.seen) for each in figures.values())
    lines = {"generated": max((each.said for each in figures.values()), key=len)}
    lines |= {name: each.seen for name, each in figures.items()}
    curves = "".join(
        f'<polyline fill="none" stroke="{_COLOURS[name]}" stroke-width="1.5" points="{_points(values, steps, top)}"/>'
        for name, values in lines.items()
    )
    bottom, right = top + _HEIGHT, _LEFT + _WIDTH
    return (
        f'<text x="{_LEFT}" y="{top - 8}">{title.split()[0]}: {row}</text>'
        f'<path d="M{_LEFT} {top}V{bottom}H{right}" fill="none" stroke="#333"/>'
        f'<text x="{_LEFT - 8}" y="{top + 10}" text-anchor="end">100%</text>'
        f'<text x="{right}" y="{bottom + 16}" text-anchor="end">{steps / 10:.0f} s</text>{curves}'
    )


def _points(values: Sequence[float], steps: int, top: int) -> str:
    """A line that goes on at its last height to the end."""
    padded = [*values, *[values[-1]] * (steps - len(values))]
    return " ".join(
        f"{_LEFT + _WIDTH * at / max(1, steps - 1):.1f},{top + _HEIGHT * (1 - value):.1f}"
        for at, value in enumerate(padded)
    )
