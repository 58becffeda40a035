"""A world for one supervisor: children that start, fail, hang and stop as a test says.

It holds itself to what a shell promises: an event waits until `takes` says yes, and a child is
started only when down and stopped only when told to. It checks the state's data at each turn.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from perdure.mailbox.control import SHUTDOWN, Reason
from perdure.supervisors import actions, events
from perdure.supervisors.decide import decide, takes
from perdure.supervisors.spec import Child, SupervisorSpec
from perdure.supervisors.state import Supervision
from perdure.supervisors.stored import from_data, to_data

NO_PAGE = Reason("crash", "ValueError: no such page")
NO_DISK = Reason("crash", "OSError: no disk")


def spec_of(strategy: str, *children: Child | str, intensity: int = 10) -> SupervisorSpec:
    """A supervisor of those children; one given by its id alone is a permanent worker."""
    return SupervisorSpec(
        strategy=strategy,
        intensity=intensity,
        auto_shutdown="any_significant" if significant(children) else "never",
        children=[Child(c, "Worker") if isinstance(c, str) else c for c in children],
    )


def significant(children: Iterable[Child | str]) -> bool:
    return any(isinstance(child, Child) and child.significant for child in children)


class World:
    """One supervisor and its children; `done` is what it did since `take` was last asked."""

    def __init__(self, spec: SupervisorSpec, *, begin: bool = True) -> None:
        self.spec = spec
        self.given = [child.id for child in spec.children]
        self.state = Supervision()
        self.now_ns = 0
        self.inbox: list[events.Event] = []
        self.done: list[actions.Action] = []
        self.alive: dict[str, int] = {}  # child -> incarnation
        self.born: dict[str, int] = {}  # child -> its actor's last incarnation
        self.failing: Counter[str] = Counter()  # child -> how many of its next starts fail
        self.ignoring: Counter[str] = Counter()
        self.endings: dict[str, Reason] = {}  # child -> what its stop makes of it
        self.held: set[str] = set()  # children that do not answer by themselves
        self.open: list[events.Event] = []  # their answers
        if begin:
            self.send(events.Begin(spec))
            self.take()

    # --- what tests do

    def send(self, *new: events.Event) -> list[actions.Action]:
        """Put events into the inbox and let the supervisor take what it takes."""
        self.inbox += new
        while self._turn():
            pass
        return self.done

    def take(self) -> list[actions.Action]:
        """What was done since, and forget it."""
        done, self.done = self.done, []
        return done

    def exit(self, child: str, reason: Reason = NO_PAGE, *, counted: bool = True) -> events.Exit:
        """The child ends by itself: the exit that its supervisor will get."""
        return events.Exit(child, self.alive.pop(child), reason, counted)

    def crash(self, child: str, reason: Reason = NO_PAGE) -> list[actions.Action]:
        """The child ends by itself and the supervisor deals with it: what it did."""
        self.take()
        return self.send(self.exit(child, reason))

    def answer(self) -> list[actions.Action]:
        """The oldest answer that was held back arrives: what the supervisor did."""
        self.take()
        return self.send(self.open.pop(0))

    # --- the shell and the children

    def _turn(self) -> bool:
        for index, event in enumerate(self.inbox):
            if takes(self.state, event):
                del self.inbox[index]
                if isinstance(event, events.CodeChange):
                    self.given += _named(event)
                self.state, todo = decide(self.state, event, self.now_ns)
                assert from_data(to_data(self.state)) == self.state
                for action in todo:
                    self.done.append(action)
                    self._act(action)
                return True
        return False

    def _act(self, action: actions.Action) -> None:
        match action:
            case actions.StartChild(child=child, incarnation=incarnation):
                self._start(child, incarnation)
            case actions.StopChild(child=child, incarnation=incarnation):
                self._stop(child, incarnation)
            case actions.Forget(child=child):
                assert child in {*self.born, *self.given}, f"{child} was never there"
                assert child not in self.alive, f"{child} is forgotten and alive"
                self.born.pop(child, None)
            case actions.TryAgain(child=child):
                self.inbox.append(events.TryAgain(child))
            case actions.ExitSelf() | actions.InitFailed():
                assert not self.alive, "the supervisor ends before its children"
            case _:
                pass

    def _start(self, child: str, incarnation: int) -> None:
        assert child not in self.alive, f"{child} is started twice"
        assert incarnation == self.born.get(child, 0) + 1
        self.born[child] = incarnation
        if self.failing[child]:
            self.failing[child] -= 1
            self._answer(child, events.StartFailed(child, incarnation, NO_DISK))
        elif self.ignoring[child]:
            self.ignoring[child] -= 1
            self._answer(child, events.Ignored(child, incarnation))
        else:
            self.alive[child] = incarnation
            self._answer(child, events.Started(child, incarnation))

    def _stop(self, child: str, incarnation: int) -> None:
        assert incarnation == self.born[child]
        if child in self.alive:  # otherwise its exit is in the inbox, and is the answer
            del self.alive[child]
            reason = self.endings.get(child, SHUTDOWN)
            self._answer(child, events.Stopped(child, incarnation, reason))

    def _answer(self, child: str, event: events.Event) -> None:
        (self.open if child in self.held else self.inbox).append(event)


def _named(event: events.CodeChange) -> list[str]:
    spec = event.spec
    return [child.id for child in spec.children] if isinstance(spec, SupervisorSpec) else []


def starts(done: Iterable[actions.Action]) -> list[str]:
    return [each.child for each in done if isinstance(each, actions.StartChild)]


def stops(done: Iterable[actions.Action]) -> list[str]:
    return [each.child for each in done if isinstance(each, actions.StopChild)]


def reports(done: Iterable[actions.Action]) -> list[tuple[str, str, Reason]]:
    return [(r.context, r.child, r.reason) for r in done if isinstance(r, actions.Report)]


def contexts(done: Iterable[actions.Action]) -> list[tuple[str, str]]:
    return [(context, child) for context, child, _ in reports(done)]


def statuses(state: Supervision) -> dict[str, str]:
    return {entry.id: entry.status for entry in state.children.values()}
