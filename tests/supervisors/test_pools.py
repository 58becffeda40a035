"""Pools: simple_one_for_one as OTP's, and dynamic as Elixir's DynamicSupervisor."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.errors import UsageError
from perdure.mailbox.control import KILLED, NORMAL, SHUTDOWN
from perdure.supervisors import actions, events
from perdure.supervisors.entry import Entry
from perdure.supervisors.pools import Instances, number_of
from perdure.supervisors.refusals import BadSpec
from perdure.supervisors.shelves import difference
from perdure.supervisors.spec import Child, SupervisorSpec
from perdure.supervisors.state import Emptying
from tests.supervisors.test_calls import CALLER, reply
from tests.supervisors.tiny import NO_DISK, NO_PAGE, World, reports, starts, statuses, stops


def simple(intensity: int = 9, auto_shutdown: str = "never", **template: Any) -> World:
    """A simple_one_for_one supervisor."""
    return World(
        SupervisorSpec(
            strategy="simple_one_for_one",
            intensity=intensity,
            auto_shutdown=auto_shutdown,
            children=[Child("w", "Worker", **template)],
        )
    )


def dynamic(children_max: int | None = None) -> World:
    return World(SupervisorSpec(strategy="dynamic", intensity=9, children_max=children_max))


def add(world: World, times: int = 1) -> None:
    for _ in range(times):
        world.send(events.AddInstance())
    world.take()


# --- simple_one_for_one


@pytest.mark.parametrize("given", [[], [Child("a", "A"), Child("b", "B")]])
def test_a_simple_supervisor_has_exactly_one_template(given: list[Child]) -> None:
    with pytest.raises(BadSpec, match="exactly one") as refused:
        SupervisorSpec(strategy="simple_one_for_one", children=given)
    assert refused.value.of_start == ("bad_start_spec", given)


def test_it_begins_without_children_and_numbers_those_that_come() -> None:
    world = simple()
    assert world.alive == {}
    assert reply(world, events.AddInstance({}, CALLER)) == (True, "1")
    assert reply(world, events.AddInstance({}, CALLER)) == (True, "2")
    assert world.alive == {"1": 1, "2": 1}


def test_what_a_child_alone_begins_with_goes_over_the_templates_at_each_restart() -> None:
    world = simple(init={"page": 1, "deep": False})
    world.send(events.AddInstance({"page": 7}))
    world.crash("1")
    assert world.state.children["1"].init == {"page": 7, "deep": False}
    assert world.alive == {"1": 2}


def test_only_the_child_that_crashed_is_restarted() -> None:
    world = simple()
    add(world, 3)
    done = world.crash("2")
    assert (starts(done), stops(done)) == (["2"], [])
    assert reports(done) == [("child_terminated", "2", NO_PAGE)]
    assert [each.spec for each in done if isinstance(each, actions.Report)] == ["w"]


@pytest.mark.parametrize("restart", ["transient", "temporary"])
def test_a_child_that_ended_for_good_is_gone(restart: str) -> None:
    world = simple(restart=restart)
    add(world, 2)
    assert actions.Forget("1") in world.crash("1", NORMAL)
    assert statuses(world.state) == {"2": "running"}


def test_no_number_is_given_twice_even_in_another_life() -> None:
    world = simple(restart="temporary")
    add(world, 2)
    world.crash("2")
    world.failing["3"] = 1
    assert reply(world, events.AddInstance({}, CALLER)) == (False, NO_DISK)
    world.send(events.Halt(SHUTDOWN), events.Begin(world.spec))
    assert reply(world, events.AddInstance({}, CALLER)) == (True, "4")


def test_a_child_that_declines_or_fails_is_not_kept() -> None:
    world = simple()
    world.ignoring["1"] = 1
    assert reply(world, events.AddInstance({}, CALLER)) == (True, None)
    world.failing["2"] = 1
    assert reply(world, events.AddInstance({}, CALLER)) == (False, NO_DISK)
    assert statuses(world.state) == {}


def test_a_child_that_declines_its_restart_is_gone_and_the_pool_can_still_stop() -> None:
    world = simple()
    add(world, 2)
    world.ignoring["1"] = 1
    world.crash("1")
    assert statuses(world.state) == {"2": "running"}
    assert world.send(events.Halt(SHUTDOWN))[-1] == actions.ExitSelf(SHUTDOWN, asked=True)


def test_terminate_child_wants_a_number() -> None:
    world = simple()
    add(world, 2)
    assert reply(world, events.TerminateChild("1", CALLER)) == (True, None)
    assert statuses(world.state) == {"2": "running"}
    assert reply(world, events.TerminateChild("1", CALLER)) == (True, None)
    assert reply(world, events.TerminateChild("w", CALLER)) == (False, "simple_one_for_one")
    assert reply(world, events.TerminateChild("/other/1", CALLER)) == (False, "not_found")


@pytest.mark.parametrize("event", [events.RestartChild, events.DeleteChild])
@pytest.mark.parametrize("child", ["1", "w", "zz"])
def test_children_are_neither_restarted_nor_deleted_by_hand(event: Any, child: str) -> None:
    world = simple()
    add(world)
    assert reply(world, event(child, CALLER)) == (False, "simple_one_for_one")


def test_stopping_a_child_whose_restart_failed_cancels_its_next_try() -> None:
    world = simple()
    add(world, 2)
    world.held = {"1"}
    world.failing["1"] = 1
    world.crash("1")
    world.send(events.TerminateChild("1", CALLER))
    assert starts(world.answer()) == []
    assert statuses(world.state) == {"2": "running"}


def test_all_are_one_spec_whose_kind_counts_for_each() -> None:
    world = simple(type="supervisor")
    add(world, 3)
    count = {"specs": 1, "active": 3, "supervisors": 3, "workers": 0}
    assert reply(world, events.CountChildren(CALLER)) == (True, count)
    listed = reply(world, events.WhichChildren(CALLER))[1]
    assert [(row["child"], row["id"]) for row in listed] == [("3", None), ("2", None), ("1", None)]


def test_the_spec_of_a_child_is_the_template_also_when_it_is_gone() -> None:
    world = simple(init={"page": 1})
    world.send(events.AddInstance({"page": 7}))
    for child in ("1", "2", "w"):
        ok, data = reply(world, events.GetChildSpec(child, CALLER))
        assert (ok, data["id"], data["init"]) == (True, "w", {"page": 1})
    assert reply(world, events.GetChildSpec("zz", CALLER)) == (False, "not_found")


def test_a_pool_stops_all_at_once_and_tells_the_errors_together() -> None:
    world = simple()
    add(world, 4)
    world.held = {"1", "2", "3", "4"}
    world.endings = {"1": NO_PAGE, "2": KILLED, "3": NO_PAGE}
    world.send(events.Halt(SHUTDOWN))
    assert stops(world.take()) == ["1", "2", "3", "4"]
    assert isinstance(world.state.phase, Emptying)
    for _ in range(4):
        done = world.answer()
    assert done[:-1] == [
        actions.Forget("4"),
        actions.Report("shutdown_error", "w", NO_PAGE, "w", 2),
        actions.Report("shutdown_error", "w", KILLED, "w", 1),
    ]
    assert done[-1] == actions.ExitSelf(SHUTDOWN, asked=True)


def test_a_child_that_died_before_its_stop_is_not_restarted_then() -> None:
    world = simple()
    add(world, 2)
    exit = world.exit("1")
    done = world.send(events.Halt(SHUTDOWN), exit)
    assert starts(done) == []
    assert isinstance(done[-1], actions.ExitSelf)


def test_children_that_fail_too_often_end_the_pool() -> None:
    world = simple(intensity=1)
    add(world, 3)
    world.crash("1")
    done = world.crash("2")
    assert stops(done) == ["3", "1"]  # as they were started: the first one was, a second time
    assert done[-1] == actions.ExitSelf(SHUTDOWN, asked=False)


def test_the_last_significant_child_that_ends_by_itself_ends_the_pool() -> None:
    world = simple(auto_shutdown="all_significant", restart="transient", significant=True)
    add(world, 3)
    world.send(events.TerminateChild("1"))
    assert world.crash("2", NORMAL) == [actions.Forget("2")]
    assert world.crash("3", NORMAL)[-1] == actions.ExitSelf(SHUTDOWN, asked=False)


def test_a_temporary_child_that_was_added_keeps_nothing_of_what_it_began_with() -> None:
    world = simple(restart="temporary")
    world.send(events.AddInstance({"page": 7}))
    assert world.state.children["1"].extras is None


def test_a_spec_is_no_instance_and_an_instance_no_spec() -> None:
    world = simple()
    assert reply(world, events.AddChild(Child("a", "A"), CALLER)) == (False, "simple_one_for_one")
    assert reply(dynamic(), events.AddInstance({}, CALLER)) == (False, "dynamic")


# --- dynamic


def test_a_dynamic_supervisor_begins_without_children() -> None:
    with pytest.raises(UsageError, match="begins without any"):
        SupervisorSpec(strategy="dynamic", children=[Child("a", "A")])


def test_each_child_of_a_dynamic_one_has_its_own_spec_and_a_number() -> None:
    world = dynamic()
    for restart in ("permanent", "temporary"):
        world.send(events.AddChild(Child("a", "A", restart=restart)))
    assert statuses(world.state) == {"1": "running", "2": "running"}
    world.crash("1")
    world.crash("2")
    assert world.alive == {"1": 2}
    assert reply(world, events.GetChildSpec("1", CALLER))[1]["restart"] == "permanent"


def test_a_dynamic_one_is_never_over_its_number_of_children() -> None:
    world = dynamic(children_max=1)
    added = events.AddChild(Child("a", "A", restart="temporary"), CALLER)
    assert reply(world, added) == (True, "1")
    assert reply(world, added) == (False, "max_children")
    world.crash("1")
    assert reply(world, added) == (True, "2")


def test_a_dynamic_one_knows_only_the_children_that_it_has() -> None:
    world = dynamic()
    world.send(events.AddChild(Child("a", "A")))
    assert reply(world, events.TerminateChild("1", CALLER)) == (True, None)
    assert reply(world, events.TerminateChild("1", CALLER)) == (False, "not_found")
    assert reply(world, events.RestartChild("1", CALLER)) == (False, "dynamic")


def test_only_a_dynamic_one_counts_its_children() -> None:
    with pytest.raises(BadSpec, match="children_max is 5"):
        SupervisorSpec(children_max=5)


# --- numbered entries


def test_a_number_is_written_one_way() -> None:
    assert [number_of(id) for id in ("7", "07", "0", "x", "", "²", "-1")] == [7] + 6 * [None]


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 400)), max_size=60))
def test_instances_are_a_dict_whose_changes_are_known(steps: list[tuple[bool, int]]) -> None:
    entry = Entry.of(Child("w", "W"))
    known: dict[str, Entry] = {}
    found, before, number = Instances(), Instances(), 0
    for adds, skip in steps:
        if adds:
            number += 1 + skip
            new = Entry(str(number), entry.spec)
            known[new.id] = new
            found = found.with_entry(new)
        elif known:
            id = sorted(known)[skip % len(known)]
            if skip % 2:
                known[id] = known[id].to("running")
                found = found.with_entry(known[id])
            else:
                del known[id]
                found = found.without(id)
        assert (list(found), dict(found), len(found)) == (list(known), known, len(known))
        gone, changed = difference(before, found)
        assert sorted(gone) == sorted(set(before) - set(found))
        assert changed == [each for id, each in found.items() if before.get(id) is not each]
        before = found if skip % 3 else before
    assert Instances.of(known) == found
