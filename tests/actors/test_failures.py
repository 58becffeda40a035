"""A recorded failure is given back as something that the same `except` clause catches."""

from __future__ import annotations

import json
from typing import Any

import pytest

from perdure import message
from perdure.actors.failures import failure_of
from perdure.actors.particulars import Particulars, read, recorded
from perdure.actors.replay.failures import raised_again
from perdure.errors import AskTimeout, Crashed, Deadlock, Reject, StepCancelled, StepFailed
from perdure.ledger.messages import Names
from perdure.ledger.steprecords import ABANDONED, CANCELLED
from perdure.ledger.values import Codec
from perdure.limits import MESSAGE_BYTES_MAX


class Odd(Exception):
    """An exception that wants to be made in a way of its own."""

    def __init__(self, code: int, *, reason: str) -> None:
        super().__init__(f"{code} {reason}")
        self.code = code


def raised(error: Exception) -> Exception:
    return failure_of(*read(recorded(error, Codec()), Codec()))


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


@pytest.mark.parametrize("again", [failure_of, raised_again])
@pytest.mark.parametrize("kind", ["Crashed", "AskTimeout", "Deadlock", "Reject"])
def test_outcomes_of_our_own_have_their_text_as_their_argument(kind: str, again: Any) -> None:
    assert again(kind, "text").args == ("text",)


class Foreign:
    """Classes that are named as those of perdure are."""

    class Reject(Exception):
        pass


Foreign.Reject.__qualname__ = "Reject"


@pytest.mark.parametrize("again", [failure_of, raised_again])
def test_a_class_that_is_named_as_one_of_our_own_comes_back_as_itself(
    again: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(globals(), "Reject", Foreign.Reject)
    error = again(*read(recorded(Foreign.Reject("no such card"), Codec()), Codec()))
    assert isinstance(error, Foreign.Reject)
    assert error.args == ("no such card",)


def test_a_cancelled_step_is_a_timeout() -> None:
    assert isinstance(failure_of(CANCELLED, "text"), TimeoutError)


# --- what a handler looks at beside the class and the text


class Slotted(Exception):
    __slots__ = ("code",)


def test_a_failure_has_the_arguments_and_attributes_that_were_raised() -> None:
    error = Odd(7, reason="strange")
    error.pages, error.socket = [1, 2], object()  # type: ignore[attr-defined]
    again: Any = raised(error)
    assert (again.args, again.code, again.pages) == (error.args, 7, [1, 2])
    assert not hasattr(again, "socket")


@pytest.mark.parametrize(
    ("error", "names"),
    [
        (OSError(2, "No such file", "a.txt"), ["errno", "strerror", "filename"]),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"), ["encoding", "object", "start", "end"]),
        (SyntaxError("bad", ("a.py", 3, 1, "x = (")), ["msg", "filename", "lineno"]),
        (json.JSONDecodeError("Expecting value", "x", 0), ["msg", "doc", "pos", "lineno"]),
        (ImportError("no", name="n", path="p"), ["msg", "name", "path"]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_a_class_keeps_in_its_own_way_is_there_too(error: Any, names: list[str]) -> None:
    again: Any = raised(error)
    assert again.args == error.args
    assert [getattr(again, name) for name in names] == [getattr(error, name) for name in names]


def test_slots_are_attributes() -> None:
    error = Slotted("x")
    error.code = 3
    again: Any = raised(error)
    assert (again.code, str(again)) == (3, "x")


def test_arguments_end_before_the_first_that_cannot_be_stored() -> None:
    assert raised(ValueError(404, object(), "more")).args == (404,)
    assert raised(ValueError(object())).args == ()


def test_a_class_may_have_a_kind_and_a_text_of_its_own() -> None:
    class_ = type("Named", (Odd,), {"__module__": __name__, "__qualname__": "Odd"})
    error: Any = class_(7, reason="strange")
    error.kind, error.text = "network", "other"
    again: Any = raised(error)
    assert (again.kind, again.text, str(again)) == ("network", "other", "7 strange")
    gone: Any = failure_of(
        "Gone.Error", "who knows", "no_such_module", Particulars(("a",), {"text": "x"})
    )
    assert (gone.text, gone.args, str(gone)) == ("who knows", ("a",), "who knows")


def test_attributes_of_a_class_that_is_gone_leave_the_failure_without_them() -> None:
    noted = message("tests.failures.noted")(type("Noted", (), {"__annotations__": {"page": str}}))
    error = ValueError("x")
    error.page = noted("a")  # type: ignore[attr-defined]
    value = recorded(error, Codec())
    assert len(read(value, Codec())) == 4
    assert read(value, Codec(Names())) == ("ValueError", "x", "builtins")


def test_a_failure_that_is_too_large_as_a_whole_has_its_class_and_text() -> None:
    error = ValueError("x")
    for name in "abc":
        setattr(error, name, "y" * (MESSAGE_BYTES_MAX // 2))
    assert read(recorded(error, Codec()), Codec()) == ("ValueError", "x", "builtins")
