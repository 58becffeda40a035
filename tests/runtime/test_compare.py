"""Compare: what changed between two points, and from one run to another of the same beginning."""

from __future__ import annotations

from typing import Any

import pytest

from perdure import Actor, Child, Reject, field, message
from perdure.errors import UsageError
from perdure.ledger.jsondiff import ABSENT, Difference
from perdure.ledger.memory import MemoryStore
from perdure.ledger.records import Birth, Turn
from perdure.runtime.compare import ActorChange, Changes, shared
from perdure.runtime.view import View
from tests.kit import SECONDS, program, resumed, running, settle
from tests.lived import lived


@message("tests.compare.put")
class Put:
    key: str
    value: int


class Table(Actor):
    rows: dict[str, int] = field(default_factory=dict)

    async def on_receive(self, message: Put) -> None:
        if message.key == "spawn":
            self.spawn(Table, f"t{message.value}")
            return
        if message.key == "reject":
            raise Reject
        if message.key == "nobody":
            self.tell("/r/nobody", message)
            await self.artifact("said.txt", f"{message.value}")
        self.rows[message.key] = message.value


TREE = program(Child("one", Table), Child("two", Table))


def put(store: MemoryStore, *puts: tuple[str, str, int], resume: bool = False) -> MemoryStore:
    """The ledger after these were put, by a new process if the run is to be taken up."""
    with (resumed if resume else running)(TREE, store) as run:
        for to, key, value in puts:
            run.tell(to, Put(key, value)).get(timeout=SECONDS)
            settle(run)
    return store.reopened()


@pytest.fixture(scope="module")
def first() -> MemoryStore:
    return put(MemoryStore(), ("/r/one", "a", 1), ("/r/two", "a", 1))


@pytest.fixture(scope="module")
def parted(first: MemoryStore) -> tuple[View, View]:
    """Two runs that share the records of `first`, and went on each in its way."""
    left = put(first.reopened(), ("/r/one", "b", 2), ("/r/two", "a", 5), resume=True)
    right = put(
        first.reopened(),
        *(("/r/one", "b", 3), ("/r/one", "nobody", 4), ("/r/two", "a", 5), ("/r/two", "spawn", 1)),
        resume=True,
    )
    return View(left), View(right)


def head(view: View) -> int:
    return view.head.seq


def by_address(found: Changes) -> dict[str, ActorChange]:
    return {change.address: change for change in found.actors()}


# --- one run


def test_only_what_changed_is_told(first: MemoryStore) -> None:
    view = View(first)
    last = [r.seq for r in view.records() if isinstance(r.body, Turn)][-1]
    (change,) = Changes(view, last - 1, last).actors()
    assert (change.address, change.turns, change.inbox) == ("/r/two", 1, -1)
    assert change.fields == (Difference("rows['a']", ABSENT, 1),)
    assert (change.is_born, change.is_gone, change.life, change.crashes) == (False, False, None, 0)


def test_from_the_first_record_everybody_is_born(first: MemoryStore) -> None:
    view = View(first)
    changes = list(Changes(view, 1, head(view)).actors())
    assert [change.id for change in changes] == sorted(
        r.seq for r in view.records() if isinstance(r.body, Birth)
    )
    assert all(change.is_born and change.life == "running" for change in changes)


def test_the_sums_of_a_run_are_told() -> None:
    view = View(lived())
    found = Changes(view, 1, head(view))
    assert (found.spent, found.reserved, found.timers) == (15, 0, 1)
    assert found.artifacts() == ["weights.txt"]
    assert list(found.dead_letters(found.after).values()) == [("/r/nobody", "no such actor")]
    assert found.dead_letters(found.before) == {}
    bad = by_address(found)["/r/bad"]
    assert (bad.crashes, bad.restarts, bad.inbox, bad.incarnation) == (1, 1, 1, 2)


def test_the_earlier_point_comes_first() -> None:
    with pytest.raises(UsageError, match="record 9 is after record 5: write the earlier"):
        Changes(View(lived()), 9, 5)


# --- two runs


def test_two_runs_share_records_up_to_where_they_parted(
    first: MemoryStore, parted: tuple[View, View]
) -> None:
    left, right = parted
    common = first.head().seq
    assert common <= shared(left, right, min(head(left), head(right))) <= common + 1
    assert shared(left, View(lived()), 5) == 0
    assert shared(left, left, head(left)) == head(left)


def test_a_run_does_not_differ_from_itself(parted: tuple[View, View]) -> None:
    left, _ = parted
    found = Changes(left, head(left), head(left), left)
    assert (list(found.actors()), found.artifacts()) == ([], [])


def test_two_runs_differ_in_what_they_did_apart(parted: tuple[View, View]) -> None:
    left, right = parted
    found = Changes(left, head(left), head(right), right)
    changes = by_address(found)
    assert changes["/r/one"].fields == (
        Difference("rows['b']", 2, 3),
        Difference("rows['nobody']", ABSENT, 4),
    )
    assert (changes["/r/one"].turns, changes["/r/two"].turns) == (1, 1)
    assert changes["/r/two"].fields == ()
    assert changes["/r/two/t1"].is_born
    assert found.artifacts() == ["said.txt"]
    assert [to for to, _ in found.dead_letters(found.after).values()] == ["/r/nobody"]


def test_the_other_way_round_what_was_born_is_gone(parted: tuple[View, View]) -> None:
    left, right = parted
    found = Changes(right, head(right), head(left), left)
    changes = by_address(found)
    assert changes["/r/two/t1"].is_gone
    assert changes["/r/one"].fields == (
        Difference("rows['b']", 3, 2),
        Difference("rows['nobody']", 4, ABSENT),
    )
    assert [to for to, _ in found.dead_letters(found.before).values()] == ["/r/nobody"]


def test_it_reads_nothing_that_both_have(
    parted: tuple[View, View], monkeypatch: pytest.MonkeyPatch
) -> None:
    left, right = parted
    read: list[int] = []
    records: Any = View.records

    def noted(view: View, first: int = 1, last: int | None = None) -> Any:
        read.append(first)
        return records(view, first, last)

    monkeypatch.setattr(View, "records", noted)
    found = Changes(left, head(left), head(right), right)
    assert read == [found.shared + 1] * 2
