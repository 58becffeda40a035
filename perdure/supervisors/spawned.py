"""The implicit supervisor of spawned children: one_for_one, its children are rows, not state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from perdure.actors.actor import Actor
from perdure.ledger.records import Life
from perdure.limits import SPAWN_INTENSITY, SPAWN_PERIOD_SECONDS
from perdure.mailbox import control
from perdure.supervisors.backoff import Backoff
from perdure.supervisors.restarts import add_restart
from perdure.supervisors.spec import Child
from perdure.supervisors.stored import kernel_part


class Spawned(Actor, name="perdure.spawned"):
    """Restarts what `self.spawn` started: transient, at most 3 restarts in 5 s.

    Its state is the restart window alone, so a hundred thousand children cost it nothing. When the
    children fail too often, their parent is killed, and its own supervisor decides.
    """

    __supervisor__: ClassVar[bool] = True

    restarts: list[tuple[int, int]] | None = None

    @staticmethod
    def spec_of(name: str, actor: str, options: Mapping[str, Any]) -> dict[str, Any]:
        """What the kernel keeps of a child's options, checked as those of `Child`.

        A crowd has the same ones: they are checked once.
        """
        if not options:
            return {}
        key = tuple((option, type(value), value) for option, value in options.items())
        try:
            known = _checked.get(key)
        except TypeError:  # a list, or data
            return _checked_spec(name, actor, options)
        if known is None:
            known = _checked_spec(name, actor, options)
            if len(_checked) >= SPECS_KEPT_MAX:
                _checked.clear()
            _checked[key] = known
        return known

    def takes(self, message: object) -> bool:
        """Always: it never waits for a child."""
        return True

    def awaits(self) -> None:
        """Nobody: it never waits for a child."""

    def on_control(self, message: object, now_ns: int) -> None:
        """Handle one control message of a child."""
        turn: Any = self._turn
        supervising = turn.kernel.supervising
        match message:
            case control.Exit():
                self._exit(turn, message, now_ns)
            case control.StartFailed(child=id, incarnation=n, reason=reason):
                self._exit(turn, control.Exit(id, n, reason), now_ns)
            case control.Ignored(child=id):
                supervising.end_child(turn, id)
            case control.Stop(reason=reason, asked=asked):
                supervising.exit_self(turn, reason, asked)
            case _:
                return

    def _exit(self, turn: Any, ended: control.Exit, now_ns: int) -> None:
        supervising, id, reason = turn.kernel.supervising, ended.child, ended.reason
        child = turn.kernel.book.cell(id)
        if child.life == Life.ENDED:
            return  # it was cancelled before its exit came here
        restart = child.spec.get("restart", "transient")
        if restart == "temporary" or (restart == "transient" and not reason.abnormal):
            supervising.end_child(turn, id)
            return
        if ended.escalated or (ended.counted and not self._allows(now_ns)):
            supervising.note(turn, f"shutdown: {child.address}: {reason}")
            supervising.end_child(turn, id)  # the parent may begin again, and spawn it again
            supervising.kill_parent(turn)
            return
        supervising.start_again(turn, id, reason)

    def _allows(self, now_ns: int) -> bool:
        """Count a restart; whether it is one of those that are allowed."""
        window, allowed = add_restart(
            tuple((second, count) for second, count in self.restarts or ()),
            now_ns,
            intensity=SPAWN_INTENSITY,
            period_seconds=SPAWN_PERIOD_SECONDS,
        )
        self.restarts = [(second, count) for second, count in window]
        return allowed


SPECS_KEPT_MAX = 256
_checked: dict[tuple[Any, ...], dict[str, Any]] = {}  # by options; 1 is not 1.0, nor True


def _checked_spec(name: str, actor: str, options: Mapping[str, Any]) -> dict[str, Any]:
    given = dict(options)
    if isinstance(given.get("backoff"), Backoff):
        given["backoff"] = given["backoff"].to_data()
    data = Child.from_data({"id": name, "actor": actor, **given}).to_data()
    return kernel_part({key: data[key] for key in given if key in data})
