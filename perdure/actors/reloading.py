"""New code in a run that goes on: who has it from its next message on, who keeps what it had."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from perdure.actors.cell import Cell
from perdure.actors.editions import Edition
from perdure.actors.events import Event
from perdure.actors.verdicts import Verdicts
from perdure.errors import UsageError
from perdure.ids import KERNEL_ID
from perdure.ledger.interventions import Reload
from perdure.ledger.keys import Table, actor_of
from perdure.ledger.records import Kind, Life
from perdure.ledger.rows import ActorRow, unpack_row
from perdure.limits import RELOAD_ACTORS_MAX
from perdure.mailbox.control import crash as reason_of
from perdure.mailbox.envelope import Envelope

if TYPE_CHECKING:
    from perdure.actors.kernel import Kernel


class Loaded(NamedTuple):
    """Code that was loaded: its edition, its files (none: too large to keep), the specs that its
    scenario gives supervisors, by address."""

    edition: Edition
    files: bytes
    specs: Mapping[str, dict[str, Any]]


class Reloaded(NamedTuple):
    """What a reload came to; the record `seq` says so.

    `code` is the digest of the code, `versions` the version of each class before and now (0: it is
    not there). `changed` actors have the new code, of which `migrated` have another class version;
    `under_way` have it after the turn that they are at, the others when they are next loaded.
    `kept` says by address why an actor goes on with the code that it had. `is_stored` is whether
    the ledger has the code, for replays.
    """

    seq: int
    code: str
    versions: tuple[tuple[str, int, int], ...]
    changed: int
    migrated: int
    under_way: int
    kept: dict[str, str]
    is_stored: bool

    @property
    def gone(self) -> list[str]:
        """The classes that are no more in the code: their actors keep what they had."""
        return [name for name, _, now in self.versions if not now]


class Plan(NamedTuple):
    """What a reload comes to, as far as it is known before its record."""

    changed: list[Cell]
    migrated: list[Cell]
    under_way: list[Cell]
    kept: list[tuple[Cell, str]]
    out: list[Envelope]  # to supervisors


class Reloading:
    """Changes the code of actors. They are not restarted: id, incarnation and inbox stay."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel

    # --- a reload

    def reload(self, loaded: Loaded, addresses: Sequence[str] = ()) -> Reloaded:
        """Have the actors at the addresses and all below them run other code; none: everybody.

        Raises `UnknownActor`, and `UsageError` when the run is over: then nothing has changed.
        """
        kernel, book, edition = self.kernel, self.kernel.book, loaded.edition
        if kernel.ending.has_begun:
            raise UsageError("reload: the run is over, or ending. `perdure resume` loads new code.")
        scope = tuple(dict.fromkeys(book.cell_at(address).id for address in addresses))
        ids = self._below(scope)
        editions, seq = book.editions, book.seq + 1
        versions = _versions(editions.newest, edition)
        had_kept = {id for id in editions.kept if not scope or id in ids}
        edition.codec.read_blob = book.blobs.read
        if scope:
            editions.some_to(edition, seq, ids)
        else:
            editions.all_to(edition, seq)
        book.codec = edition.codec
        plan = self._change(self._cells(ids if scope else None), loaded.specs)
        self._record(loaded, scope, versions, plan)
        self._flag(seq, plan, had_kept)
        self._tell(seq, plan, versions)
        return Reloaded(
            seq,
            edition.digest.hex(),
            versions,
            len(plan.changed),
            len(plan.migrated),
            len(plan.under_way),
            {cell.address: why for cell, why in plan.kept},
            bool(loaded.files),
        )

    def _below(self, scope: Sequence[int]) -> set[int]:
        """The actors in a scope, and all below them."""
        found = list(dict.fromkeys(scope))
        for id in found:  # grows while it is read
            found += [child.id for child in self.kernel.lives.children(id)]
        return set(found)

    def _cells(self, ids: set[int] | None) -> list[Cell]:
        """The loaded actors in a scope, in order of birth, and each supervisor there is in it."""
        book = self.kernel.book
        if ids is None:
            supervisors = {n for n, c in book.editions.newest.classes.items() if _supervises(c)}
            supervisors |= {
                cell.class_name for cell in book.cells.values() if _supervises(cell.cls)
            }
            for key, raw in book.store.scan(bytes([Table.ACTOR])):
                if actor_of(key) not in book.cells:
                    row = unpack_row(ActorRow, raw)
                    if row.class_name in supervisors and row.life != Life.ENDED:
                        book.cell(actor_of(key))
        return [
            cell
            for id, cell in sorted(book.cells.items())
            if (ids is None or id in ids) and cell.life != Life.ENDED
        ]

    def _change(self, cells: list[Cell], specs: Mapping[str, dict[str, Any]]) -> Plan:
        plan = Plan([], [], [], [], [])
        for cell in cells:
            edition = self.kernel.book.editions.of(cell.id, cell.class_name)
            if edition is cell.edition or cell.class_name not in edition.classes:
                continue  # the class is gone: it goes on with what it has
            if cell.turn is not None or cell.asleep is not None:
                plan.under_way.append(cell)
                cell.renews = True
                if cell.turn is not None:
                    cell.turn.is_rare = True
            elif cell.life != Life.RUNNING or len(plan.changed) >= RELOAD_ACTORS_MAX:
                cell.run(edition)
                self.kernel.codes.doubt(cell)
            else:
                self._try(cell, edition, specs.get(cell.address), plan)
        return plan

    def _try(self, cell: Cell, edition: Edition, spec: dict[str, Any] | None, plan: Plan) -> None:
        """Make an actor's object anew by new code; if that fails it goes on with the one it has."""
        book, old, actor = self.kernel.book, cell.edition, cell.actor
        book.load_state(cell)
        cell.run(edition)
        try:
            made: Any = self.kernel.turns.made(cell)
            message = made.new_code(spec) if _supervises(cell.cls) else None
            if message is not None:
                plan.out.append(self.kernel.lifecycle.control(cell.id, KERNEL_ID, message))
        except Exception as error:  # noqa: BLE001 - user code: its migrate, on_load, children
            cell.run(old)
            cell.actor = actor
            book.editions.keep(cell.id, old)
            plan.kept.append((cell, str(reason_of(error))))
            return
        self.kernel.codes.proven(cell)
        plan.changed.append(cell)
        if cell.version != made.__declaration__.version:
            plan.migrated.append(cell)

    def _record(
        self,
        loaded: Loaded,
        scope: tuple[int, ...],
        versions: tuple[tuple[str, int, int], ...],
        plan: Plan,
    ) -> None:
        book, codes = self.kernel.book, self.kernel.codes
        wires = book.wires(plan.out, KERNEL_ID)
        fields: tuple[Any, ...] = (
            book.now_ns(),
            wires,
            loaded.edition.digest,
            codes.keep_files(loaded.files),
            scope,
            versions,
            tuple((cell.id, why) for cell, why in plan.kept),
            tuple(_at(cell) for cell in plan.under_way),
        )
        seq = book.append(Kind.RELOAD, fields)
        codes.reloaded(seq, Reload(*fields))

    def _flag(self, seq: int, plan: Plan, had_kept: set[int]) -> None:
        """Have the rows say who goes on with older code."""
        kernel = self.kernel
        for id in had_kept:
            kernel.codes.mark(kernel.book.cell(id), 0)
        for cell, _ in plan.kept:
            kernel.codes.mark(cell, seq)

    def _tell(self, seq: int, plan: Plan, versions: tuple[tuple[str, int, int], ...]) -> None:
        """Have supervisors hear of it, stalled actors looked at again, and people told."""
        kernel, book = self.kernel, self.kernel.book
        book.deliver(seq, plan.out)
        for cell in plan.changed:
            if cell.stalled:
                Verdicts(kernel).again(cell)
            kernel.dispatch.consider(cell)
        now = book.now_ns()
        text = f"{len(plan.changed):,} changed, {len(plan.kept):,} kept"
        kernel.news.announce(seq, Event("reloaded", now, "", reason=text))
        for cell, why in plan.kept:
            kernel.news.announce(seq, Event("kept", now, cell.address, reason=why))
        for name, _, new in versions:
            if not new:
                gone = f"the new code has no {name}: its actors keep what they had"
                kernel.news.announce(seq, Event("kept", now, "", reason=gone))
        kernel.dispatch.kick()


def _supervises(cls: type[Any] | None) -> bool:
    return bool(getattr(cls, "__supervisor__", False))


def _at(cell: Cell) -> tuple[int, int, int, int]:
    """The turn that an actor is at, in a record's words."""
    env = cell.inbox[0] if cell.turn is None and cell.inbox else None
    env = env if cell.turn is None else cell.turn.envelope
    seq, index = (env.seq, env.index) if env is not None else (0, 0)
    return cell.id, cell.incarnation, seq, index


def _versions(old: Edition, new: Edition) -> tuple[tuple[str, int, int], ...]:
    """The version of each class of a user before and now; 0 where there is none."""
    return tuple(
        (name, _version(old.of(name), name), _version(new, name))
        for name in sorted({*old.classes, *old.gone, *new.classes})
        if not name.startswith("perdure.")
    )


def _version(edition: Edition, name: str) -> int:
    cls = edition.classes.get(name)
    return 0 if cls is None else cls.__declaration__.version
