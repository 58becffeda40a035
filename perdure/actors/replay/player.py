"""Runs the recorded turns of a journal again, one after the other, and compares."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from perdure.actors.cell import Cell
from perdure.actors.lifecycle import BRUTAL, KILLED_NOTE
from perdure.actors.refs import proxied
from perdure.actors.replay.codes import CodeOf
from perdure.actors.replay.compare import NONE, Difference, differences
from perdure.actors.replay.done import done
from perdure.actors.replay.falls import fallen, take_cut
from perdure.actors.replay.loop import NeverWakes
from perdure.actors.replay.past import Past
from perdure.actors.replay.scene import Scene
from perdure.actors.replay.stage import Stage
from perdure.actors.replay.takeup import take_up
from perdure.actors.replay.turn import ReplayTurn, awaited, is_answer
from perdure.actors.standing import decides, is_stale, stop_mode
from perdure.actors.starting import starter
from perdure.actors.state import build, restore, run_on_load
from perdure.errors import LedgerDamaged, UnknownActor, UnknownName
from perdure.ledger import records
from perdure.ledger.records import Lane, Life, Record
from perdure.mailbox.calls import PROXIED
from perdure.mailbox.control import Depart, Gone, Kill, Reason, Start, Stop
from perdure.mailbox.control import crash as reason_of
from perdure.mailbox.envelope import Envelope
from perdure.mailbox.signals import Replace, Signal

if TYPE_CHECKING:
    from perdure.actors.actor import Actor
    from perdure.ledger.fold import Fold
    from perdure.ledger.rows import ActorRow
    from perdure.ledger.values import Codec

Handler = tuple[str, Callable[..., Any], tuple[Any, ...], str]
"""(kind of turn, what to call, with what, how: async, def or nonblocking)."""


class Player:
    """Replays a journal: `scenes` gives each turn that user code or a supervisor had a part in.

    `code_of` gives the code of a digest that records name, `shown` has stand-ins for its messages,
    for what people are shown; `stored` gives the row of an actor that has ended.
    """

    def __init__(
        self,
        code_of: CodeOf,
        shown: Codec,
        stored: Callable[[int], ActorRow | None],
        only: str | None = None,
    ) -> None:
        self.past = Past(code_of, stored)
        self._shown = shown
        self._stage = Stage(self.past)
        self._only = only  # the address of the one actor whose turns run

    def scenes(self, journal: Iterable[Record]) -> Iterator[Scene]:
        """Each turn as it has run again, up to and including the first that differs."""
        for record in journal:
            body = record.body
            if isinstance(body, records.Turn | records.Crash):
                scene = self._play(record.seq, body)
                if scene is not None:
                    yield scene
                    if scene.differences:
                        return
            elif isinstance(body, records.Run):
                self._stage.seed = body.seed
            self.past.add(record)

    def begin_at(self, fold: Fold, header: records.Run, read: Callable[[int], Record]) -> None:
        """Begin after the record that a base is as of; `read` reads the records that are left."""
        self._stage.seed = header.seed
        take_up(self.past, fold, read)

    def close(self) -> None:
        """Let go of the event loop."""
        self._stage.loop.close()

    # --- one turn

    def _play(self, seq: int, body: records.Turn | records.Crash) -> Scene | None:
        cell, env = self.past.cell(body.actor), self.past.messages.get(body.message)
        if env is None or (self._only is not None and cell.address != self._only):
            cell.actor = None  # its state changes, and its object does not
            return None
        self.past.codes.begin(cell, body.incarnation, body.message)
        self.past.time, self.past.attempt = body.time - body.took, body.attempt
        self.past.blobs.fresh.clear()
        scene = Scene(seq, body, cell, env, self._shown)
        if take_cut(self._stage, scene, self._shown.decode):
            return scene
        if cell.cls is None and cell.edition.missing:
            scene.skipped = cell.edition.missing
            return scene
        try:
            handler = self._handler(scene, env)
        except LedgerDamaged:
            raise
        except (UnknownActor, UnknownName) as error:
            scene.skipped = str(error)
        except Exception as error:  # noqa: BLE001 - user code: its init, its migrate, its on_load
            scene.error = error
            self._compare_crash(scene)
        else:
            if handler is None:
                return None
            scene.kind = handler[0]
            self._run(scene, env, handler)
        return scene

    def _handler(self, scene: Scene, env: Envelope) -> Handler | None:
        """What ran when the record was made; None if no code of an actor's did."""
        cell, message = scene.cell, scene.cell.edition.codec.decode(env.body)
        if env.lane == Lane.USER:
            actor = self._actor(cell)
            if type(message) in PROXIED:
                function, mode = proxied(actor, message)
            else:
                function, mode = actor.on_receive, actor.__declaration__.kind
            return "receive", function, (message,), mode
        if isinstance(message, Kill | Gone | Signal | Replace):
            return None
        if getattr(message, "shutdown", None) == BRUTAL:
            return None
        if cell.is_supervisor:
            if not decides(cell, message):
                return None  # it has no life
            supervisor: Any = self._actor(cell)
            return "control", supervisor.on_control, (message, self.past.time), "control"
        if isinstance(message, Start):
            return self._start(scene, message)
        return self._stop(scene, message)

    def _start(self, scene: Scene, message: Start) -> Handler | None:
        cell = scene.cell
        if message.incarnation != cell.incarnation or cell.life != Life.STARTING:
            return None
        scene.kind = "start"
        cell.actor = None
        actor = self._actor(cell)
        hooks = actor.__declaration__.hooks
        kinds = [hooks[hook] for hook in ("on_restart", "on_start") if hook in hooks]
        mode = next((kind for kind in ("async", "def") if kind in kinds), "nonblocking")
        reason = None if message.reason is None else str(message.reason)
        return "start", starter(actor, mode), (reason,), mode

    def _stop(self, scene: Scene, message: Stop | Depart) -> Handler | None:
        cell = scene.cell
        mode = stop_mode(cell, message)
        if mode is None or is_stale(cell, message) or cell.life != Life.RUNNING:
            return None
        if isinstance(scene.body, records.Turn) and KILLED_NOTE in scene.body.notes:
            return None  # it took too long: its hook did not come to its end
        scene.kind = "stop" if isinstance(message, Stop) else "depart"
        return scene.kind, self._actor(cell).on_stop, (), mode

    def _actor(self, cell: Cell) -> Actor:
        """The live object, kept from turn to turn as the kernel keeps it, or built anew."""
        if cell.actor is not None:
            return cell.actor
        if cell.cls is None:
            raise UnknownActor(f"there is no actor class {cell.class_name!r} in the code.")
        decode = cell.edition.codec.decode
        if cell.images:
            actor = restore(cell.cls, cell.images, decode, cell.version)
        else:
            actor = build(cell.cls, decode(cell.init))
        if "on_load" in actor.__declaration__.hooks:
            run_on_load(actor)
        cell.actor = actor
        return actor

    # --- running it

    def _run(self, scene: Scene, env: Envelope, handler: Handler) -> None:
        kind, function, args, mode = handler
        cell, stage = scene.cell, self._stage
        turn = stage.turn = ReplayTurn(stage, cell, env, kind, scene.body)
        if kind in ("stop", "depart"):
            turn.leaving = str(self.past.codec.decode(env.body).reason)
        turn.is_awaited = mode in ("async", "nonblocking")
        self.past.unmet = self.past.births.of(cell.id, (env.seq, env.index))
        actor = cell.actor
        vars(actor)["_turn"] = turn
        answer = None
        try:
            answer = self._call(turn, function, args, mode)
        except NeverWakes:
            turn.difference = turn.difference or turn.never()
        except LedgerDamaged:
            raise
        except BaseException as error:  # noqa: BLE001 - a crash, whatever it is
            scene.error = error
        finally:
            vars(actor)["_turn"] = None
            turn.open = False
        if turn.difference is not None:
            scene.differences = [turn.difference]
        elif scene.error is not None and not is_answer(scene.error, kind):
            self._compare_crash(scene)
        else:
            self._compare(scene, turn, answer)
        left_out = turn.left_out()
        if left_out is not None and turn.difference is None:
            at = len(scene.differences) if scene.error is not None else 0
            scene.differences.insert(at, left_out)
        self.past.unmet = {}

    def _call(
        self, turn: ReplayTurn, function: Callable[..., Any], args: tuple[Any, ...], mode: str
    ) -> Any:
        if turn.is_awaited:
            return self._stage.loop.run(turn, awaited(turn, function, args, mode))
        answer = function(*args)
        for asked in (turn.asks or {}).values():
            if not asked.is_failure_seen:
                asked.get()
        return answer

    # --- comparing

    def _compare_crash(self, scene: Scene) -> None:
        """A failed attempt must fail in the same words, and lead to the same."""
        body, reason = scene.body, reason_of(scene.error) if scene.error is not None else NONE
        recorded = body.reason if isinstance(body, records.Crash) else "the turn closed"
        if recorded != str(reason):
            scene.differences = [Difference("how the turn ends", recorded, str(reason))]
        elif isinstance(body, records.Crash) and isinstance(reason, Reason):
            turn = ReplayTurn(self._stage, scene.cell, scene.envelope, scene.kind, body)
            scene.differences = fallen(turn, body, reason, self._shown.decode)

    def _compare(self, scene: Scene, turn: ReplayTurn, answer: object) -> None:
        body, cell = scene.body, scene.cell
        try:
            did = done(self._stage, scene, turn, answer)
        except Exception as error:  # noqa: BLE001 - whatever a user's value raises is a crash
            scene.error = error
            self._compare_crash(scene)
            return
        if isinstance(body, records.Crash):
            text = "the turn closes" if did.rejected is None else f"rejected: {did.rejected}"
            scene.differences = [Difference("how the turn ends", body.reason, text)]
            return
        images = cell.images or {}
        address, whole = self.past.address, self.past.blobs.whole
        scene.differences = differences(
            body, did, images, address, lambda data: self._shown.decode(whole(data))
        )
