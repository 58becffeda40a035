from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from perdure.ledger import keys
from perdure.ledger.keys import Table
from perdure.ledger.records import Lane
from perdure.limits import ADDRESS_BYTES_MAX, KEY_BYTES_MAX

ids = st.integers(0, 2**64 - 1)
places = st.integers(0, 2**32 - 1)
lanes = st.sampled_from(Lane)
names = st.text(max_size=30)


@given(ids, lanes, ids, places)
def test_an_inbox_key_says_whose_message_it_is(actor: int, lane: int, seq: int, at: int) -> None:
    key = keys.inbox_key(actor, lane, seq, at)
    assert keys.inbox_id(key) == (actor, lane, seq, at)
    assert key.startswith(keys.inbox_prefix(actor))


@given(st.lists(st.tuples(ids, lanes, ids, places), max_size=20))
def test_inbox_keys_are_ordered_by_actor_then_lane_then_order_of_sending(
    messages: list[tuple[int, int, int, int]],
) -> None:
    in_key_order = sorted(keys.inbox_key(*message) for message in messages)
    assert [keys.inbox_id(key) for key in in_key_order] == sorted(messages)


@given(ids, ids, places, names)
def test_a_step_key_says_whose_step_of_which_message_it_is(
    actor: int, seq: int, at: int, name: str
) -> None:
    key = keys.step_key(actor, seq, at, name)
    assert keys.step_id(key) == (actor, seq, at, name)
    assert key.startswith(keys.step_prefix(actor))


@given(st.lists(st.tuples(ids, ids, places), max_size=20))
def test_timer_keys_are_ordered_by_when_they_are_due(timers: list[tuple[int, int, int]]) -> None:
    in_key_order = sorted(keys.timer_key(*timer) for timer in timers)
    assert [keys.timer_id(key) for key in in_key_order] == sorted(timers)


@given(ids, places)
def test_a_dead_letters_key_says_which_message_it_is(seq: int, at: int) -> None:
    assert keys.dead_id(keys.dead_key(seq, at)) == (seq, at)


@given(ids, ids)
def test_a_childs_key_is_among_its_parents(parent: int, child: int) -> None:
    key = keys.child_key(parent, child)
    assert keys.child_id(key) == (parent, child)
    assert key.startswith(keys.child_prefix(parent))


@given(ids)
def test_the_key_of_an_actor_and_of_its_state_give_back_its_id(actor: int) -> None:
    assert keys.actor_of(keys.actor_key(actor)) == actor
    assert keys.actor_of(keys.state_key(actor)) == actor


@given(ids, ids)
def test_no_prefix_of_one_actor_takes_in_keys_of_another(actor: int, other: int) -> None:
    if actor != other:
        assert not keys.inbox_key(other, 1, 2, 3).startswith(keys.inbox_prefix(actor))
        assert not keys.step_key(other, 2, 3, "a").startswith(keys.step_prefix(actor))
        assert not keys.child_key(other, 2).startswith(keys.child_prefix(actor))


def test_every_table_has_a_kind_byte_of_its_own() -> None:
    found = [
        keys.actor_key(1),
        keys.name_key("/a"),
        keys.state_key(1),
        keys.inbox_key(1, 1, 1, 1),
        keys.step_key(1, 1, 1, "a"),
        keys.timer_key(1, 1, 1),
        keys.dead_key(1, 1),
        keys.artifact_key("a"),
        keys.child_key(1, 1),
        keys.STATUS_KEY,
        keys.delta_key(1, 1),
        keys.unreleased_key("a"),
        keys.mark_key(1, "a"),
        keys.watch_key(1, 1, ""),
        keys.posted_key("a"),
    ]
    assert [key[0] for key in found] == list(Table)
    assert keys.BUDGET_KEY[0] == Table.RUN


def test_the_longest_address_and_artifact_path_fit_into_a_key() -> None:
    assert len(keys.name_key("x" * ADDRESS_BYTES_MAX)) <= KEY_BYTES_MAX
    assert len(keys.artifact_key("x" * 256)) <= KEY_BYTES_MAX
    assert (
        len(keys.step_key(1, 1, 1, "ask " + "x" * ADDRESS_BYTES_MAX + "#100000")) <= KEY_BYTES_MAX
    )
