"""Actors as they were: at every record of a run, the state is the one that was committed then."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perdure import Actor, Backoff, Child, Reject, field, message
from perdure.errors import LedgerDamaged, UnknownActor
from perdure.ledger.memory import MemoryStore
from perdure.ledger.past import past
from perdure.ledger.records import Birth, Record, Turn
from perdure.runtime.history import earlier, find_at
from perdure.runtime.view import View
from tests.kit import SECONDS, program, running, settle
from tests.lived import lived

Fields = dict[str, Any]

LEFT: dict[int, Fields] = {}
"""What the handler of each change left its actor's fields as, when it returned."""


@message
class Change:
    number: int
    operations: list[tuple[str, int]]
    how: str


class Keeper(Actor):
    total: int = 0
    name: str | None = None
    items: list[int] = field(default_factory=list)
    table: dict[str, list[int]] = field(default_factory=dict)
    seen: set[int] = field(default_factory=set)

    async def on_receive(self, message: Change) -> None:
        for operation, value in message.operations:
            self.play(operation, value)
        if message.how == "crash" and self.attempt == 1:
            raise ValueError("as it was told")
        if message.how == "reject":
            raise Reject("as it was told")
        LEFT[message.number] = fields_of(self)

    def play(self, operation: str, value: int) -> None:
        match operation:
            case "add":
                self.total += value
            case "name":
                self.name = None if value % 3 == 0 else f"n{value}"
            case "append":
                self.items.append(value)
            case "cut":
                del self.items[value % 3 :]
            case "replace":
                self.items = [value]
            case "put":
                self.table[str(value)] = [value]
            case "drop":
                self.table.pop(str(value), None)
            case "see":
                self.seen ^= {value}


def fields_of(actor: Keeper) -> Fields:
    """Copies of what is in the fields, in plain containers."""
    return {
        "total": actor.total,
        "name": actor.name,
        "items": list(actor.items),
        "table": {key: list(value) for key, value in actor.table.items()},
        "seen": set(actor.seen),
    }


EMPTY: Fields = {"total": 0, "name": None, "items": [], "table": {}, "seen": set()}

operations = st.tuples(
    st.sampled_from(["add", "name", "append", "cut", "replace", "put", "drop", "see"]),
    st.integers(0, 6),
)
changes = st.tuples(
    st.sampled_from(["/r/a", "/r/b"]),
    st.lists(operations, max_size=6),
    st.sampled_from(["well", "well", "well", "crash", "reject"]),
)


@dataclass
class Committed:
    """What is committed of an actor while the records of a run go by."""

    id: int
    fields: Fields
    seq: int


def played(given: list[tuple[str, list[tuple[str, int]], str]]) -> MemoryStore:
    """The ledger of a run in which these changes were told to two keepers."""
    LEFT.clear()
    store = MemoryStore()
    keeper = {"attempts_max": 3, "backoff": Backoff(first=0.0)}
    with running(program(Child("a", Keeper, **keeper), Child("b", Keeper, **keeper)), store) as run:
        for number, (to, operations, how) in enumerate(given):
            run.tell(to, Change(number, operations, how)).get(timeout=SECONDS)
        settle(run)
    return store.reopened()


def follow(committed: dict[str, Committed], record: Record, view: View) -> None:
    """Have `committed` be as after one more record, from what handlers left."""
    body = record.body
    if isinstance(body, Birth) and body.class_name == "Keeper":
        committed[body.address] = Committed(record.seq, {}, record.seq)
    keeper = next(
        (each for each in committed.values() if each.id == getattr(body, "actor", 0)), None
    )
    if not isinstance(body, Turn) or keeper is None:
        return
    keeper.seq = record.seq
    told: Any = view.codec.decode(view.record(body.message[0]).body.sends[body.message[1]][1])
    if type(told).__name__ != "Change":
        keeper.fields = keeper.fields or EMPTY
    elif body.rejected is None:
        keeper.fields = LEFT[told.number]


@settings(max_examples=40)
@given(st.lists(changes, max_size=12))
def test_at_every_record_the_state_is_the_one_that_was_committed_then(
    given: list[tuple[str, list[tuple[str, int]], str]],
) -> None:
    view = View(played(given))
    committed: dict[str, Committed] = {}
    for record in view.records():
        follow(committed, record, view)
        for address, keeper in committed.items():
            then = earlier(view, find_at(view, address, record.seq), record.seq)
            assert (then.id, then.seq, then.fields) == (keeper.id, keeper.seq, keeper.fields)
    assert len(committed) == 2
    for address, keeper in committed.items():
        assert view.state(address) == keeper.fields


