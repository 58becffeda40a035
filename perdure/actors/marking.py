"""Marks: names that a turn gives to the point of the journal at which it closes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from perdure.errors import Refused, UsageError
from perdure.ids import KERNEL_ID, check_name, is_number
from perdure.ledger.keys import mark_key, mark_prefix
from perdure.limits import ACTOR_MARKS_MAX, TURN_MARKS_MAX

if TYPE_CHECKING:
    from perdure.actors.book import Book
    from perdure.actors.turn import Turn


def marked(turn: Turn, name: str) -> list[str]:
    """The marks of a turn with one more; any thread.

    Raises `UsageError` for what cannot be a name, `Refused` for more marks than there may be.
    """
    marks = one_more(turn, name)
    store, id = turn.kernel.book.store, turn.cell.id
    if store.get(mark_key(id, name)) is None:
        check_room(turn, sum(1 for _ in store.scan(mark_prefix(id), limit=ACTOR_MARKS_MAX)))
    return marks


def one_more(turn: Turn, name: str) -> list[str]:
    """The marks of a turn with that of this name, if a turn may have so many."""
    if is_number(check_name(name)):
        raise UsageError(
            f"mark({name!r}): a number or a time would be taken for a record's. Use a word."
        )
    marks = [*(turn.marks or ()), *(() if name in (turn.marks or ()) else (name,))]
    if len(marks) > TURN_MARKS_MAX:
        raise Refused(
            f"the turn of {turn.cell.address} sets more than {TURN_MARKS_MAX} marks. "
            "They all name one point: set fewer."
        )
    return marks


def check_room(turn: Turn, known: int) -> None:
    """Raise `Refused` if the actor of a turn, with that many marks, can have no other one."""
    if known >= ACTOR_MARKS_MAX:
        raise Refused(
            f"{turn.cell.address} has {known:,} marks, and {ACTOR_MARKS_MAX:,} is the most. "
            "Set one of an old name: it moves."
        )


def keep_marks(book: Book, turn: Turn, seq: int) -> None:
    """Have the marks of a closed turn found again: of its actor, and of the run."""
    for name in turn.marks or ():
        for id in (turn.cell.id, KERNEL_ID):
            book.open.puts[mark_key(id, name)] = seq.to_bytes(8, "big")


def find_mark(book: Book, actor: int, name: str) -> int:
    """The record that a mark names: the actor's own of that name, else the run's; 0 for none."""
    return mark_of(lambda key: book.open.puts.get(key) or book.store.get(key), actor, name)


def mark_of(get: Callable[[bytes], bytes | None], actor: int, name: str) -> int:
    """`find_mark`, in the rows that `get` reads."""
    for id in (actor, KERNEL_ID):
        raw = get(mark_key(id, name))
        if raw is not None:
            return int.from_bytes(raw, "big")
    return 0
