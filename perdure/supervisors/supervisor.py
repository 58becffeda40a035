"""The Supervisor actor: it asks `decide` what to do and turns the answer into intents."""

from __future__ import annotations

import json
from typing import Any, ClassVar, cast

from perdure.actors.actor import Actor, field
from perdure.errors import Broken, Ignore
from perdure.ids import join
from perdure.mailbox import control
from perdure.mailbox.requests import REQUESTS, CodeChange, Request
from perdure.supervisors import actions, events, newcode
from perdure.supervisors.answers import answer, event_of
from perdure.supervisors.decide import decide, takes
from perdure.supervisors.entry import Entry
from perdure.supervisors.shelves import difference
from perdure.supervisors.siblings import is_same_order
from perdure.supervisors.spec import SUPERVISOR_ACTOR, Child, SupervisorSpec
from perdure.supervisors.state import Idle, Starting, Stopping, Supervision
from perdure.supervisors.stored import (
    entry_text,
    flags_text,
    from_data,
    kernel_spec,
    spec_data,
    with_entries,
)


class Supervisor(Actor, name=SUPERVISOR_ACTOR):
    """An actor that starts, stops and restarts its children, as OTP's supervisor does.

    Subclass it to write a tree in Python: set `strategy`, `intensity` and `period` (seconds), and
    return the children, which is asked once per incarnation.

    >>> class Readers(Supervisor):
    ...     strategy = "one_for_one"
    ...     def children(self) -> list[Child]:
    ...         return [Child(f"reader-{n}", "Reader") for n in range(3)]

    Source: OTP's `supervisor`.
    """

    __supervisor__: ClassVar[bool] = True

    strategy = "one_for_one"
    intensity = 1
    period = 5.0
    auto_shutdown = "never"
    children_max: ClassVar[int | None] = None

    spec: dict[str, Any] | None = None
    supervision: str = ""  # all but the children, which are in `entries`: an event changes few
    entries: dict[str, str] = field(default_factory=dict)
    specs: dict[str, dict[str, Any]] = field(default_factory=dict)  # and the template, under ""
    actors: dict[str, int] = field(default_factory=dict)
    owes: tuple[int, int, int, str] | None = None  # who waits for an answer of the phase

    _state: Supervision | None = None
    _ids: dict[int, str] | None = None  # `actors`, the other way round
    _about: str = ""  # the child that the message in hand is about, or why it declines

    def children(self) -> list[Child]:
        """The children to start with, in start order. Pure: it may only read what `init` gave.

        `raise Ignore(reason)` declines to start.
        """
        return []

    # --- called by the kernel

    def takes(self, message: object) -> bool:
        """Whether the supervisor takes a control message in its phase."""
        if isinstance(message, control.Start):
            return True
        event = self._event(message)
        return event is None or takes(self._supervision(), event)

    def new_code(self, spec: dict[str, Any] | None) -> control.NewCode | None:
        """What a reload is to tell it, if anything. Raises what is wrong with the new specs."""
        return newcode.news(self, spec)

    def on_control(self, message: object, now_ns: int) -> None:
        """Handle one control message: decide, then do."""
        if isinstance(message, control.NewCode):
            newcode.take(self, message.spec, now_ns)
            return
        self._about = self._name_of(getattr(message, "child", None))
        if isinstance(message, control.Start) and self._parts_with_temporary(message):
            return
        try:
            event = self._event(message)
        except Exception as error:
            if not isinstance(message, control.Start):
                raise
            event = self._not_begun(error)
        if event is None:
            return
        before = self._supervision()
        state, acts = decide(before, event, now_ns)
        for action in acts:
            self._do(action, state)
        self._keep(before, state)
        if isinstance(message, CodeChange) and state is not before and self.spec is not None:
            self.spec = message.spec
        if isinstance(state.phase, Idle) and not state.is_pool:
            self._lay_to_rest(state)

    def _parts_with_temporary(self, start: control.Start) -> bool:
        """Whether a life left temporary children: they end, and the start comes once more.

        Those of the new life have their addresses, which are free when this is recorded.
        """
        before = state = self._supervision()
        for entry in () if state.is_pool else before.children.values():
            if entry.spec.restart == "temporary" and entry.id in self.actors:
                self._do(actions.Forget(entry.id), state)
                state = state.without(entry.id)
        if state is before:
            return False
        self._keep(before, state)
        turn: Any = self._turn
        turn.kernel.supervising.to_self(turn, start)
        return True

    def _name_of(self, child: object) -> str:
        """The id of a child that a message names: by itself, by its actor's id, or by its spec."""
        if isinstance(child, int):
            return self._child(child) or ""
        return str(child.get("id", "")) if isinstance(child, dict) else str(child or "")

    def awaits(self) -> int | None:
        """The actor for whose start or end it waits, before it takes anything else."""
        phase = self._supervision().phase
        return self.actors.get(phase.child) if isinstance(phase, Starting | Stopping) else None

    def _not_begun(self, error: Exception) -> events.Event:
        if isinstance(error, Ignore):
            self._about = str(error)
            return events.Decline()
        return events.CannotBegin(control.crash(error))

    def _supervision(self) -> Supervision:
        if self._state is None:
            stored = self.supervision
            state = from_data(json.loads(stored)) if stored else Supervision()
            template = self.specs.get(TEMPLATE)
            if template is not None:
                state = state.with_template([Entry.of(Child.from_data(template))])
            rows = ((id, (text, self.specs[id])) for id, text in self.entries.items())
            self._state = with_entries(state, rows)
        return self._state

    def _keep(self, before: Supervision, state: Supervision) -> None:
        """Make a state the durable one, writing only what the event changed."""
        self._state = state
        if self.owes != state.owes:
            self.owes = state.owes
        self.supervision = flags_text(state)
        if before.template is not state.template:
            self.specs.pop(TEMPLATE, None)
            if state.template is not None:
                self.specs[TEMPLATE] = spec_data(state.template)
        gone, changed = difference(before.children, state.children)
        for id in gone:
            del self.entries[id], self.specs[id]
        for entry in changed:
            self._keep_entry(before, state, entry)
        if not is_same_order(before.children, state.children) and (
            list(self.entries) != list(state.children)
        ):
            self.entries = {id: entry_text(each) for id, each in state.children.items()}

    def _keep_entry(self, before: Supervision, state: Supervision, entry: Entry) -> None:
        old = before.children.get(entry.id)
        text = entry_text(entry)
        if self.entries.get(entry.id) != text:
            self.entries[entry.id] = text
        if old is None or old.spec is not entry.spec or old.extras is not entry.extras:
            data = spec_data(entry, state.template)
            if self.specs.get(entry.id) != data:
                self.specs[entry.id] = data

    def _specification(self) -> SupervisorSpec:
        if self.spec is not None:
            return SupervisorSpec.from_data(self.spec)
        return SupervisorSpec(
            strategy=self.strategy,
            intensity=self.intensity,
            period=self.period,
            auto_shutdown=self.auto_shutdown,
            children_max=self.children_max,
            children=self.children(),
        )

    def _event(self, message: object) -> events.Event | None:
        """What a control message means to `decide`; None for one of an actor no longer known."""
        match message:
            case control.Start():
                return events.Begin(self._specification())
            case control.Stop(reason=reason, asked=asked):
                return events.Halt(reason, asked)
            case control.TryAgain(child=child):
                return events.TryAgain(child)
            case control.NewCode():
                return events.CodeChange(None)
            case _ if type(message) in REQUESTS:
                turn: Any = self._turn
                caller = None if turn is None else turn.envelope.reply
                return event_of(cast("Request", message), caller)
            case _:
                return self._event_of_child(message)

    def _event_of_child(self, message: Any) -> events.Event | None:
        name = self._child(message.child)
        if name is None:
            return None
        match message:
            case control.Exit(incarnation=n, reason=reason):
                return events.Exit(name, n, reason, message.counted, message.escalated)
            case control.Started(incarnation=n):
                return events.Started(name, n)
            case control.StartFailed(incarnation=n, reason=reason):
                return events.StartFailed(name, n, reason)
            case control.Ignored(incarnation=n):
                return events.Ignored(name, n)
            case control.Stopped(incarnation=n, reason=reason):
                return events.Stopped(name, n, reason)
            case _:
                raise Broken(f"a supervisor got {message!r}")

    def _child(self, id: int) -> str | None:
        if self._ids is None:
            self._ids = {actor: name for name, actor in self.actors.items()}
        return self._ids.get(id)

    # --- doing

    def _do(self, action: actions.Action, state: Supervision) -> None:
        turn: Any = self._turn
        supervising = turn.kernel.supervising
        match action:
            case actions.StartChild(child=child, incarnation=incarnation):
                self._start(turn, state.children[child], incarnation)
            case actions.StopChild(child=child, incarnation=incarnation, shutdown=shutdown):
                supervising.stop_child(turn, self.actors[child], incarnation, shutdown)
            case actions.Forget(child=child):
                if child in self.actors:
                    actor = self.actors.pop(child)
                    supervising.end_child(turn, actor)
                    if self._ids is not None:
                        self._ids.pop(actor, None)
            case actions.TryAgain(child=child):
                supervising.to_self(turn, control.TryAgain(child))
            case actions.Report(context=context, child=child, reason=reason, nb_children=count):
                who = child if count is None else f"{count} of {child}"
                supervising.note(turn, f"{context}: {who}: {reason}")
            case actions.Ready():
                supervising.ready(turn)
            case actions.InitFailed(reason=reason):
                supervising.init_failed(turn, reason)
            case actions.ExitSelf(reason=reason, asked=asked):
                supervising.exit_self(turn, reason, asked)
            case actions.Declined():
                supervising.ignored(turn, self._about)
            case actions.Reply(caller=caller, ok=ok) as reply:
                if caller is not None:
                    value = answer(reply, turn.cell.address, self._about)
                    supervising.reply(turn, caller, ok, value)

    def _start(self, turn: Any, entry: Entry, incarnation: int) -> None:
        id, child = entry.id, entry.spec
        address = join(turn.cell.address, id)
        init: dict[str, Any] = dict(entry.init)
        if child.supervisor is not None:
            init["spec"] = child.supervisor.to_data()
        kept = kernel_spec(child)
        supervising = turn.kernel.supervising
        actor = supervising.start_child(turn, address, child.actor_name, kept, init, incarnation)
        if self.actors.get(id) != actor:
            self.actors[id] = actor
            if self._ids is not None:
                self._ids[actor] = id

    def _lay_to_rest(self, state: Supervision) -> None:
        """Children that are down for good take no more messages: what they have is dead letters."""
        turn: Any = self._turn
        for entry in state.children.values():
            if entry.status == "undefined" and entry.id in self.actors:
                turn.kernel.supervising.rest_child(turn, self.actors[entry.id])


TEMPLATE = ""
"""Where the template of simple_one_for_one is among the specs: no child has that id."""
