"""What a supervisor does about one event: OTP's supervisor, as one pure function.

    state, actions = decide(state, event, now_ns)

OTP's supervisor is blocked while it starts or stops a child; here it is in a phase between two
turns, and `takes` says which events it takes then. The shell leaves the others where they are, in
order, and offers them again after each turn.
"""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from perdure.mailbox.control import NORMAL, SHUTDOWN, Reason
from perdure.supervisors import actions, events
from perdure.supervisors.calls import call
from perdure.supervisors.entry import Entry
from perdure.supervisors.restarts import add_restart
from perdure.supervisors.state import (
    Down,
    Emptying,
    Ending,
    Idle,
    Init,
    Restart,
    Starting,
    Stopping,
    Supervision,
)
from perdure.supervisors.walk import (
    Decision,
    after,
    answered,
    broken,
    emptied,
    let_go,
    report,
    start_all,
    stop_all,
    stopped,
)

INTENSITY_REACHED = Reason("crash", "reached_max_restart_intensity")
ESCALATED = Reason("crash", "escalated")
"""Why a supervisor gives up: the restore ladder of a child ends with it. Not OTP's."""


_ALWAYS = (
    events.Begin,
    events.Decline,
    events.CannotBegin,
    events.Started,
    events.StartFailed,
    events.Ignored,
    events.Stopped,
)


def takes(state: Supervision, event: events.Event) -> bool:
    """Whether the supervisor takes `event` in its phase; if not, it stays in the inbox.

    A start or an answer is always taken: one that is stale changes nothing.
    """
    if isinstance(event, _ALWAYS):
        return True
    match state.phase:
        case Idle():
            return True
        case Down():
            return isinstance(event, events.Halt | events.Exit | events.TryAgain)
        case Starting():
            return False
        case Stopping(child=child):
            return (
                isinstance(event, events.Exit)
                and event.child == child
                and event.incarnation == state.children[child].incarnation
            )
        case Emptying():
            return isinstance(event, events.Exit)
        case _:
            assert_never(state.phase)


def decide(state: Supervision, event: events.Event, now_ns: int) -> Decision:
    """The next state, and what to do now, in order; `now_ns` is ledger time.

    Raises `Broken` for an event that `takes` refuses.
    """
    if not takes(state, event):
        raise broken(state, event)
    match event:
        case events.Begin():
            return _begin(state, event)
        case events.Decline():
            return _not_begun(state, actions.Declined(), NORMAL)
        case events.CannotBegin(reason=reason):
            return _not_begun(state, actions.InitFailed(reason), reason)
        case events.Halt(reason=reason, asked=asked):
            return _halt(state, reason, asked)
        case events.Started() | events.StartFailed() | events.Ignored() | events.Stopped():
            return answered(state, event)
        case events.Exit():
            return _exit(state, event, now_ns)
        case events.TryAgain(child=child):
            return _try_again(state, child, now_ns)
        case (
            events.AddChild()
            | events.AddInstance()
            | events.TerminateChild()
            | events.RestartChild()
            | events.DeleteChild()
            | events.WhichChildren()
            | events.CountChildren()
            | events.GetChildSpec()
            | events.CodeChange()
        ):
            return call(state, event)
        case _:
            assert_never(event)


def _begin(state: Supervision, event: events.Begin) -> Decision:
    """A new life runs on the original specs: children added since are forgotten."""
    lasting = state.lasting(event.spec)
    gone = [actions.Forget(child) for child in state.children if child not in lasting]
    return after(gone, start_all(state.begun(event.spec), Init()))


def _not_begun(state: Supervision, action: actions.Action, reason: Reason) -> Decision:
    """A new life that is none: nothing of the one before lasts."""
    gone = [actions.Forget(child) for child in state.children]
    return Supervision(numbered=state.numbered, phase=Down(reason)), (*gone, action)


def _halt(state: Supervision, reason: Reason, asked: bool) -> Decision:
    """A stop that finds the supervisor down is answered with what had ended it."""
    if isinstance(state.phase, Down):
        return state, (actions.ExitSelf(state.phase.reason or reason, asked),)
    return stop_all(state, Ending(reason, asked))


def _exit(state: Supervision, event: events.Exit, now_ns: int) -> Decision:
    entry = state.entry_of(event.child, event.incarnation)
    if entry is None:
        return state, ()
    if isinstance(state.phase, Stopping):
        # It died before its stop reached it: its exit is consumed here and starts nothing.
        return stopped(state, entry, state.phase.why, event.reason)
    if isinstance(state.phase, Emptying):
        return emptied(state, entry, event.reason)
    reason = event.reason
    ended = report("child_terminated", entry, reason)
    restart = entry.spec.restart
    if restart == "permanent" or (restart == "transient" and reason.abnormal):
        if event.escalated:
            return after((ended,), _give_up(state, entry, ESCALATED))
        return after((ended,), _restart(state, entry, now_ns, counted=event.counted))
    down, gone = let_go(state, entry)
    told = (ended,) if reason.abnormal else ()
    return after((*told, *gone), _auto_shutdown(down, entry))


def _try_again(state: Supervision, child: str, now_ns: int) -> Decision:
    """The retry of a failed restart, unless the child was stopped or started meanwhile."""
    entry = state.children.get(child)
    if not isinstance(state.phase, Idle) or entry is None or entry.status != "restarting":
        return state, ()
    return _restart(state, entry, now_ns, counted=True)


def _restart(state: Supervision, entry: Entry, now_ns: int, *, counted: bool) -> Decision:
    if counted:
        window, allowed = add_restart(
            state.restarts, now_ns, intensity=state.intensity, period_seconds=state.period
        )
        state = replace(state, restarts=window)
        if not allowed:
            return _give_up(state, entry, INTENSITY_REACHED)
    down = state.with_entry(entry.to("undefined"))
    why = Restart(entry.id)
    return stop_all(_nobody_restarting(down, why), why)


def _give_up(state: Supervision, entry: Entry, why: Reason) -> Decision:
    """The supervisor ends because of a child: its own supervisor is to deal with that."""
    told = report("shutdown", entry, why)
    down, gone = let_go(state, entry)
    return after((told, *gone), stop_all(down, Ending(SHUTDOWN, False)))


def _nobody_restarting(state: Supervision, why: Restart) -> Supervision:
    """A restart that covers a child whose own retry is queued takes that retry's place."""
    for child in state.scope(why):
        entry = state.children[child]
        if entry.status == "restarting":
            state = state.with_entry(entry.to("undefined"))
    return state


def _auto_shutdown(state: Supervision, entry: Entry) -> Decision:
    """Whether the end of a child that is not restarted ends the supervisor."""
    if not entry.spec.significant or state.auto_shutdown == "never":
        return state, ()
    left = any(e.spec.significant and e.status != "undefined" for e in state.children.values())
    if left and state.auto_shutdown == "all_significant":
        return state, ()
    return stop_all(state, Ending(SHUTDOWN, False))
