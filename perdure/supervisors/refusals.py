"""The errors of specs: a text for people, and `why`: OTP's answer in the same place, as data."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from perdure.errors import UsageError

Term = Any  # text, a number, or a tuple of these whose first says what it is

_WHY = {
    "restart": "invalid_restart_type",
    "type": "invalid_child_type",
    "actor": "invalid_mfa",
    "data": "invalid_child_spec",
}
"""OTP's words, where they are not `invalid_<field>`."""


class BadSpec(UsageError):
    """A spec cannot be what it is. `why` is OTP's error: a word, or a tuple of a word and values.

    >>> BadSpec("…", ("invalid_intensity", -1), "supervisor_data").of_start
    ('supervisor_data', ('invalid_intensity', -1))
    """

    def __init__(self, text: str, why: Term, place: str = "start_spec") -> None:
        super().__init__(text)
        self.why = why
        self.place = place

    @property
    def of_start(self) -> Term:
        """The error as a supervisor's own start tells it: flags and specs apart."""
        return (self.place, self.why) if self.place else self.why


def refusal(who: str, field: str, got: object, allowed: str) -> BadSpec:
    """The error of a field that cannot be what it is."""
    place = "supervisor_data" if who == "supervisor" else "start_spec"
    text = f"{who}: {field} is {got!r}. Allowed: {allowed}."
    return BadSpec(text, (_WHY.get(field, f"invalid_{field}"), got), place)


def missing(who: str, field: str, why: str, allowed: str) -> BadSpec:
    """The error of a field that must be there."""
    return BadSpec(f"{who}: {field} is None. Allowed: {allowed}.", why)


def unknown_key(who: str, key: object, allowed: Iterable[str]) -> BadSpec:
    """The error of a key that the data of a spec does not have."""
    place = "supervisor_data" if who == "supervisor" else "start_spec"
    text = f"{who}: no field {key!r}. Allowed: {', '.join(allowed)}."
    return BadSpec(text, (_WHY["data"], key), place)


def bad_combination(text: str, *pair: tuple[str, object]) -> BadSpec:
    """The error of two fields that do not go together."""
    return BadSpec(text, ("bad_combination", list(pair)))
