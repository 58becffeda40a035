"""The API of a supervisor, and what significant children do."""

from __future__ import annotations

from typing import Any

import pytest

from perdure.mailbox.control import NORMAL, SHUTDOWN
from perdure.supervisors import actions, events
from perdure.supervisors.spec import Child, SupervisorSpec
from tests.supervisors.tiny import NO_DISK, NO_PAGE, World, spec_of, starts, statuses, stops

CALLER = (7, 12, 0, "ask#1")


def reply(world: World, event: events.Call) -> tuple[bool, Any]:
    """What the supervisor answers; it answers once, to whoever asked."""
    world.take()
    (answer,) = [each for each in world.send(event) if isinstance(each, actions.Reply)]
    assert answer.caller == CALLER
    return answer.ok, answer.value


def rows(world: World) -> list[tuple[str, str | None, str, str]]:
    """What which_children answers, without modules."""
    listed = reply(world, events.WhichChildren(CALLER))[1]
    return [(row["child"], row["id"], row["status"], row["type"]) for row in listed]


def add(child: Child) -> events.AddChild:
    return events.AddChild(child, CALLER)


# --- start_child


def test_start_child_starts_it_last() -> None:
    world = World(spec_of("one_for_one", "a"))
    assert reply(world, add(Child("b", "B"))) == (True, "b")
    assert list(world.state.children) == ["a", "b"]
    assert world.alive == {"a": 1, "b": 1}


def test_start_child_refuses_an_id_that_is_taken() -> None:
    world = World(spec_of("one_for_one", "a", "b"))
    world.send(events.TerminateChild("b"))
    assert reply(world, add(Child("a", "A"))) == (False, "already_started")
    assert reply(world, add(Child("b", "B"))) == (False, "already_present")
    assert world.alive == {"a": 1}


def test_start_child_that_fails_leaves_nothing() -> None:
    world = World(spec_of("one_for_one", "a", intensity=0))
    world.failing["b"] = 1
    assert reply(world, add(Child("b", "B"))) == (False, NO_DISK)
    assert actions.Forget("b") in world.done
    assert statuses(world.state) == {"a": "running"}
    assert world.inbox == []


@pytest.mark.parametrize(("restart", "kept"), [("transient", True), ("temporary", False)])
def test_start_child_that_declines_is_kept_unless_temporary(restart: str, kept: bool) -> None:
    world = World(spec_of("one_for_one", "a"))
    world.ignoring["b"] = 1
    assert reply(world, add(Child("b", "B", restart=restart))) == (True, None)
    assert ("b" in world.state.children) == kept
    assert (actions.Forget("b") in world.done) != kept


def test_start_child_of_a_significant_child_needs_an_auto_shutdown() -> None:
    world = World(spec_of("one_for_one", "a"))
    child = Child("b", "B", restart="transient", significant=True)
    why = ("bad_combination", [("auto_shutdown", "never"), ("significant", True)])
    assert reply(world, add(child)) == (False, why)
    assert list(world.state.children) == ["a"]


# --- terminate_child, restart_child, delete_child


def test_terminate_child_stops_it_and_keeps_its_spec() -> None:
    world = World(spec_of("one_for_all", "a", "b", intensity=0))
    world.held = {"a"}
    world.send(events.TerminateChild("a", CALLER))
    assert world.take() == [actions.StopChild("a", 1, 5.0)]
    assert world.answer() == [actions.Reply(CALLER, True)]
    assert statuses(world.state) == {"a": "undefined", "b": "running"}
    assert reply(world, events.TerminateChild("a", CALLER)) == (True, None)


def test_terminate_child_forgets_a_temporary_one() -> None:
    world = World(spec_of("one_for_one", Child("a", "A", restart="temporary")))
    assert reply(world, events.TerminateChild("a", CALLER)) == (True, None)
    assert actions.Forget("a") in world.done
    assert reply(world, events.RestartChild("a", CALLER)) == (False, "not_found")


def test_restart_child_starts_what_is_down_and_nothing_else() -> None:
    world = World(spec_of("one_for_one", "a", intensity=0))
    assert reply(world, events.RestartChild("a", CALLER)) == (False, "running")
    world.send(events.TerminateChild("a"))
    assert reply(world, events.RestartChild("a", CALLER)) == (True, "a")
    assert world.alive == {"a": 2}


