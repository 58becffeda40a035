"""The figures that are shown: what is beside each, and the goal that it has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from benchmarks.contest import Laps, Spread, spread


class Goal(NamedTuple):
    """What a figure, or its ratio to what is beside it, must come to."""

    limit: float
    at_least: bool = True
    of_ratio: bool = True

    def is_met(self, figure: Spread, ratio: Spread | None) -> bool:
        """Whether the median reaches it."""
        found = ratio if self.of_ratio else figure
        if found is None:
            return False
        return found.median >= self.limit if self.at_least else found.median <= self.limit


class Source(NamedTuple):
    """Where a figure is: the contest, the part and the name; `scale` brings it to its unit."""

    contest: str
    part: str
    figure: str = "rate"
    scale: float = 1.0

    def of(self, laps: Laps) -> list[float]:
        return [self.scale * lap[self.part][self.figure] for lap in laps]


class Row(NamedTuple):
    """One line of the table: perdure's figure, and another of the same contest beside it."""

    name: str
    what: str
    unit: str
    mine: Source
    beside: str = ""
    other: Source | None = None
    goal: Goal | None = None


class Outcome(NamedTuple):
    """A line with its figures: the ratio is taken within each lap."""

    row: Row
    mine: Spread
    other: Spread | None
    ratio: Spread | None

    @property
    def is_met(self) -> bool | None:
        """Whether its goal is met; None for a line that has none."""
        return None if self.row.goal is None else self.row.goal.is_met(self.mine, self.ratio)


def outcome(row: Row, contests: dict[str, Laps]) -> Outcome:
    """The figures of a line."""
    laps = contests[row.mine.contest]
    mine = row.mine.of(laps)
    if row.other is None:
        return Outcome(row, spread(mine), None, None)
    other = row.other.of(laps)
    ratios = [a / b for a, b in zip(mine, other, strict=True)]
    return Outcome(row, spread(mine), spread(other), spread(ratios))


def outcomes(rows: Sequence[Row], contests: dict[str, Laps]) -> list[Outcome]:
    """The figures of all lines whose contest was held."""
    return [outcome(row, contests) for row in rows if row.mine.contest in contests]


def summary(found: Outcome) -> dict[str, Any]:
    """A line as results.json has it."""
    row = found.row
    return {
        "name": row.name,
        "what": row.what,
        "unit": row.unit,
        "perdure": found.mine._asdict(),
        "beside": row.beside,
        "other": found.other and found.other._asdict(),
        "ratio": found.ratio and found.ratio._asdict(),
        "goal": row.goal and row.goal._asdict(),
        "met": found.is_met,
    }
