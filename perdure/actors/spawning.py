"""`self.spawn`: children under an implicit supervisor at their parent's address."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Any, cast

from perdure.actors.cell import Cell, Step
from perdure.actors.lives import IMPLICIT, LifeChange
from perdure.actors.state import build
from perdure.actors.turn import Turn
from perdure.errors import NameClash, UnknownActor, UsageError
from perdure.ids import Ref, join
from perdure.ledger.records import Life
from perdure.mailbox.control import Start
from perdure.mailbox.envelope import Envelope

if TYPE_CHECKING:
    from perdure.actors.kernel import Kernel

SPAWN = "spawn "
"""What the step keys of births begin with."""


class Spawning:
    """Births of children by a turn: journaled at once, met again by a later attempt."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel

    def spawn(
        self, turn: Turn, actor: Any, name: str, init: dict[str, Any], options: dict[str, Any]
    ) -> Ref:
        """Make a child of the turn's actor; kernel thread."""
        book, cell = self.kernel.book, turn.cell
        address = join(cell.address, name)
        class_name, classes = self._class_name(cell, actor), cell.edition.classes
        key = turn.key(f"{SPAWN}{name}")
        if turn.envelope.steps and key in turn.envelope.steps:
            return Ref(address)
        there = book.find(address)
        if there:
            return self._found(book.cell(there), class_name)
        spec = cast("Any", classes[IMPLICIT]).spec_of(name, class_name, options)
        body = book.codec.encode(init, f"the init of {address}")
        born = book.editions.of(cell.id, class_name)  # other code, if its parent ends on older
        cls = born.classes[class_name]
        made = build(cls, born.codec.decode(body))  # refused here, in the handler that gave it
        above = self._supervisor(cell)
        declaration = cls.__declaration__
        life = Life.STARTING if "on_start" in declaration.hooks else Life.RUNNING
        who = (above, address, class_name, declaration.version, spec, body, life)
        env = turn.envelope
        child = self.kernel.lives.birth(*who, (cell.id, env.seq, env.index, key))
        digest = blake2b(child.init, digest_size=16).digest()
        step = Step("done", f"{SPAWN}{name}", digest, child.id)
        book.keep_step(cell, env, key, step)
        if life == Life.STARTING:
            self._start(above, child)
        elif child.cls is cls and "on_load" not in declaration.hooks:
            child.actor = made  # as its first message would have it built
        return Ref(address)

    def _class_name(self, cell: Cell, actor: Any) -> str:
        """The registered name of a class that the parent's code has."""
        class_name: str = actor if isinstance(actor, str) else actor.__declaration__.name
        classes = cell.edition.classes
        cls = classes.get(class_name)
        if cls is None:
            raise UnknownActor(
                f"spawn({class_name}): the scenario's code has no actor class of that name. "
                f"It has {', '.join(sorted(classes))}."
            )
        if isinstance(actor, type) and actor is not cls:
            raise NameClash(
                f"spawn({class_name}): {actor.__module__} and {cls.__module__} both have an actor "
                f"class of that name. Name one of them: class {actor.__name__}(Actor, name=…)."
            )
        return class_name

    def _found(self, child: Cell, class_name: str) -> Ref:
        """A child that an earlier life spawned lives on; anybody else there is in the way."""
        is_spawned = self.kernel.book.cell(child.parent).class_name == IMPLICIT
        if not is_spawned or child.class_name != class_name:
            raise UsageError(
                f"spawn: there is a {child.class_name} at {child.address} already. "
                "Choose another name."
            )
        return Ref(child.address)

    def orphans(self, env: Envelope) -> list[LifeChange]:
        """The ends of children that attempts at a message spawned, when it is given up."""
        born = [step.seq for step in (env.steps or {}).values() if step.name.startswith(SPAWN)]
        children = [self.kernel.book.cell(id) for id in born]
        return [(child.id, child.incarnation, int(Life.ENDED)) for child in children]

    def _start(self, above: Cell, child: Cell) -> None:
        kernel = self.kernel
        env = kernel.lifecycle.control(child.id, above.id, Start(1))
        kernel.outside.post([env], "spawn")

    def _supervisor(self, parent: Cell) -> Cell:
        """The implicit supervisor of an actor's children, born with the first of them."""
        book = self.kernel.book
        address = f"{parent.address}/*"
        id = book.find(address)
        if id:
            return book.cell(id)
        spec = {"parent": parent.id}
        version = parent.edition.classes[IMPLICIT].__declaration__.version
        init = book.codec.encode({})
        return self.kernel.lives.birth(parent, address, IMPLICIT, version, spec, init, Life.RUNNING)
