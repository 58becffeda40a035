from __future__ import annotations

import pytest

from perdure.errors import Broken
from perdure.mailbox.control import KILLED, NORMAL, SHUTDOWN, Reason, start_failed
from perdure.supervisors import actions, events
from perdure.supervisors.decide import INTENSITY_REACHED, decide, takes
from perdure.supervisors.spec import Child
from perdure.supervisors.state import Down, Idle
from tests.supervisors.tiny import (
    NO_DISK,
    NO_PAGE,
    World,
    contexts,
    reports,
    spec_of,
    starts,
    statuses,
    stops,
)

SHUTDOWN_X = Reason("shutdown", "x")
OVER = actions.ExitSelf(SHUTDOWN, asked=False)


# --- starting


def test_children_start_in_order_one_at_a_time() -> None:
    world = World(spec_of("one_for_one", "a", "b"), begin=False)
    world.held = {"a", "b"}
    assert world.send(events.Begin(world.spec)) == [actions.StartChild("a", 1)]
    assert world.answer() == [actions.StartChild("b", 1)]
    assert world.answer() == [actions.Ready()]
    assert world.state.phase == Idle()


def test_a_supervisor_without_children_is_ready_at_once() -> None:
    world = World(spec_of("one_for_one"), begin=False)
    assert world.send(events.Begin(world.spec)) == [actions.Ready()]


def test_a_first_start_that_fails_is_not_retried_and_undoes_the_starts_before_it() -> None:
    world = World(spec_of("one_for_one", "a", "b", "c", "d"), begin=False)
    world.failing["c"] = 1
    done = world.send(events.Begin(world.spec))
    assert starts(done) == ["a", "b", "c"]
    assert stops(done) == ["b", "a"]
    assert reports(done) == [("start_error", "c", NO_DISK)]
    assert done[-1] == actions.InitFailed(start_failed("c", NO_DISK))
    assert world.state.phase == Down(start_failed("c", NO_DISK))


def test_a_supervisor_that_could_not_start_may_begin_again() -> None:
    world = World(spec_of("one_for_one", "a", "b"), begin=False)
    world.failing["b"] = 1
    world.send(events.Begin(world.spec))
    world.take()
    assert world.send(events.Begin(world.spec))[-1] == actions.Ready()
    assert world.alive == {"a": 2, "b": 2}


@pytest.mark.parametrize(
    ("restart", "left"), [("permanent", "undefined"), ("transient", "undefined"), ("temporary", "")]
)
def test_a_child_that_declines_to_start_stays_down(restart: str, left: str) -> None:
    world = World(spec_of("one_for_one", Child("a", "A", restart=restart), "b"), begin=False)
    world.ignoring["a"] = 1
    assert world.send(events.Begin(world.spec))[-1] == actions.Ready()
    assert statuses(world.state).get("a", "") == left
    assert world.alive == {"b": 1}


def test_a_new_life_runs_on_the_original_specs_with_a_clean_record() -> None:
    world = World(spec_of("one_for_one", "a", "b", intensity=1))
    world.crash("a")
    world.send(events.AddChild(Child("extra", "E")), events.TerminateChild("b"))
    world.send(events.Halt(SHUTDOWN))
    world.take()
    done = world.send(events.Begin(world.spec))
    assert actions.Forget("extra") in done
    assert world.alive == {"a": 3, "b": 2}
    assert OVER not in world.crash("a")


def test_a_killed_supervisor_begins_again_from_any_phase() -> None:
    world = World(spec_of("one_for_all", "a", "b"))
    world.held = {"b"}
    world.crash("a")  # and waits for b to stop, when it is killed itself
    world.held, world.open = set(), []
    assert world.send(events.Begin(world.spec))[-1] == actions.Ready()
    assert world.alive == {"a": 2, "b": 2}


# --- who is restarted


