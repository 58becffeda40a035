"""Starting children in order and stopping them in reverse order, one at a time, across turns.

Each function takes the state and returns the next one, with what is to be done now.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import assert_never

from perdure.errors import Broken
from perdure.mailbox.control import Reason, start_failed
from perdure.supervisors import actions, events
from perdure.supervisors.actions import Action
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
    StartWhy,
    StopCall,
    Stopping,
    StopWhy,
    Supervision,
)

Decision = tuple[Supervision, tuple[Action, ...]]


def after(first: Sequence[Action], decision: Decision) -> Decision:
    """A decision with other actions before its own."""
    return decision[0], (*first, *decision[1])


def let_go(state: Supervision, entry: Entry) -> Decision:
    """A child that ended and is not started now: down, and if temporary forgotten."""
    if entry.restart == "temporary":
        return state.without(entry.id), (actions.Forget(entry.id),)
    return state.with_entry(replace(entry, status="undefined")), ()


def start_all(state: Supervision, why: StartWhy) -> Decision:
    """Start the children in the scope of `why`, first to last."""
    return _start_next(state, state.scope(why), why)


def stop_all(state: Supervision, why: StopWhy) -> Decision:
    """Stop the children in the scope of `why`, last to first, then go on with `why`."""
    return _stop_next(state, state.scope(why), why)


def _start_next(state: Supervision, ids: Sequence[str], why: StartWhy) -> Decision:
    if not ids:
        return _all_started(state, why)
    entry = state.children[ids[0]]
    entry = replace(entry, status="undefined", incarnation=entry.incarnation + 1)
    next_state = replace(state.with_entry(entry), phase=Starting(entry.id, why))
    return next_state, (actions.StartChild(entry.id, entry.incarnation),)


def _all_started(state: Supervision, why: StartWhy) -> Decision:
    match why:
        case Init():
            return state.at(Idle()), (actions.Ready(),)
        case Restart():
            return state.at(Idle()), ()
        case StartCall(child=child, caller=caller):
            entry = state.children.get(child)
            started = child if entry is not None and entry.is_running else None
            return state.at(Idle()), (actions.Reply(caller, True, started),)
        case _:
            assert_never(why)


def _stop_next(state: Supervision, ids: Sequence[str], why: StopWhy) -> Decision:
    for child in reversed(ids):
        entry = state.children[child]
        if entry.is_running:
            stop = actions.StopChild(child, entry.incarnation, entry.shutdown)
            return state.at(Stopping(child, why)), (stop,)
    return _all_stopped(state, why)


def _all_stopped(state: Supervision, why: StopWhy) -> Decision:
    match why:
        case Restart():
            return start_all(state, why)
        case Ending(reason=reason, asked=asked):
            return state.at(Down(reason)), (actions.ExitSelf(reason, asked),)
        case Aborting(reason=reason):
            return state.at(Down(reason)), (actions.InitFailed(reason),)
        case StopCall(caller=caller):
            return state.at(Idle()), (actions.Reply(caller, True),)
        case _:
            assert_never(why)


def answered(state: Supervision, event: events.Answer) -> Decision:
    """What a child's answer to a start or a stop leads to; an answer nobody awaits, to nothing."""
    phase = state.phase
    if not isinstance(phase, Starting | Stopping) or event.child != phase.child:
        return state, ()
    entry = state.children[phase.child]
    if event.incarnation != entry.incarnation:
        return state, ()
    match phase, event:
        case Starting(why=why), events.Started():
            ids = _later(state, entry, why)
            return _start_next(state.with_entry(replace(entry, status="running")), ids, why)
        case Starting(why=why), events.Ignored():
            ids = _later(state, entry, why)
            down, gone = let_go(state, entry)
            return after(gone, _start_next(down, ids, why))
        case Starting(why=why), events.StartFailed(reason=reason):
            return _start_failed(state, entry, why, reason)
        case Stopping(why=why), events.Stopped(reason=reason):
            return stopped(state, entry, why, reason)
        case _:
            return state, ()


def _later(state: Supervision, entry: Entry, why: StartWhy) -> list[str]:
    ids = state.scope(why)
    return ids[ids.index(entry.id) + 1 :]


def _start_failed(state: Supervision, entry: Entry, why: StartWhy, reason: Reason) -> Decision:
    child = entry.id
    report = actions.Report("start_error", child, reason)
    match why:
        case Init():
            return after((report,), stop_all(state, Aborting(start_failed(child, reason))))
        case Restart():
            tried = state.with_entry(replace(entry, status="restarting")).at(Idle())
            return tried, (report, actions.TryAgain(child))
        case StartCall(new=new, caller=caller):
            refused = actions.Reply(caller, False, reason)
            if new:
                return state.without(child).at(Idle()), (actions.Forget(child), refused)
            return state.at(Idle()), (refused,)
        case _:
            assert_never(why)


def stopped(state: Supervision, entry: Entry, why: StopWhy, reason: Reason) -> Decision:
    """The child in flight has stopped: report it if it ended badly, then stop the one before."""
    ids = state.scope(why)
    earlier = ids[: ids.index(entry.id)]
    told = () if ended_well(entry, reason) else (_shutdown_error(entry, reason),)
    down, gone = let_go(state, entry)
    return after((*told, *gone), _stop_next(down, earlier, why))


def _shutdown_error(entry: Entry, reason: Reason) -> Action:
    return actions.Report("shutdown_error", entry.id, reason)


def ended_well(entry: Entry, reason: Reason) -> bool:
    """Whether a stopped child's reason is one that its stop may have (OTP reports the others)."""
    expected = "killed" if entry.shutdown == "brutal_kill" else "shutdown"
    if reason.kind == expected and reason.detail is None:
        return True
    return not reason.abnormal and entry.restart != "permanent"


def broken(state: Supervision, event: events.Event) -> Broken:
    """The error of an event that the phase does not take."""
    return Broken(
        f"a supervisor got {event!r} in the phase {state.phase!r}, which does not take it"
    )
