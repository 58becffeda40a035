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
from perdure.supervisors.entry import Entry
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
    """A child that ended and is not started now: down, and if temporary or in a pool forgotten."""
    if state.is_pool or entry.spec.restart == "temporary":
        return state.without(entry.id), (actions.Forget(entry.id),)
    return state.with_entry(entry.to("undefined")), ()


def start_all(state: Supervision, why: StartWhy) -> Decision:
    """Start the children in the scope of `why`, first to last."""
    return _start_next(state, state.scope(why), why)


def stop_all(state: Supervision, why: StopWhy) -> Decision:
    """Stop the children in the scope of `why`, last to first, then go on with `why`.

    A pool that ends stops all of its children at once.
    """
    if isinstance(why, Ending) and state.is_pool:
        return empty(state, why)
    return _stop_next(state, state.scope(why), why)


def _start_next(state: Supervision, ids: Sequence[str], why: StartWhy) -> Decision:
    if not ids:
        return _all_started(state, why)
    entry = state.children[ids[0]].next_life()
    if state.is_pool:
        state = replace(state, starts=state.starts + 1)
        entry = replace(entry, place=state.starts)
    starting = state.with_entry(entry, Starting(entry.id, why))
    return starting, (actions.StartChild(entry.id, entry.incarnation),)


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
    forgotten: list[Action] = []
    for child in reversed(ids):
        entry = state.children[child]
        if entry.is_running:
            return state.at(Stopping(child, why)), (*forgotten, _stop(entry))
        if entry.spec.restart == "temporary":  # new code named it, and nothing started it yet
            state, gone = let_go(state, entry)
            forgotten += gone
    return after(forgotten, _all_stopped(state, why))


def _stop(entry: Entry) -> Action:
    return actions.StopChild(entry.id, entry.incarnation, entry.spec.shutdown)


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
    if isinstance(phase, Emptying) and isinstance(event, events.Stopped):
        found = state.entry_of(event.child, event.incarnation)
        return (state, ()) if found is None else emptied(state, found, event.reason)
    if not isinstance(phase, Starting | Stopping) or event.child != phase.child:
        return state, ()
    entry = state.children[phase.child]
    if event.incarnation != entry.incarnation:
        return state, ()
    match phase, event:
        case Starting(why=why), events.Started():
            return _started(state, entry, why)
        case Starting(why=why), events.Ignored():
            if isinstance(why, StartCall) and not why.new:
                return _start_next(state, [], why)  # as it was before that call: down
            ids = _later(state, entry, why)
            down, gone = let_go(state, entry)
            return after(gone, _start_next(down, ids, why))
        case Starting(why=why), events.StartFailed(reason=reason):
            return _start_failed(state, entry, why, reason)
        case Stopping(why=why), events.Stopped(reason=reason):
            return stopped(state, entry, why, reason)
        case _:
            return state, ()


def _started(state: Supervision, entry: Entry, why: StartWhy) -> Decision:
    running = entry.to("running")
    if isinstance(why, StartCall) and why.new:
        running = entry.added(of_template=state.template is not None)
    return _start_next(state.with_entry(running), _later(state, entry, why), why)


def _later(state: Supervision, entry: Entry, why: StartWhy) -> list[str]:
    ids = state.scope(why)
    return ids[ids.index(entry.id) + 1 :]


def _start_failed(state: Supervision, entry: Entry, why: StartWhy, reason: Reason) -> Decision:
    child = entry.id
    told = report("start_error", entry, reason)
    match why:
        case Init():
            return after((told,), stop_all(state, Aborting(start_failed(child, reason))))
        case Restart():
            tried = state.with_entry(entry.to("restarting")).at(Idle())
            return tried, (told, actions.TryAgain(child))
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
    told = () if ended_well(entry, reason) else (report("shutdown_error", entry, reason),)
    down, gone = let_go(state, entry)
    return after((*told, *gone), _stop_next(down, earlier, why))


def empty(state: Supervision, why: Ending) -> Decision:
    """Stop all of a pool at once; those that wait for another try are gone already.

    They are told in the order of their last starts, as OTP's map of a few pids is.
    """
    stops: list[Action] = []
    forgotten: list[Action] = []
    for entry in sorted(state.children.values(), key=lambda entry: entry.place):
        if entry.is_running:
            stops.append(_stop(entry))
        else:
            state = state.without(entry.id)
            forgotten.append(actions.Forget(entry.id))
    emptying = state.at(Emptying(why))
    return after(forgotten, (emptying, tuple(stops)) if stops else _emptied(emptying, why))


def emptied(state: Supervision, entry: Entry, reason: Reason) -> Decision:
    """One of a pool that ends has stopped; the last one's stop is the supervisor's end."""
    phase = state.phase
    assert isinstance(phase, Emptying)
    if not ended_well(entry, reason):
        phase = replace(phase, errors=_one_more(phase.errors, entry.spec.id, reason))
    down, gone = let_go(state.at(phase), entry)
    return (down, gone) if down.children else after(gone, _emptied(down, phase.why, phase.errors))


def _one_more(errors: tuple[Badly, ...], spec: str, reason: Reason) -> tuple[Badly, ...]:
    """Those errors and one that is such; errors that are alike are counted."""
    if all((each.spec, each.reason) != (spec, reason) for each in errors):
        return (*errors, Badly(spec, reason))
    return tuple(
        replace(each, count=each.count + 1) if (each.spec, each.reason) == (spec, reason) else each
        for each in errors
    )


def _emptied(state: Supervision, why: Ending, errors: tuple[Badly, ...] = ()) -> Decision:
    told = [
        actions.Report("shutdown_error", each.spec, each.reason, each.spec, each.count)
        for each in errors
    ]
    return after(told, _all_stopped(state, why))


def report(context: str, entry: Entry, reason: Reason) -> Action:
    """A report about one child."""
    return actions.Report(context, entry.id, reason, entry.spec.id)


def ended_well(entry: Entry, reason: Reason) -> bool:
    """Whether a stopped child's reason is one that its stop may have (OTP reports the others)."""
    expected = "killed" if entry.spec.shutdown == "brutal_kill" else "shutdown"
    if reason.kind == expected and reason.detail is None:
        return True
    return not reason.abnormal and entry.spec.restart != "permanent"


def broken(state: Supervision, event: events.Event) -> Broken:
    """The error of an event that the phase does not take."""
    return Broken(
        f"a supervisor got {event!r} in the phase {state.phase!r}, which does not take it"
    )
