"""New code of a supervisor: its flags and specs change, the children that run go on."""

from __future__ import annotations

from dataclasses import replace

from perdure.supervisors import events
from perdure.supervisors.entry import Entry
from perdure.supervisors.refusals import BadSpec
from perdure.supervisors.spec import SupervisorSpec
from perdure.supervisors.state import Supervision


def changed(state: Supervision, event: events.CodeChange) -> Supervision:
    """The state after new code; the window of restarts is kept. Raises `BadSpec`.

    The new specs are in their order. A child that is not started has a new spec too, and one that
    is new waits for a restart that covers it. Those that are named no more follow, and go on.
    """
    spec = event.spec
    if spec is None:
        return state
    if not isinstance(spec, SupervisorSpec):
        spec = SupervisorSpec.from_data(spec)
    old, new = state.strategy, spec.strategy
    if old != new and (state.is_pool or state.flagged(spec).is_pool):
        raise BadSpec(
            f"supervisor: strategy is {new!r} and was {old!r}, which has another kind of children. "
            "Start another supervisor.",
            ("invalid_strategy", new),
            "supervisor_data",
        )
    flagged = state.flagged(spec)
    if state.is_pool:
        return _pool(flagged, spec)
    entries = {child.id: Entry.of(child) for child in spec.children}
    for entry in state.children.values():
        fresh = entries.get(entry.id)
        kept = fresh and replace(fresh, status=entry.status, incarnation=entry.incarnation)
        entries[entry.id] = kept or entry
    return flagged.with_children(entries)


def _pool(state: Supervision, spec: SupervisorSpec) -> Supervision:
    """Instances are of the new template, each with what it alone began with."""
    for template in spec.children:
        state = state.with_template([Entry.of(template)])
        for entry in state.children.values():
            state = state.with_entry(replace(entry, spec=template))
    return state
