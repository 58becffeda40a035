from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.errors import LedgerDamaged
from perdure.mailbox.control import Reason
from perdure.supervisors.checks import AUTO_SHUTDOWNS, ORDINARY, POOLS, RESTARTS
from perdure.supervisors.entry import Entry
from perdure.supervisors.pools import Instances
from perdure.supervisors.spec import Child
from perdure.supervisors.state import (
    Aborting,
    Badly,
    Down,
    Emptying,
    Ending,
    Idle,
    Init,
    Restart,
    StartCall,
    Starting,
    StopCall,
    Stopping,
    Supervision,
)
from perdure.supervisors.stored import flags_text, from_data, to_data

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
emptying = st.builds(
    Emptying,
    st.builds(Ending, reasons, st.booleans()),
    st.lists(st.builds(Badly, ids, reasons, numbers), max_size=2).map(tuple),
)
inits = st.dictionaries(ids, st.none() | numbers | ids, max_size=2)
specs = st.builds(
    Child,
    st.sampled_from("abcd"),
    st.just("Worker"),
    restart=st.sampled_from(RESTARTS),
    shutdown=st.floats(0, 1e6) | st.sampled_from(["infinity", "brutal_kill"]),
    init=inits,
    type=st.sampled_from(["worker", "supervisor"]),
    modules=st.none() | st.just("dynamic") | st.just(("a", "b")),
)


def entries(spec: st.SearchStrategy[Child]) -> st.SearchStrategy[Entry]:
    statuses: Any = st.sampled_from(["undefined", "running", "restarting"])
    return st.builds(Entry, ids, spec, st.none() | inits, statuses, numbers)


@st.composite
def states(draw: st.DrawFn) -> Supervision:
    strategy = draw(st.sampled_from([*ORDINARY, *POOLS]))
    spec = draw(specs)
    of_template = strategy == "simple_one_for_one"
    found = draw(st.lists(entries(st.just(spec) if of_template else specs), max_size=4))
    if strategy in POOLS:
        places = draw(st.sets(st.integers(1, 600), min_size=len(found), max_size=len(found)))
        numbered = zip(sorted(places), found, strict=True)
        children: Any = Instances.of({str(n): replace(e, id=str(n)) for n, e in numbered})
    else:
        children = {entry.id: entry for entry in found}
    return Supervision(
        strategy=strategy,
        intensity=draw(numbers),
        period=draw(st.floats(0.001, 1e6)),
        auto_shutdown=draw(st.sampled_from(AUTO_SHUTDOWNS)),
        children_max=draw(st.none() | numbers) if strategy == "dynamic" else None,
        numbered=draw(numbers),
        template=Entry.of(spec) if of_template else None,
        children=children,
        restarts=draw(st.lists(st.tuples(numbers, numbers), max_size=4).map(tuple)),
        phase=draw(st.just(Idle()) | downs | starting | stopping | emptying),
    )


@given(states())
def test_a_state_comes_back_from_its_data_exactly(state: Supervision) -> None:
    data = to_data(state)
    assert from_data(data) == state
    assert list(from_data(data).children) == list(state.children)


@given(states())
def test_its_data_is_plain(state: Supervision) -> None:
    assert from_data(json.loads(json.dumps(to_data(state)))) == state


@given(states())
def test_the_text_of_its_flags_is_that_of_its_data(state: Supervision) -> None:
    bare = replace(state, children={}, template=None)
    assert flags_text(state) == json.dumps(to_data(bare), separators=(",", ":"))


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
        damaged(template={"id": "a"}),
        damaged(children=[1]),
        damaged(restarts=[1]),
    ],
)
def test_data_that_is_no_state_is_damage(data: dict[str, Any]) -> None:
    with pytest.raises(LedgerDamaged, match="cannot be read"):
        from_data(data)
