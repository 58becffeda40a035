"""Laws that hold whatever happens: random lives of a supervisor in the tiny world."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from hypothesis import assume, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from perdure.mailbox.control import KILLED, NORMAL, SHUTDOWN, Reason
from perdure.supervisors import actions, events
from perdure.supervisors.checks import ORDINARY, RESTARTS
from perdure.supervisors.spec import Child, SupervisorSpec
from perdure.supervisors.state import Down, Idle
from tests.supervisors.tiny import NO_PAGE, World

SECOND = 1_000_000_000
IDS = ("a", "b", "c", "d", "e")
children = st.builds(
    lambda restart, significant: {
        "restart": restart,
        "significant": significant and restart != "permanent",
    },
    st.sampled_from(RESTARTS),
    st.booleans(),
)
reasons = st.sampled_from([NORMAL, SHUTDOWN, Reason("shutdown", "x"), NO_PAGE, KILLED])


class Life(RuleBasedStateMachine):
    """One supervisor, to which anything happens."""

    @initialize(
        strategy=st.sampled_from(ORDINARY),
        intensity=st.integers(0, 4),
        auto_shutdown=st.sampled_from(["any_significant", "all_significant"]),
        given=st.lists(children, max_size=4),
    )
    def begin(
        self, strategy: str, intensity: int, auto_shutdown: str, given: list[dict[str, Any]]
    ) -> None:
        self.spec = SupervisorSpec(
            strategy=strategy,
            intensity=intensity,
            period=5,
            auto_shutdown=auto_shutdown,
            children=[Child(id, "A", **each) for id, each in zip(IDS, given, strict=False)],
        )
        self.world = World(self.spec)
        self.restarted: list[int] = []  # seconds of the counted restarts of this life

    def is_up(self) -> bool:
        return self.world.state.phase == Idle()

    def drawn(self, data: st.DataObject, ids: list[str]) -> str:
        assume(ids)
        return data.draw(st.sampled_from(sorted(ids)))

    @precondition(is_up)
    @rule(data=st.data(), counted=st.booleans())
    def some_children_end_at_once(self, data: st.DataObject, counted: bool) -> None:
        self.drawn(data, list(self.world.alive))
        ends = data.draw(
            st.lists(st.sampled_from(sorted(self.world.alive)), unique=True, min_size=1)
        )
        exits = [self.world.exit(each, data.draw(reasons), counted=counted) for each in ends]
        self.settle(*exits, counted=counted)

    @precondition(is_up)
    @rule(data=st.data(), failures=st.integers(1, 3))
    def the_next_starts_of_a_child_will_fail(self, data: st.DataObject, failures: int) -> None:
        self.world.failing[data.draw(st.sampled_from(IDS))] = failures

    @precondition(is_up)
    @rule(data=st.data())
    def the_next_start_of_a_child_will_be_declined(self, data: st.DataObject) -> None:
        self.world.ignoring[data.draw(st.sampled_from(IDS))] = 1

    @rule(seconds=st.sampled_from([1, 4, 6]))
    def time_passes(self, seconds: int) -> None:
        self.world.now_ns += seconds * SECOND

    @precondition(is_up)
    @rule(id=st.sampled_from(IDS), given=children)
    def a_child_is_added(self, id: str, given: dict[str, Any]) -> None:
        self.settle(events.AddChild(Child(id, "A", **given)))

    @precondition(is_up)
    @rule(
        call=st.sampled_from([events.TerminateChild, events.RestartChild, events.DeleteChild]),
        id=st.sampled_from(IDS),
        crasher=st.sampled_from(IDS),
    )
    def a_call_comes_behind_a_crash(self, call: Any, id: str, crasher: str) -> None:
        exits = [self.world.exit(crasher)] if crasher in self.world.alive else []
        self.settle(*exits, call(id), in_order=False)

    @precondition(is_up)
    @rule(behind=st.sampled_from(IDS))
    def it_is_told_to_stop(self, behind: str) -> None:
        exits = [self.world.exit(behind)] if behind in self.world.alive else []
        done = self.settle(*exits, events.Halt(SHUTDOWN))
        assert isinstance(done[-1], actions.ExitSelf)

    @precondition(lambda self: isinstance(self.world.state.phase, Down))
    @rule()
    def it_is_started_again(self) -> None:
        self.restarted = []
        done = self.settle(events.Begin(self.spec))
        assert isinstance(done[-1], actions.Ready | actions.InitFailed)

    def settle(
        self, *new: events.Event, counted: bool = True, in_order: bool = True
    ) -> list[actions.Action]:
        """The supervisor deals with it all; what it did obeys the order and the intensity."""
        self.world.take()
        begins = any(isinstance(each, events.Begin) for each in new)
        order = [c.id for c in self.spec.children] if begins else list(self.world.state.children)
        order += [
            each.child.id
            for each in new
            if isinstance(each, events.AddChild) and isinstance(each.child, Child)
        ]
        done = self.world.send(*new)
        if isinstance(self.world.state.phase, Down):
            self.world.inbox.clear()  # calls that it left to its next life
        assert self.world.inbox == []
        if in_order:  # a call may start any child next
            self.check_order(done, order)
        if counted:
            self.check_intensity(done)
        return done

    def check_order(self, done: list[actions.Action], order: list[str]) -> None:
        """Neighbouring stops go down the start order, neighbouring starts go up it."""
        for pair in pairwise(done):
            match pair:
                case (actions.StopChild(child=later), actions.StopChild(child=earlier)) | (
                    actions.StartChild(child=earlier),
                    actions.StartChild(child=later),
                ):
                    assert order.index(earlier) < order.index(later)
                case _:
                    pass

    def check_intensity(self, done: list[actions.Action]) -> None:
        """At most `intensity` exits of a period lead to a restart; retries not even looked at."""
        now, died = self.world.now_ns // SECOND, ""
        for each in done:
            match each:
                case actions.Report(context="child_terminated", child=child):
                    died = child
                case actions.Forget(child=child) if child == died:
                    died = ""  # it was temporary: what starts next is not for its sake
                case actions.StartChild() if died:
                    self.restarted.append(now)
                    died = ""
        assert sum(second >= now - 5 for second in self.restarted) <= self.spec.intensity

    @invariant()
    def it_rests_when_nothing_is_left_to_do(self) -> None:
        assert isinstance(self.world.state.phase, Idle | Down)

    @invariant()
    def it_knows_who_is_alive(self) -> None:
        known = {e.id: e.incarnation for e in self.world.state.children.values() if e.is_running}
        assert known == self.world.alive
        assert not isinstance(self.world.state.phase, Down) or not known


Life.TestCase.settings = settings(max_examples=60, stateful_step_count=20, deadline=None)
TestLife = Life.TestCase