def test_restart_child_that_fails_is_not_tried_again() -> None:
    world = World(spec_of("one_for_one", "a", intensity=0))
    world.send(events.TerminateChild("a"))
    world.failing["a"] = 1
    assert reply(world, events.RestartChild("a", CALLER)) == (False, NO_DISK)
    assert statuses(world.state) == {"a": "undefined"}
    assert world.inbox == []


def test_delete_child_drops_the_spec_of_what_is_down_and_nothing_else() -> None:
    world = World(spec_of("one_for_one", "a", "b"))
    assert reply(world, events.DeleteChild("a", CALLER)) == (False, "running")
    world.send(events.TerminateChild("a"))
    assert reply(world, events.DeleteChild("a", CALLER)) == (True, None)
    assert actions.Forget("a") in world.done
    assert list(world.state.children) == ["b"]


@pytest.mark.parametrize("event", [events.TerminateChild, events.RestartChild, events.DeleteChild])
def test_a_child_that_is_not_there_is_not_found(event: type[Any]) -> None:
    assert reply(World(spec_of("one_for_one", "a")), event("z", CALLER)) == (False, "not_found")


# --- which_children, count_children


def test_children_are_listed_latest_first_and_counted_by_kind() -> None:
    pool = Child("s", supervisor=SupervisorSpec())
    world = World(spec_of("one_for_one", "a", pool, "c"))
    world.send(events.TerminateChild("a"))
    assert rows(world) == [
        ("c", "c", "running", "worker"),
        ("s", "s", "running", "supervisor"),
        ("a", "a", "undefined", "worker"),
    ]
    assert reply(world, events.CountChildren(CALLER)) == (
        True,
        {"specs": 3, "active": 2, "supervisors": 1, "workers": 2},
    )


# --- significant children


def significant(id: str, restart: str = "transient") -> Child:
    return Child(id, "A", restart=restart, significant=True)


def world_of(auto_shutdown: str, *children: Child, strategy: str = "one_for_one") -> World:
    return World(
        SupervisorSpec(
            strategy=strategy, intensity=9, auto_shutdown=auto_shutdown, children=children
        )
    )


OVER = actions.ExitSelf(SHUTDOWN, asked=False)


def test_any_significant_child_that_ends_for_good_ends_the_supervisor() -> None:
    world = world_of("any_significant", significant("a"), significant("b"), Child("c", "C"))
    done = world.crash("a", NORMAL)
    assert stops(done) == ["c", "b"]
    assert done[-1] == OVER


def test_a_significant_child_that_is_restarted_ends_nothing() -> None:
    world = world_of("any_significant", significant("a"))
    assert starts(world.crash("a", NO_PAGE)) == ["a"]


def test_a_temporary_significant_child_ends_the_supervisor_however_it_ends() -> None:
    world = world_of("any_significant", significant("a", "temporary"))
    assert world.crash("a", NO_PAGE)[-1] == OVER


def test_the_last_of_all_significant_children_ends_the_supervisor() -> None:
    world = world_of("all_significant", significant("a"), significant("b"), Child("c", "C"))
    assert world.crash("a", NORMAL) == []
    assert world.crash("b", NORMAL)[-1] == OVER


def test_a_significant_child_that_waits_for_its_next_try_is_not_gone() -> None:
    world = world_of("all_significant", significant("a"), significant("b"))
    world.held = {"a"}
    world.failing["a"] = 1
    world.crash("a", NO_PAGE)
    world.send(world.exit("b", NORMAL))
    world.held = set()
    assert OVER not in world.answer()
    assert world.alive == {"a": 3}


def test_a_significant_child_that_was_told_to_stop_ends_nothing_but_counts_as_gone() -> None:
    for mode in ("any_significant", "all_significant"):
        world = world_of(mode, significant("a"), significant("b"))
        assert reply(world, events.TerminateChild("a", CALLER)) == (True, None)
        assert world.crash("b", NORMAL)[-1] == OVER


def test_a_significant_child_that_goes_down_with_a_sibling_ends_nothing() -> None:
    children = Child("a", "A"), significant("b"), significant("t", "temporary")
    world = world_of("any_significant", *children, strategy="one_for_all")
    done = world.send(world.exit("a"), world.exit("b", NORMAL))
    assert OVER not in done
    assert world.alive == {"a": 2, "b": 2}
