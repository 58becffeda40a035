"""New code of a supervisor: other flags, other specs, the same processes."""

from __future__ import annotations

from typing import Any

import pytest

from perdure.mailbox.control import NORMAL, SHUTDOWN
from perdure.supervisors import actions, events
from perdure.supervisors.spec import Child, SupervisorSpec
from tests.supervisors.test_calls import CALLER, reply
from tests.supervisors.tiny import NO_PAGE, World, spec_of, starts, statuses, stops


def change(world: World, spec: Any) -> tuple[bool, Any]:
    return reply(world, events.CodeChange(spec, CALLER))


def test_flags_are_the_new_ones_and_the_restarts_of_before_still_count() -> None:
    world = World(spec_of("one_for_one", "a", "b", intensity=5))
    world.crash("a")
    assert change(world, spec_of("one_for_all", "a", "b", intensity=1)) == (True, None)
    done = world.crash("a")
    assert stops(done) == ["b"]
    assert done[-1] == actions.ExitSelf(SHUTDOWN, asked=False)


def test_a_child_that_is_named_again_goes_on_under_its_new_spec() -> None:
    world = World(spec_of("one_for_one", "a", "b"))
    changed = Child("a", "A", restart="transient", init={"page": 2})
    change(world, spec_of("one_for_one", changed, "b"))
    assert statuses(world.state) == {"a": "running", "b": "running"}
    assert world.alive == {"a": 1, "b": 1}
    assert world.crash("a", NORMAL) == []
    assert world.state.children["a"].init == {"page": 2}


def test_a_new_child_waits_for_a_restart_that_covers_it() -> None:
    world = World(spec_of("rest_for_one", "a", "b"))
    change(world, spec_of("rest_for_one", "a", "c", "b"))
    assert statuses(world.state) == {"a": "running", "c": "undefined", "b": "running"}
    assert starts(world.crash("b")) == ["b"]
    assert starts(world.crash("a")) == ["a", "c", "b"]


def test_a_new_temporary_child_goes_with_the_restart_that_would_stop_it() -> None:
    world = World(spec_of("one_for_all", "a", "b"))
    change(world, spec_of("one_for_all", "a", Child("t", "T", restart="temporary"), "b"))
    assert actions.Forget("t") in world.crash("a")
    assert statuses(world.state) == {"a": "running", "b": "running"}


def test_a_child_that_is_named_no_more_goes_on_behind_the_others() -> None:
    world = World(spec_of("rest_for_one", "a", "b", "c"))
    change(world, spec_of("rest_for_one", "c", "a"))
    assert list(world.state.children) == ["c", "a", "b"]
    assert stops(world.crash("c")) == ["b", "a"]
    assert world.alive == {"a": 2, "b": 2, "c": 2}


def test_a_child_that_waits_for_its_next_try_still_does() -> None:
    world = World(spec_of("one_for_one", "a", "b"))
    world.held = {"a"}
    world.failing["a"] = 1
    world.crash("a")
    world.send(events.CodeChange(spec_of("one_for_one", "b", "a")))
    world.held = set()
    world.answer()
    assert world.alive == {"a": 3, "b": 1}


def test_significance_is_looked_at_under_the_new_flags() -> None:
    world = World(spec_of("one_for_one", Child("a", "A", restart="transient"), "b"))
    significant = Child("a", "A", restart="transient", significant=True)
    change(world, spec_of("one_for_one", significant, "b"))
    assert world.crash("a", NORMAL)[-1] == actions.ExitSelf(SHUTDOWN, asked=False)


def test_code_that_declines_changes_nothing() -> None:
    world = World(spec_of("one_for_one", "a"))
    before = world.state
    assert change(world, None) == (True, None)
    assert world.state == before


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ({"strategy": "bogus"}, ("invalid_strategy", "bogus")),
        ({"intensity": -1}, ("invalid_intensity", -1)),
        (
            {"children": [{"id": "a", "actor": "A"}, {"id": "a", "actor": "A"}]},
            ("duplicate_child_name", "a"),
        ),
        ({"strategy": "dynamic"}, ("invalid_strategy", "dynamic")),
    ],
)
def test_wrong_code_is_refused_and_the_supervisor_goes_on_as_before(
    data: dict[str, Any], why: Any
) -> None:
    world = World(spec_of("one_for_one", "a"))
    before = world.state
    assert change(world, data) == (False, why)
    assert world.state == before
    world.crash("a", NO_PAGE)
    assert world.alive == {"a": 2}


def test_a_pools_children_are_of_the_new_template_each_with_what_it_alone_began_with() -> None:
    def pool(restart: str, **init: Any) -> SupervisorSpec:
        template = Child("w", "W", restart=restart, init=init)
        return SupervisorSpec(strategy="simple_one_for_one", intensity=9, children=[template])

    world = World(pool("permanent", page=1, deep=False))
    world.send(events.AddInstance({"page": 7}), events.AddInstance())
    change(world, pool("transient", page=2, deep=True))
    world.crash("1")
    assert [entry.init for entry in world.state.children.values()] == [
        {"page": 7, "deep": True},
        {"page": 2, "deep": True},
    ]
    world.crash("2", NORMAL)
    assert statuses(world.state) == {"1": "running"}
