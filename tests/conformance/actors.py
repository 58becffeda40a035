"""The actors of cases: workers that log their hooks, supervisors that log what they do."""

from __future__ import annotations

from typing import Any

from perdure import Actor, Ignore, Supervisor, SupervisorSpec, message
from perdure.mailbox.control import Reason
from perdure.supervisors import actions
from perdure.supervisors.refusals import BadSpec
from perdure.supervisors.state import Emptying, Ending, Stopping, Supervision
from tests.conformance.terms import (
    TRACED,
    UNTRAPPING,
    WORKER,
    Node,
    flags_data,
    reason_text,
    term,
    text_of,
)
from tests.conformance.world import Now

FOR_EVER = 1e8


@message("conformance.end")
class End:
    """To a worker: stop yourself."""

    reason: str


@message("conformance.info")
class Info:
    """To anybody: nothing that concerns you."""

    text: str


def failing(text: str) -> Exception:
    """An exception that is a crash with that reason, to the letter."""
    made: Exception = type(text, (Exception,), {})()
    return made


class Worker(Actor, name=WORKER):
    """Starts, ends, fails and hangs as its node says."""

    trap_exit = True

    above: str
    node: dict[str, Any]
    k: int | None = None  # of a pool's child: the how-manieth that was asked for
    over: dict[str, Any] | None = None

    @property
    def path(self) -> str:
        return f"{self.above}/{self.node['id'] if self.k is None else f'#{self.k}'}"

    async def on_start(self) -> None:
        world, node = Now.world, {**self.node, **(self.over or {})}
        n, fault = world.begin(self.path, self.above, node)
        match fault:
            case "ignore":
                world.log.append(["ignore", self.path, n])
                raise Ignore
            case "fail":
                world.log.append(["start_failed", self.path, n, "start_failed"])
                raise failing("start_failed")
            case "crash":
                world.log.append(["start_failed", self.path, n, "start_crashed"])
                raise failing("{EXIT,start_crashed}")
        world.lives_on(self.path, n, self._turn, False)

    async def on_receive(self, message: Any) -> None:
        if isinstance(message, End):
            self.stop(message.reason)

    async def on_stop(self) -> None:
        world, reason = Now.world, str(self.stop_reason)
        text = world.text(reason)
        world.log.append(["terminate", self.path, world.last[self.path].n, text])
        world.says(self._turn, text)
        match self.node.get("on_terminate"):
            case "hang":
                await self.sleep(FOR_EVER)
            case {"sleep": ms}:
                await self.sleep(ms / 1000)
            case {"exit": other}:
                self.stop(reason_text(other))


class Untrapping(Worker, name=UNTRAPPING):
    """A worker that does not trap exits."""

    trap_exit = False


class Traced(Supervisor, name=TRACED):
    """perdure's supervisor, that logs what it is told and what it does."""

    above: str = ""
    node: dict[str, Any] | None = None
    k: int | None = None  # of a pool's child: the how-manieth that was asked for
    over: dict[str, Any] | None = None

    _is_ending: bool = False

    @property
    def path(self) -> str:
        own = (self.node or {})["id"] if self.k is None else f"#{self.k}"
        return f"{self.above}/{own}" if self.above else own

    def _specification(self) -> SupervisorSpec:
        """What the case's code says, when the supervisor itself asks as it starts."""
        world, path = Now.world, self.path
        node: Node = {**(self.node or {}), **(self.over or {})}
        n, fault = world.begin(path, self.above, node)
        self._is_ending = False
        if fault == "ignore":
            raise Ignore
        if fault is not None:
            raise failing("start_failed" if fault == "fail" else "{EXIT,start_crashed}")
        world.lives_on(path, n, self._turn, True)
        node = world.told.get(path, node)
        returns = node.get("init_returns")
        if returns == "ignore":
            raise Ignore
        if returns is not None:
            raise failing(f"{{bad_return,{{mod,init,{returns}}}}}")
        try:
            return SupervisorSpec.from_data(flags_data(path, node))
        except BadSpec as error:
            raise failing(term(error.of_start)) from None

    def _do(self, action: actions.Action, state: Supervision) -> None:
        world, path = Now.world, self.path
        n = world.attempts[path]
        match action:
            case actions.StopChild():
                self._announce(state)
            case actions.Report(context=context, reason=reason, spec=child, nb_children=count):
                if context == "shutdown_error":
                    self._announce(state)
                who = child if count is None else f"*{count}"
                world.log.append(["report", path, context, who, text_of(reason)])
            case actions.InitFailed(reason=reason):
                text = text_of(reason)
                world.undo(self._turn, text)
                shown = "start_crashed" if text == "{EXIT,start_crashed}" else text
                world.log.append(["start_failed", path, n, shown])
            case actions.Declined():
                world.undo(self._turn, "normal")
                world.log.append(["ignore", path, n])
            case actions.ExitSelf(reason=reason):
                self._announce_end(reason)
                world.log.append(["sup_down", path, n, text_of(reason)])
                world.says(self._turn, text_of(reason))
        super()._do(action, state)

    def _announce(self, state: Supervision) -> None:
        """Log that the supervisor has begun to end, before the first thing it does then."""
        for phase in (self._supervision().phase, state.phase):
            if isinstance(phase, Stopping | Emptying) and isinstance(phase.why, Ending):
                self._announce_end(phase.why.reason)

    def _announce_end(self, reason: Reason) -> None:
        if not self._is_ending:
            self._is_ending = True
            path, world = self.path, Now.world
            world.log.append(["sup_terminate", path, world.last[path].n, text_of(reason)])
