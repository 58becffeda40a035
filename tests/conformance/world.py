"""What is observed of a case: its log, who lives, the how-manieth life of each path."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from perdure.actors.futures import Future
from perdure.ledger.records import Kind, Life
from perdure.mailbox.control import read_reason
from tests.conformance.terms import Node, meets, text_of

if TYPE_CHECKING:
    from perdure.runtime.run import Run

FAULTS = ("fail", "ignore", "crash")


@dataclass
class Alive:
    """One life of a path: the reason that it gave before it ended, and the one that it had."""

    path: str
    n: int
    address: str
    is_supervisor: bool
    said: str | None = None
    ended: str = "noproc"


class World:
    """The case that is being played. Its actors log here; it watches the journal for deaths."""

    def __init__(self) -> None:
        self.run: Run | None = None
        self.log: list[list[Any]] = []
        self.attempts: dict[str, int] = {}
        self.lives: dict[int, Alive] = {}  # by actor id: those that are alive
        self.last: dict[str, Alive] = {}  # by path: the last that began
        self.told: dict[str, Node] = {}  # what new code of a supervisor says
        self.asked: dict[str, int] = {}  # children of a pool that were asked for
        self.injected: list[tuple[Node, Alive, Future[Any]]] = []
        self.request: Any = None  # makes the message of an operation

    # --- starts

    def begin(self, path: str, above: str, node: Node) -> tuple[int, str | None]:
        """The next start of a path: the how-manieth it is, and the fault that it has."""
        n = self.attempts[path] = self.attempts.get(path, 0) + 1
        for op in node.get("inject", {}).get(str(n), []):
            self._inject(above, op)
        fault = next((kind for kind in FAULTS if meets(node, kind, n)), None)
        return n, fault

    def _inject(self, above: str, op: Node) -> None:
        """Have a request wait for the supervisor that is starting this child."""
        kernel = self.run.kernel  # type: ignore[union-attr]
        parent, future = self.last[above], Future[Any]()
        self.injected.append((op, parent, future))
        message = self.request(above, op)
        drafted = kernel.book.codec.draft(message)
        kernel.outside._ask(parent.address, drafted, type(message).__name__, future)

    def lives_on(self, path: str, n: int, turn: Any, is_supervisor: bool) -> None:
        """A start went well so far: from here on, its end is a death."""
        cell = turn.cell
        life = Alive(path, n, cell.address, is_supervisor)
        self.lives[cell.id] = self.last[path] = life
        self.log.append(["start", path, n])

    def undo(self, turn: Any, reason: str) -> None:
        """A supervisor's start came to nothing: that is no death."""
        life = self.lives.pop(turn.cell.id, None)
        if life is not None:
            life.ended = reason

    # --- ends

    def text(self, reason: str) -> str:
        """A reason as OTP writes it."""
        return text_of(read_reason(reason))

    def says(self, turn: Any, reason: str) -> None:
        """An actor announces the reason that it ends with."""
        life = self.lives.get(turn.cell.id)
        if life is not None:
            life.said = reason

    def watch(self, run: Run) -> None:
        """Look at every record as it is appended."""
        self.run = run
        book = run.kernel.book
        append = book.append

        def appended(kind: int, fields: tuple[Any, ...], *pack: Any) -> int:
            seq = append(kind, fields, *pack)
            if kind == Kind.TURN:
                if fields[8] is not None and fields[8] >= Life.DOWN:
                    self._died(fields[2], text_of(read_reason(book.cell(fields[2]).reason)))
                for id, _, life in fields[16] if len(fields) > 16 else ():
                    if life >= Life.DOWN:
                        self._died(id, "killed")
            elif kind == Kind.CRASH:
                self._died(fields[2], text_of(read_reason(fields[6])))
            return seq

        book.append = appended  # type: ignore[method-assign]

    def _died(self, id: int, reason: str) -> None:
        life = self.lives.pop(id, None)
        if life is None:
            return
        life.ended = reason
        if life.said != reason:
            self.log.append(["down", life.path, life.n, reason])

    def alive(self, path: str) -> Alive | None:
        """The life at a path, if there is one."""
        life = self.last.get(path)
        return life if life is not None and life in self.lives.values() else None


class Now:
    """Where the actors of this process find the case that they are in."""

    world = World()
