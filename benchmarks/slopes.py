"""How a cost grows with a size: least-squares lines through what was measured."""

from __future__ import annotations

import math
from collections.abc import Sequence


def slope(sizes: Sequence[float], costs: Sequence[float]) -> float:
    """The exponent that the costs grow with: that of the line through both logarithms.

    >>> round(slope([1, 10, 100], [3.0, 30.0, 300.0]), 3)
    1.0
    """
    return _incline([math.log(size) for size in sizes], [math.log(cost) for cost in costs])


def per_tenfold(sizes: Sequence[float], costs: Sequence[float]) -> float:
    """What a size ten times as large adds to the cost, which a tree of pages makes constant.

    >>> round(per_tenfold([10, 100, 1000], [20.0, 22.0, 24.0]), 3)
    2.0
    """
    return _incline([math.log10(size) for size in sizes], costs)


def _incline(xs: Sequence[float], ys: Sequence[float]) -> float:
    x, y = sum(xs) / len(xs), sum(ys) / len(ys)
    over = sum((a - x) * (b - y) for a, b in zip(xs, ys, strict=True))
    return over / sum((a - x) ** 2 for a in xs)
