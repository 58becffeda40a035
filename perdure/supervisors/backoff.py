"""How long a message waits before it is tried again: `Backoff`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from perdure.limits import BACKOFF_FACTOR, BACKOFF_FIRST_SECONDS, BACKOFF_SECONDS_MAX
from perdure.supervisors import checks
from perdure.supervisors.fields import fields_of, store
from perdure.supervisors.refusals import refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """How long a message waits before it is tried again: `first`, growing by `factor` to `max`.

    `first` and `max` are seconds. `jitter` is the share of each wait that chance may take away:
    0.0 none of it, 1.0 all. It keeps those that failed together from coming back together; the
    chance is that of the run's seed. Raises `UsageError` for values that make no sense.

    >>> backoff = Backoff(first=0.5, factor=2.0, max=3.0)
    >>> [backoff.seconds(crashes) for crashes in (1, 2, 3, 4)]
    [0.5, 1.0, 2.0, 3.0]
    """

    first: float = BACKOFF_FIRST_SECONDS
    factor: float = BACKOFF_FACTOR
    max: float = BACKOFF_SECONDS_MAX
    jitter: float = 0.0

    def __post_init__(self) -> None:
        store(self, checks.check_all("backoff", fields_of(self), _CHECKS))
        _first_and_max("backoff", self.first, self.max)

    def seconds(self, crashes: int) -> float:
        """The wait after that many crashes in a row on one message; none before the first."""
        if crashes < 1 or self.first == 0.0:
            return 0.0
        try:
            return min(self.max, self.first * self.factor ** (crashes - 1))
        except OverflowError:
            return self.max

    def to_data(self) -> dict[str, Any]:
        """The back-off as plain data."""
        return fields_of(self)

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Backoff:
        """The back-off that `to_data` wrote, or that a scenario says; raises `UsageError`."""
        return cls(**checks.known_keys("backoff", data, _CHECKS))


def _first(who: str, value: object) -> float:
    return checks.number(who, "backoff.first", value, 0.0, "seconds from 0")


def _factor(who: str, value: object) -> float:
    return checks.number(who, "backoff.factor", value, 1.0, "numbers from 1")


def _max(who: str, value: object) -> float:
    return checks.number(who, "backoff.max", value, 0.0, "seconds from backoff.first")


def _jitter(who: str, value: object) -> float:
    allowed = "shares from 0.0 to 1.0"
    share = checks.number(who, "backoff.jitter", value, 0.0, allowed)
    if share > 1.0:
        raise refusal(who, "backoff.jitter", value, allowed)
    return share


def _first_and_max(who: str, first: float, maximum: float) -> None:
    """A back-off grows, so it ends no lower than it starts."""
    if first > maximum:
        raise refusal(who, "backoff.max", maximum, f"seconds from backoff.first ({first})")


_CHECKS: dict[str, Callable[[str, Any], Any]] = {
    "first": _first,
    "factor": _factor,
    "max": _max,
    "jitter": _jitter,
}
