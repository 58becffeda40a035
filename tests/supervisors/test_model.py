"""`decide` does what the model does, whatever happens: same order, same answers, same state."""

from __future__ import annotations

from typing import Any

from hypothesis import assume, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from perdure.mailbox.control import NORMAL, SHUTDOWN, Reason
from perdure.supervisors import actions, events
from perdure.supervisors.checks import RESTARTS
from perdure.supervisors.spec import Child, SupervisorSpec
from perdure.supervisors.state import Down
from tests.supervisors.model import Kid, Model
from tests.supervisors.tiny import World

SECOND = 1_000_000_000
CALLER = (7, 12, 0, "ask#1")
NAMES = ("a", "b", "c", "d")
NUMBERS = ("1", "2", "3", "4")
REASONS = {"normal": NORMAL, "shutdown": SHUTDOWN, "boom": Reason("crash", "boom")}
reasons = st.sampled_from(list(REASONS))
picks = st.integers(0, 3)


def kids(name: str) -> st.SearchStrategy[Kid]:
    return st.builds(
        lambda restart, significant: Kid(name, restart, significant and restart != "permanent"),
        st.sampled_from(RESTARTS),
        st.booleans(),
    )


def child(kid: Kid) -> Child:
    return Child(kid.id, "A", restart=kid.restart, significant=kid.significant)


class Both(RuleBasedStateMachine):
    """A supervisor in the tiny world, and the model, to which the same happens."""

    @initialize(
        strategy=st.sampled_from(
            ["one_for_one", "one_for_all", "rest_for_one", "simple_one_for_one"]
        ),
        intensity=st.integers(0, 4),
        auto_shutdown=st.sampled_from(["any_significant", "all_significant"]),
        given=st.tuples(*map(kids, NAMES)),
        many=st.integers(1, 4),
    )
    def begin(
        self, strategy: str, intensity: int, auto_shutdown: str, given: tuple[Kid, ...], many: int
    ) -> None:
        self.pool = strategy == "simple_one_for_one"
        self.ids = NUMBERS if self.pool else NAMES
        first = list(given[: 1 if self.pool else many])
        self.world = World(
            SupervisorSpec(
                strategy=strategy,
                intensity=intensity,
                period=5,
                auto_shutdown=auto_shutdown,
                children=[child(kid) for kid in first],
            )
        )
        self.model = Model(strategy, intensity, auto_shutdown, first)
        self.model.log.clear()

    def is_up(self) -> bool:
        return self.model.up

    @precondition(is_up)
    @rule(picked=picks, fault=st.sampled_from(["fail", "ignore", "badly"]), times=st.integers(1, 3))
    def a_child_will_be_difficult(self, picked: int, fault: str, times: int) -> None:
        id = self.ids[picked]
        if fault == "badly":
            reason = ["boom", "normal", "shutdown"][times - 1]
            self.model.endings[id], self.world.endings[id] = reason, REASONS[reason]
        elif fault == "fail":
            self.model.failing[id] = self.world.failing[id] = times
        else:
            self.model.ignoring[id] = self.world.ignoring[id] = 1

    @rule(seconds=st.sampled_from([1, 4, 6]))
    def time_passes(self, seconds: int) -> None:
        self.model.now += seconds
        self.world.now_ns += seconds * SECOND

    @precondition(is_up)
    @rule(ends=st.lists(st.tuples(picks, reasons), max_size=3, unique_by=lambda end: end[0]),
          calls=st.lists(st.tuples(st.sampled_from(["terminate", "restart", "delete"]), picks),
                         max_size=3))  # fmt: skip
    def children_end_and_calls_come(
        self, ends: list[tuple[int, str]], calls: list[tuple[str, int]]
    ) -> None:
        sent: list[events.Event] = []
        for picked, reason in ends:
            if self.ids[picked] in self.world.alive:
                sent.append(self.world.exit(self.ids[picked], REASONS[reason]))
                self.model.ends(self.ids[picked], reason)
        kinds: dict[str, Any] = {
            "terminate": events.TerminateChild,
            "restart": events.RestartChild,
            "delete": events.DeleteChild,
        }
        for call, picked in calls:
            sent.append(kinds[call](self.ids[picked], CALLER))
            self.model.call(f"{call}_child", self.ids[picked])
        assume(sent)
        self.compare(sent)

    @precondition(is_up)
    @rule(kid=st.integers(0, 3).flatmap(lambda n: kids(NAMES[n])))
    def a_child_is_added(self, kid: Kid) -> None:
        self.model.call("start_child", None if self.pool else kid)
        added = events.AddInstance({}, CALLER) if self.pool else events.AddChild(child(kid), CALLER)
        self.compare([added])

    def compare(self, sent: list[events.Event]) -> None:
        self.model.log.clear()
        self.model.replies.clear()
        self.model.run()
        self.world.take()
        done = self.world.send(*sent)
        assert [each for each in map(shown, done) if each] == self.model.log
        replies = [answer(each) for each in done if isinstance(each, actions.Reply)]
        assert replies == self.model.replies
        assert isinstance(self.world.state.phase, Down) != self.model.up

    @invariant()
    def they_know_the_same(self) -> None:
        known = [(entry.id, entry.status) for entry in self.world.state.children.values()]
        assert known == [(kid.id, kid.state) for kid in self.model.kids]


def shown(action: actions.Action) -> tuple[Any, ...] | None:
    match action:
        case actions.StartChild(child=id):
            return "start", id
        case actions.StopChild(child=id):
            return "stop", id
        case actions.Report(context="start_error", child=id):
            return "start_error", id
        case actions.Report(context=context, child=id, reason=reason, nb_children=count):
            why = reason.detail if reason.kind == "crash" else reason.kind
            return context, id if count is None else f"*{count}", why
        case _:
            return None


def answer(reply: actions.Reply) -> tuple[bool, Any]:
    return reply.ok, "failed" if isinstance(reply.value, Reason) else reply.value


Both.TestCase.settings = settings(max_examples=100, stateful_step_count=25, deadline=None)
TestBoth = Both.TestCase