@pytest.mark.parametrize(
    ("restart", "reason", "outcome"),
    [
        ("permanent", NORMAL, "restarted"),
        ("permanent", SHUTDOWN, "restarted"),
        ("permanent", SHUTDOWN_X, "restarted"),
        ("permanent", NO_PAGE, "restarted"),
        ("permanent", KILLED, "restarted"),
        ("transient", NORMAL, "down"),
        ("transient", SHUTDOWN, "down"),
        ("transient", SHUTDOWN_X, "down"),
        ("transient", NO_PAGE, "restarted"),
        ("transient", KILLED, "restarted"),
        ("temporary", NORMAL, "forgotten"),
        ("temporary", SHUTDOWN, "forgotten"),
        ("temporary", SHUTDOWN_X, "forgotten"),
        ("temporary", NO_PAGE, "forgotten and reported"),
        ("temporary", KILLED, "forgotten and reported"),
    ],
)
@pytest.mark.parametrize("strategy", ["one_for_one", "one_for_all", "rest_for_one"])
def test_what_becomes_of_a_child_that_ended(
    strategy: str, restart: str, reason: Reason, outcome: str
) -> None:
    world = World(spec_of(strategy, Child("a", "A", restart=restart), "b", intensity=1))
    done = world.crash("a", reason)
    report = actions.Report("child_terminated", "a", reason, "a")
    if outcome == "restarted":
        assert done[0] == report
        assert world.alive["a"] == 2
    else:
        assert (report in done) == (outcome == "forgotten and reported")
        assert (actions.Forget("a") in done) == outcome.startswith("forgotten")
        assert statuses(world.state).get("a") == ("undefined" if outcome == "down" else None)
        assert world.alive == {"b": 1}, "siblings are left alone, whatever the strategy"
        assert OVER not in world.crash("b"), "it was not counted"


@pytest.mark.parametrize(
    ("strategy", "stopped", "started"),
    [
        ("one_for_one", [], ["b"]),
        ("one_for_all", ["d", "c", "a"], ["a", "b", "c", "d"]),
        ("rest_for_one", ["d", "c"], ["b", "c", "d"]),
    ],
)
def test_a_strategy_says_who_goes_down_with_the_dead_and_in_which_order(
    strategy: str, stopped: list[str], started: list[str]
) -> None:
    world = World(spec_of(strategy, "a", "b", "c", "d", intensity=1))
    done = world.crash("b")
    assert (stops(done), starts(done)) == (stopped, started)
    assert [type(each) for each in done[1:]] == [actions.StopChild] * len(stopped) + [
        actions.StartChild
    ] * len(started)
    assert sorted(world.alive) == ["a", "b", "c", "d"]
    assert OVER in world.crash("b"), "the first counted once, so the second is one too many"


@pytest.mark.parametrize("strategy", ["one_for_all", "rest_for_one"])
def test_a_temporary_sibling_that_goes_down_does_not_come_back(strategy: str) -> None:
    temporary = Child("t", "T", restart="temporary")
    world = World(spec_of(strategy, "a", temporary, "c"))
    done = world.crash("a")
    assert stops(done) == ["c", "t"]
    assert starts(done) == ["a", "c"]
    assert actions.Forget("t") in done


def test_siblings_that_were_down_come_up_with_a_restart_that_covers_them() -> None:
    transient = Child("t", "T", restart="transient")
    for strategy, alive in [
        ("one_for_one", {"b", "c"}),
        ("rest_for_one", {"b", "c", "d"}),
        ("one_for_all", {"t", "b", "c", "d"}),
    ]:
        world = World(spec_of(strategy, transient, "b", "c", "d"))
        world.crash("t", NORMAL)
        world.send(events.TerminateChild("d"))
        world.crash("b")
        assert set(world.alive) == alive


def test_added_children_are_last_in_the_order() -> None:
    world = World(spec_of("rest_for_one", "a", "b"))
    world.send(events.AddChild(Child("z", "Z")), events.TerminateChild("a"))
    world.send(events.DeleteChild("a"), events.AddChild(Child("a", "A")))
    assert starts(world.crash("z")) == ["z", "a"]


