"""Marks: a closed turn names its point of the run; a turn that does not close names nothing."""

from __future__ import annotations

from typing import Any

import pytest

from perdure import Actor, Child, Reject
from perdure.actors import marking
from perdure.errors import Refused, UsageError
from perdure.ledger.keys import Table, mark_id
from perdure.ledger.memory import MemoryStore
from perdure.runtime.points import point
from perdure.runtime.view import View
from tests.kit import SECONDS, on_kernel, program, rows, running, settle


class Marker(Actor, name="tests.marking.marker"):
    """Marks what it is told, then may fail."""

    async def on_receive(self, message: tuple[list[str], str]) -> None:
        names, then = message
        for name in names:
            self.mark(name)
        if then == "crash":
            raise ValueError(names)
        if then == "reject":
            raise Reject(names)


class Blocking(Actor, name="tests.marking.blocking"):
    """Marks in a pool thread."""

    def on_receive(self, message: str) -> str:
        self.mark(message)
        return "marked"


def marks(store: MemoryStore) -> dict[tuple[int, str], int]:
    return {mark_id(key): int.from_bytes(raw, "big") for key, raw in rows(store, Table.MARK)}


def marked(run: Any, names: list[str], then: str = "", to: str = "/r/a") -> None:
    run.ask(to, (names, then), timeout=SECONDS)


def test_a_mark_names_a_point_of_the_run_and_of_the_actor_that_set_it() -> None:
    store = MemoryStore()
    with running(program(Child("a", Marker), Child("b", Marker)), store) as run:
        marked(run, ["draft"])
        marked(run, ["draft"], to="/r/b")
        a, b = (on_kernel(run, run.kernel.book.find, f"/r/{name}") for name in "ab")
    view = View(store.reopened())
    found = [record.seq for record in view.records() if getattr(record.body, "marks", ())]
    assert len(found) == 2
    assert marks(store) == {(a, "draft"): found[0], (b, "draft"): found[1], (0, "draft"): found[1]}
    assert point(view, "draft") == found[1]


def test_a_mark_that_is_set_again_moves() -> None:
    store = MemoryStore()
    with running(program(Child("a", Marker)), store) as run:
        marked(run, ["here", "there", "here"])
        first = dict(marks(store))
        marked(run, ["here"])
    after = marks(store)
    assert {name for _, name in after} == {"here", "there"}
    assert all(after[key] > first[key] for key in after if key[1] == "here")
    assert all(after[key] == first[key] for key in after if key[1] == "there")


@pytest.mark.parametrize("then", ["crash", "reject"])
def test_a_turn_that_does_not_close_marks_nothing(then: str) -> None:
    store = MemoryStore()
    with running(program(Child("a", Marker, attempts_max=1)), store) as run:
        run.tell("/r/a", (["draft"], then)).get(timeout=SECONDS)
        settle(run)
    assert marks(store) == {}


def test_a_def_handler_marks_too() -> None:
    store = MemoryStore()
    with running(program(Child("a", Blocking)), store) as run:
        assert run.ask("/r/a", "draft", timeout=SECONDS) == "marked"
    assert {name for _, name in marks(store)} == {"draft"}


class Careful(Actor, name="tests.marking.careful"):
    """Answers with what a mark is refused for."""

    async def on_receive(self, message: list[str]) -> str:
        try:
            for name in message:
                self.mark(name)
        except (Refused, UsageError) as error:
            return f"{type(error).__name__}: {error}"
        return ""


@pytest.mark.parametrize(
    ("names", "text"),
    [
        (["17"], "UsageError: mark('17'): a number or a time would be taken for a record's"),
        (["-1"], "UsageError: mark('-1'): a number"),
        (["1.5"], "UsageError: mark('1.5'): a number"),
        (["00:00.02"], "UsageError: mark('00:00.02'): a number"),
        (["2026-05-01"], "UsageError: mark('2026-05-01'): a number"),
        (["+draft"], "UsageError: mark('+draft'): a number"),
        ([""], "UsageError: '' cannot name an actor"),
        (["a" * 129], "has 129 of at most 128 bytes"),
        ([f"m{n}" for n in range(101)], "Refused: the turn of /r/a sets more than 100 marks"),
    ],
)
def test_what_cannot_be_a_mark_is_refused_in_the_handler(names: list[str], text: str) -> None:
    with running(program(Child("a", Careful))) as run:
        assert text in run.ask("/r/a", names, timeout=SECONDS)


def test_an_actor_has_a_bounded_number_of_marks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(marking, "ACTOR_MARKS_MAX", 2)
    with running(program(Child("a", Careful), Child("b", Careful))) as run:
        assert run.ask("/r/a", ["one", "two"], timeout=SECONDS) == ""
        refusal = run.ask("/r/a", ["three"], timeout=SECONDS)
        assert "/r/a has 2 marks, and 2 is the most" in refusal
        assert run.ask("/r/a", ["two"], timeout=SECONDS) == ""  # an old name moves
        assert run.ask("/r/b", ["three"], timeout=SECONDS) == ""