def test_fields_are_in_the_order_of_their_class() -> None:
    view = View(
        played([("/r/a", [("see", 1), ("append", 2)], "well"), ("/r/a", [("add", 3)], "well")])
    )
    assert list(earlier(view, view.find("/r/a"), view.head.seq).fields) == list(EMPTY)


def test_before_its_first_turn_an_actor_has_no_fields_and_before_its_birth_it_is_not() -> None:
    view = View(lived())
    mixer = view.find("/r/mixer")
    then = earlier(view, mixer, mixer)
    assert (then.seq, then.incarnation, then.fields, then.state_hash) == (mixer, 0, {}, bytes(16))
    with pytest.raises(UnknownActor, match=f"/r/mixer was born at record {mixer}: at record 2"):
        earlier(view, mixer, 2)
    with pytest.raises(UnknownActor, match=f"no actor /r/mixer at record 2: one was .* {mixer}\\."):
        find_at(view, "/r/mixer", 2)


def test_an_unknown_address_suggests_the_nearest() -> None:
    with pytest.raises(UnknownActor, match=r"Did you mean '/r/mixer'\?"):
        find_at(View(lived()), "/r/mixr", 5)


# --- addresses that had several actors


@message("tests.history.go")
class Go:
    what: str


class Parent(Actor):
    async def on_receive(self, message: Go) -> None:
        if message.what == "spawn":
            self.spawn(Shortlived, "child")
        self.tell("child", message)


class Shortlived(Actor):
    heard: list[str] = field(default_factory=list)

    async def on_receive(self, message: Go) -> None:
        self.heard.append(message.what)
        if message.what == "end":
            self.stop()


def test_an_address_means_the_actor_that_had_it_then() -> None:
    store = MemoryStore()
    with running(program(Child("p", Parent)), store) as run:
        for what in ("spawn", "first", "end", "spawn", "second"):
            run.tell("/r/p", Go(what)).get(timeout=SECONDS)
            settle(run)
    view = View(store.reopened())
    births = [r.seq for r in view.records() if getattr(r.body, "address", "") == "/r/p/child"]
    first, second = births
    between = earlier(view, find_at(view, "/r/p/child", second - 1), second - 1)
    assert (between.id, between.fields) == (first, {"heard": ["spawn", "first", "end"]})
    last = earlier(view, find_at(view, "/r/p/child", view.head.seq), view.head.seq)
    assert (last.id, last.fields) == (second, {"heard": ["spawn", "second"]})


# --- what it reads


class Counting(View):
    """A view that notes which records are read one by one, and reads no others."""

    def __init__(self, store: MemoryStore) -> None:
        super().__init__(store)
        self.read: list[int] = []

    def record(self, seq: int) -> Record:
        self.read.append(seq)
        return super().record(seq)

    def records(self, first: int = 1, last: int | None = None) -> Iterator[Record]:
        raise AssertionError("the journal is read in a row")


def test_the_past_of_an_actor_costs_its_own_turns_whatever_others_did() -> None:
    turns = [("/r/a", [("append", 1)], "well")] * 3
    others = [("/r/b", [("append", 1)], "well")] * 60
    view = Counting(played([*turns, *others, *turns]))
    then = earlier(view, view.find("/r/a"), view.head.seq)
    assert then.fields["items"] == [1] * 6
    assert len(view.read) == 7  # its start, and six turns


def test_a_chain_that_is_broken_is_damage() -> None:
    view = View(lived())
    mixer, quiet = view.find("/r/mixer"), view.find("/r/mixer/child")
    newest = earlier(view, quiet, view.head.seq).seq
    with pytest.raises(
        LedgerDamaged, match=f"record {newest} should be one that changed .* {mixer}"
    ):
        past(view.record, mixer, newest, view.head.seq)


def test_a_change_to_a_field_that_never_was_is_damage() -> None:
    view = View(lived())
    mixer = view.find("/r/mixer")
    last = view.record(earlier(view, mixer, view.head.seq).seq)
    assert isinstance(last.body, Turn)
    forged = last._replace(
        body=last.body._replace(previous=mixer, delta=(("weights", "append", b""),))
    )
    with pytest.raises(LedgerDamaged, match="nothing says what weights of actor"):
        past(lambda seq: forged, mixer, last.seq, last.seq)