def test_an_exit_that_is_no_news_changes_nothing() -> None:
    world = World(spec_of("one_for_one", "a"))
    world.crash("a")
    before = world.state
    for stale in (
        events.Exit("a", 1, NO_PAGE),
        events.Exit("stranger", 1, NO_PAGE),
        events.Started("a", 2),
        events.Stopped("a", 2, SHUTDOWN),
        events.StartFailed("a", 2, NO_DISK),
        events.TryAgain("a"),
        events.TryAgain("stranger"),
    ):
        assert decide(before, stale, 0) == (before, ())


# --- intensity


def test_one_restart_too_many_ends_the_supervisor_and_is_not_made() -> None:
    world = World(spec_of("one_for_one", "a", "b", "c", intensity=1))
    world.crash("a")
    done = world.crash("b")
    assert reports(done) == [
        ("child_terminated", "b", NO_PAGE),
        ("shutdown", "b", INTENSITY_REACHED),
    ]
    assert (starts(done), stops(done)) == ([], ["c", "a"])
    assert done[-1] == OVER
    assert world.state.phase == Down(SHUTDOWN)


def test_intensity_counts_all_children_and_forgets_after_the_period() -> None:
    world = World(spec_of("one_for_one", "a", "b", intensity=1))
    world.crash("a")
    world.now_ns = 6_000_000_000
    assert OVER not in world.crash("b")
    assert OVER in world.crash("a")


def test_a_crash_on_a_redelivery_is_restarted_and_not_counted() -> None:
    world = World(spec_of("one_for_all", "a", "b", intensity=1))
    for _ in range(5):
        world.take()
        done = world.send(world.exit("a", counted=False))
        assert (stops(done), starts(done)) == (["b"], ["a", "b"])
    assert OVER not in world.crash("a")
    assert OVER in world.crash("a")


@pytest.mark.parametrize("restart", ["permanent", "transient"])
def test_a_supervisor_that_gave_up_is_a_child_that_ended_with_shutdown(restart: str) -> None:
    below = World(spec_of("one_for_one", "x", intensity=0))
    (ended,) = [each for each in below.crash("x") if isinstance(each, actions.ExitSelf)]
    above = World(spec_of("one_for_one", Child("s", supervisor=below.spec, restart=restart)))
    done = above.crash("s", ended.reason)
    assert starts(done) == (["s"] if restart == "permanent" else [])


# --- a restart that fails


def test_a_failed_restart_is_tried_again_and_each_try_counts() -> None:
    world = World(spec_of("one_for_one", "a", "b", intensity=3))
    world.failing["a"] = 2
    done = world.crash("a")
    assert contexts(done) == [("child_terminated", "a"), *[("start_error", "a")] * 2]
    assert world.alive == {"b": 1, "a": 4}
    assert OVER in world.crash("b"), "three restarts are counted already"


def test_tries_that_exceed_the_intensity_end_the_supervisor() -> None:
    world = World(spec_of("one_for_one", "a", "b", intensity=2))
    world.failing["a"] = 2
    done = world.crash("a")
    assert contexts(done)[-1] == ("shutdown", "a")
    assert stops(done) == ["b"]
    assert done[-1] == OVER


def test_others_are_served_between_two_tries() -> None:
    world = World(spec_of("one_for_one", "a", "b"))
    world.held = {"a"}
    world.failing["a"] = 1
    world.crash("a")
    asked: list[events.Event] = [
        events.WhichChildren(),
        events.RestartChild("a"),
        events.DeleteChild("a"),
        events.AddChild(Child("a", "A")),
        world.exit("b"),
    ]
    world.send(*asked)
    done = world.answer()
    listed, *refused = [each.value for each in done if isinstance(each, actions.Reply)]
    assert [(row["child"], row["status"]) for row in listed] == [
        ("b", "running"),
        ("a", "restarting"),
    ]
    assert refused == [
        "restarting",
        "restarting",
        "already_present",
    ]
    assert starts(done) == ["b", "a"]


