from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.errors import LedgerDamaged
from perdure.mailbox.control import Reason
from perdure.supervisors.state import (
    Aborting,
    Down,
    Ending,
    Entry,
    Idle,
    Init,
    Restart,
    StartCall,
    Starting,
    StopCall,
    Stopping,
    Supervision,
)
from perdure.supervisors.stored import from_data, to_data

ids = st.text(min_size=1, max_size=5) | st.sampled_from(["idle", "caller", "reason"])
numbers = st.integers(0, 2**40)
optional = st.none() | st.text(max_size=5)
reasons = st.recursive(
    st.builds(Reason, st.sampled_from(["normal", "shutdown", "killed", "crash"]), optional),
    lambda below: st.builds(Reason, st.just("shutdown"), optional, optional, below),
    max_leaves=3,
)
callers = st.none() | st.tuples(numbers, numbers, numbers, ids)
restarts = st.builds(Restart, ids)
starting = st.builds(
    Starting, ids, st.just(Init()) | restarts | st.builds(StartCall, ids, st.booleans(), callers)
)
stopping = st.builds(
    Stopping,
    ids,
    restarts
    | st.builds(Ending, reasons, st.booleans())
    | st.builds(Aborting, reasons)
    | st.builds(StopCall, ids, callers),
)
downs = st.builds(Down, st.none() | reasons)
entries = st.builds(
    Entry,
    ids,
    st.sampled_from(["permanent", "transient", "temporary"]),
    st.floats(0, 1e6) | st.sampled_from(["infinity", "brutal_kill"]),
    st.booleans(),
    st.booleans(),
    st.sampled_from(["undefined", "running", "restarting"]),
    numbers,
)
states = st.builds(
    Supervision,
    strategy=st.sampled_from(["one_for_one", "one_for_all", "rest_for_one"]),
    intensity=numbers,
    period=st.floats(0.001, 1e6),
    auto_shutdown=st.sampled_from(["never", "any_significant", "all_significant"]),
    children=st.lists(entries, max_size=4).map(lambda found: {each.id: each for each in found}),
    restarts=st.lists(st.tuples(numbers, numbers), max_size=4).map(tuple),
    phase=st.just(Idle()) | downs | starting | stopping,
)


@given(states)
def test_a_state_comes_back_from_its_data_exactly(state: Supervision) -> None:
    data = to_data(state)
    assert from_data(data) == state
    assert list(from_data(data).children) == list(state.children)


@given(states)
def test_its_data_is_plain(state: Supervision) -> None:
    assert from_data(json.loads(json.dumps(to_data(state)))) == state


def damaged(**parts: Any) -> dict[str, Any]:
    return to_data(Supervision()) | parts


@pytest.mark.parametrize(
    "data",
    [
        {},
        damaged(phase=["asleep"]),
        damaged(phase=["starting"]),
        damaged(phase=[]),
        damaged(children={"a": ["permanent"]}),
        damaged(children=[1]),
        damaged(restarts=[1]),
    ],
)
def test_data_that_is_no_state_is_damage(data: dict[str, Any]) -> None:
    with pytest.raises(LedgerDamaged, match="state of a supervisor"):
        from_data(data)
