"""What a reload means to a supervisor: other flags, other children; who runs goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from perdure.mailbox import control
from perdure.supervisors import actions, events
from perdure.supervisors.codechange import changed
from perdure.supervisors.decide import decide

if TYPE_CHECKING:
    from perdure.supervisors.supervisor import Supervisor

REFUSED = "the new code is not taken"


def news(supervisor: Supervisor, spec: dict[str, Any] | None) -> control.NewCode | None:
    """What a supervisor is to be told; None if nothing changes. Raises what is wrong with it."""
    if supervisor.spec is not None and (spec is None or spec == supervisor.spec):
        return None
    told = control.NewCode(None if supervisor.spec is None else spec)
    event = events.CodeChange(told.spec or supervisor._specification())
    changed(supervisor._supervision(), event)
    return told


def take(supervisor: Supervisor, spec: dict[str, Any] | None, now_ns: int) -> None:
    """Have the flags and specs of new code, if they are right."""
    turn: Any = supervisor._turn
    supervising, before = turn.kernel.supervising, supervisor._supervision()
    try:
        event = events.CodeChange(spec or supervisor._specification())
    except Exception as error:  # noqa: BLE001 - user code: its children()
        supervising.note(turn, f"{REFUSED}: {control.crash(error)}")
        return
    state, acts = decide(before, event, now_ns)
    for act in acts:
        if isinstance(act, actions.Reply) and not act.ok:
            supervising.note(turn, f"{REFUSED}: {act.text}")
            return
    if spec is not None:
        supervisor.spec = spec
    supervisor._keep(before, state)
    for id, entry in state.children.items():
        old, below = before.children.get(id), entry.spec.supervisor
        if below is None or old is None or not entry.is_running:
            continue
        if below != old.spec.supervisor:
            told = control.NewCode(below.to_data())
            supervising.tell_child(turn, supervisor.actors[id], told)