def test_stopping_a_child_whose_restart_failed_cancels_the_next_try() -> None:
    world = World(spec_of("one_for_all", "a", "b", "c"))
    world.held = {"b"}
    world.failing["b"] = 1
    world.crash("a")
    world.answer()  # b stopped
    world.send(events.TerminateChild("b"))
    done = world.answer()
    assert contexts(done) == [("start_error", "b")]
    assert (stops(done), starts(done)) == ([], [])
    assert statuses(world.state) == {"a": "running", "b": "undefined", "c": "undefined"}
    assert world.inbox == []


@pytest.mark.parametrize(
    ("strategy", "stopped", "started"),
    [
        ("one_for_all", ["d", "c", "b", "b", "a"], ["a", "b", "c", "a", "b", "c", "d"]),
        ("rest_for_one", ["d", "c", "b"], ["a", "b", "c", "c", "d"]),
    ],
)
def test_one_for_all_tries_again_with_all_and_rest_for_one_with_the_rest(
    strategy: str, stopped: list[str], started: list[str]
) -> None:
    world = World(spec_of(strategy, "a", "b", "c", "d"))
    world.failing["c"] = 1
    done = world.crash("a")
    assert (stops(done), starts(done)) == (stopped, started)


def test_a_restart_that_is_declined_is_a_success() -> None:
    world = World(spec_of("one_for_one", "a"))
    world.ignoring["a"] = 1
    assert contexts(world.crash("a")) == [("child_terminated", "a")]
    assert statuses(world.state) == {"a": "undefined"}


def test_a_restart_that_covers_a_queued_try_takes_its_place() -> None:
    world = World(spec_of("rest_for_one", "a", "b", "c", intensity=3))
    world.held = {"b"}
    world.failing["b"] = 1
    world.crash("b")
    world.send(world.exit("a"))
    world.held = set()
    done = world.answer()
    assert starts(done) == ["a", "b", "c"]
    assert world.alive == {"a": 2, "b": 3, "c": 2}
    assert world.inbox == []


def test_a_queued_try_is_void_when_a_later_restart_got_stuck_before_it() -> None:
    world = World(spec_of("rest_for_one", "a", "b", "c"))
    world.held = {"c"}
    world.failing.update(c=1, b=1)
    world.crash("c")
    world.send(world.exit("a"))
    world.held = set()
    assert starts(world.answer()) == ["a", "b", "b", "c"]
    assert world.inbox == []


# --- phases


def test_the_answer_of_an_earlier_incarnation_is_not_the_one_waited_for() -> None:
    world = World(spec_of("one_for_one", "a", "b"))
    world.held = {"a"}
    world.crash("a")
    for stale in (
        events.Started("a", 1),
        events.StartFailed("a", 1, NO_DISK),
        events.Ignored("a", 1),
        events.Stopped("a", 2, SHUTDOWN),
        events.Started("b", 2),
    ):
        assert decide(world.state, stale, 0) == (world.state, ())
    world.answer()
    assert world.state.phase == Idle()


def test_between_the_steps_of_a_restart_only_what_it_waits_for_is_taken() -> None:
    world = World(spec_of("one_for_all", "a", "b", "c"))
    world.held = {"b", "c"}
    world.crash("a")
    waiting: list[events.Event] = [
        events.Halt(SHUTDOWN),
        events.WhichChildren(),
        events.TryAgain("b"),
        events.Exit("b", 1, NO_PAGE),
        events.Exit("c", 0, NO_PAGE),
    ]
    assert not any(takes(world.state, event) for event in waiting)
    with pytest.raises(Broken, match="WhichChildren"):
        decide(world.state, events.WhichChildren(), 0)
    assert takes(world.state, events.Stopped("c", 1, SHUTDOWN))


def test_what_waits_during_a_restart_is_taken_after_it() -> None:
    world = World(spec_of("one_for_all", "a", "b"))
    world.held = {"b"}
    world.crash("a")
    world.send(events.Halt(SHUTDOWN))
    world.answer()
    done = world.answer()
    assert stops(done) == ["b"]
    assert world.answer() == [actions.StopChild("a", 2, 5.0), actions.ExitSelf(SHUTDOWN, True)]


