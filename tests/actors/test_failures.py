"""A recorded failure is given back as something that the same `except` clause catches."""

from __future__ import annotations

import json

import pytest

from perdure.actors.failures import failure_of, recorded
from perdure.errors import AskTimeout, Crashed, Deadlock, Reject, StepCancelled, StepFailed
from perdure.ledger.steprecords import ABANDONED, CANCELLED


class Odd(Exception):
    """An exception that wants to be made in a way of its own."""

    def __init__(self, code: int, *, reason: str) -> None:
        super().__init__(f"{code} {reason}")
        self.code = code


def raised(error: Exception) -> Exception:
    return failure_of(*recorded(error))


@pytest.mark.parametrize(
    "error",
    [
        ValueError("no such page"),
        OSError(2, "No such file"),
        KeyError("page"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
        json.JSONDecodeError("Expecting value", "x", 0),
        Odd(7, reason="strange"),
        TimeoutError("too long"),
        SyntaxError("bad"),
        ExceptionGroup("several", [ValueError("one")]),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_failure_is_of_the_class_that_was_raised_and_a_recorded_one(error: Exception) -> None:
    again = raised(error)
    assert isinstance(again, type(error))
    assert isinstance(again, StepFailed)
    assert (again.kind, again.text) == (type(error).__qualname__, str(error))
    assert str(again) == str(error)


def test_a_class_that_is_not_there_any_more_leaves_its_name() -> None:
    again = failure_of("Gone.Error", "who knows", "no_such_module")
    assert type(again) is StepFailed
    assert (again.kind, str(again)) == ("Gone.Error", "who knows")


def test_a_class_of_a_function_leaves_its_name() -> None:
    class Local(Exception):
        pass

    again = raised(Local("inside"))
    assert type(again) is StepFailed


@pytest.mark.parametrize(
    ("kind", "cls"),
    [
        ("Crashed", Crashed),
        ("AskTimeout", AskTimeout),
        ("Deadlock", Deadlock),
        ("Reject", Reject),
        (CANCELLED, StepCancelled),
        (ABANDONED, StepCancelled),
    ],
)
def test_outcomes_of_our_own_come_back_as_themselves(kind: str, cls: type[Exception]) -> None:
    assert type(failure_of(kind, "text")) is cls


def test_a_cancelled_step_is_a_timeout() -> None:
    assert isinstance(failure_of(CANCELLED, "text"), TimeoutError)