def test_the_exit_of_a_sibling_that_died_too_is_consumed_by_its_stop() -> None:
    world = World(spec_of("one_for_all", "a", "b", "c", intensity=1))
    done = world.send(world.exit("a"), world.exit("b"))
    assert reports(done) == [
        ("child_terminated", "a", NO_PAGE),
        ("shutdown_error", "b", NO_PAGE),
    ]
    assert starts(done) == ["a", "b", "c"]
    assert world.inbox == []


def test_the_exit_of_a_child_that_was_restarted_since_is_stale() -> None:
    world = World(spec_of("one_for_all", "a", "b", intensity=1))
    world.held = {"b"}
    late = events.Exit("b", 1, NO_PAGE)
    world.crash("a")
    world.send(events.Stopped("b", 1, NO_PAGE), late)  # the shell answers with what ended it
    world.open.pop(0)
    assert contexts(world.done)[-1] == ("shutdown_error", "b")
    world.answer()
    assert world.alive == {"a": 2, "b": 2}
    assert world.inbox == []


def test_of_two_dead_siblings_each_starts_what_comes_after_it() -> None:
    later_first = World(spec_of("rest_for_one", "a", "b", "c"))
    done = later_first.send(later_first.exit("c"), later_first.exit("a"))
    assert starts(done) == ["c", "a", "b", "c"]
    earlier_first = World(spec_of("rest_for_one", "a", "b", "c"))
    done = earlier_first.send(earlier_first.exit("a"), earlier_first.exit("c"))
    assert starts(done) == ["a", "b", "c"]


# --- stopping


def test_a_stop_takes_children_down_in_reverse_order_each_in_its_own_way() -> None:
    children = [
        Child("a", "A", shutdown="brutal_kill"),
        Child("b", "B", shutdown="infinity"),
        Child("c", "C", shutdown=0.5),
    ]
    world = World(spec_of("one_for_one", *children))
    world.endings["a"] = KILLED
    reason = Reason("shutdown", "drain")
    assert world.send(events.Halt(reason)) == [
        actions.StopChild("c", 1, 0.5),
        actions.StopChild("b", 1, "infinity"),
        actions.StopChild("a", 1, "brutal_kill"),
        actions.ExitSelf(reason, asked=True),
    ]


def test_a_stop_that_finds_the_supervisor_ended_is_told_what_ended_it() -> None:
    world = World(spec_of("one_for_one", "a", intensity=0))
    world.crash("a")
    world.take()
    assert world.send(events.Halt(KILLED)) == [actions.ExitSelf(SHUTDOWN, asked=True)]


@pytest.mark.parametrize(
    ("shutdown", "restart", "reason", "reported"),
    [
        (5.0, "permanent", SHUTDOWN, False),
        (5.0, "permanent", NORMAL, True),
        (5.0, "permanent", SHUTDOWN_X, True),
        (5.0, "transient", NORMAL, False),
        (5.0, "temporary", SHUTDOWN_X, False),
        (5.0, "transient", KILLED, True),
        ("infinity", "transient", NO_PAGE, True),
        ("brutal_kill", "permanent", KILLED, False),
        ("brutal_kill", "permanent", SHUTDOWN, True),
        ("brutal_kill", "transient", SHUTDOWN, False),
        ("brutal_kill", "transient", NO_PAGE, True),
    ],
)
def test_a_stop_that_ends_badly_is_reported(
    shutdown: float | str, restart: str, reason: Reason, reported: bool
) -> None:
    world = World(spec_of("one_for_one", Child("a", "A", shutdown=shutdown, restart=restart)))
    world.endings["a"] = reason
    done = world.send(events.Halt(SHUTDOWN))
    assert reports(done) == ([("shutdown_error", "a", reason)] if reported else [])
    assert done[-1] == actions.ExitSelf(SHUTDOWN, True)
