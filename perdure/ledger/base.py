"""A base: the fold of a journal up to a record, as bytes; pure.

It is cut into pieces that are named by their content, so that two bases of one run share what did
not change between them. A base is named by the digest of the list of its pieces.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from zlib import crc32

import msgpack

from perdure.errors import Broken, LedgerDamaged
from perdure.ledger import records, rows
from perdure.ledger.blobs import ReadBlob, digest_of, references
from perdure.ledger.fold import Fold
from perdure.ledger.folded import Agent, Id, Letter, Waiting
from perdure.ledger.group import blob_digest
from perdure.ledger.images import read_images
from perdure.limits import BASE_PIECE_BYTES_MAX, BASE_PIECE_BYTES_MIN

Entry = tuple[Any, ...]
"""One fact of a fold: what it is of, whose, and what it says."""

FORM = 1
"""How entries are written, as the first number of each base."""

_AGENT, _DEAD, _POST, _ARTIFACT, _MARK, _WAITING, _TIMER, _STEP, _WAIT, _RUN = range(10)
_CUT_MASK = 7  # about one in eight keys may end a piece
_packer = msgpack.Packer(use_bin_type=True)


class WrittenBase(NamedTuple):
    """A base that was written: its name, and what is to be stored under which digest."""

    digest: bytes
    blobs: dict[bytes, bytes]


class BaseList(NamedTuple):
    """What the name of a base stands for: the record that it is as of, that record's hash."""

    seq: int
    hash: bytes
    pieces: tuple[bytes, ...]


def write_base(fold: Fold, hash: bytes) -> WrittenBase:
    """The base of a fold; `hash` is that of its last record. Equal folds have equal bases.

    >>> base = write_base(Fold(), bytes(16))
    >>> read_base(base.digest, base.blobs.get).seq
    0
    """
    if fold.violations:
        raise Broken(f"a base of a journal that contradicts itself: {fold.violations[0]}")
    pieces = {blob_digest(piece): piece for piece in _pieces(fold)}
    listed = _packer.pack((FORM, fold.seq, hash, tuple(pieces)))
    name = blob_digest(listed)
    return WrittenBase(name, {**pieces, name: listed})


def read_list(digest: bytes, read: ReadBlob) -> BaseList:
    """What is under the name of a base. Raises `LedgerDamaged`."""
    try:
        form, seq, hash, pieces = msgpack.unpackb(_blob(digest, read), use_list=False)
    except (ValueError, TypeError, msgpack.UnpackException) as error:
        raise _damaged(digest, error) from error
    if form != FORM:
        raise LedgerDamaged(f"base {digest.hex()} has form {form}, and this perdure reads {FORM}.")
    return BaseList(seq, hash, pieces)


def read_base(digest: bytes, read: ReadBlob) -> Fold:
    """The fold that a base was written from: it goes on with the record after it.

    Raises `LedgerDamaged` when anything of it is not there.
    """
    listed = read_list(digest, read)
    fold = Fold()
    try:
        for entry in entries(listed, read):
            _TAKE[entry[0]](fold, *entry[1:])
    except (LookupError, TypeError, ValueError) as error:
        raise _damaged(digest, error) from error
    if fold.seq != listed.seq:
        raise LedgerDamaged(
            f"base {digest.hex()} says record {listed.seq}, and holds {fold.seq}.", listed.seq
        )
    return fold


def entries(listed: BaseList, read: ReadBlob) -> Iterator[Entry]:
    """All entries of a base, in order."""
    for piece in listed.pieces:
        unpacker = msgpack.Unpacker(use_list=False, strict_map_key=False, max_buffer_size=0)
        unpacker.feed(_blob(piece, read))
        yield from unpacker


def agent_in(digest: bytes, id: int, read: ReadBlob) -> Agent | None:
    """One actor as a base has it; None if there was none of that id."""
    fold = Fold()
    for entry in entries(read_list(digest, read), read):
        if entry[0] != _AGENT or entry[1] >= id:
            if entry[:2] == (_AGENT, id):
                _agent(fold, *entry[1:])
            break
    return fold.agents.get(id)


def blobs_of(digest: bytes, read: ReadBlob) -> Iterator[bytes]:
    """The digests of all blobs that a base is made of, or refers to."""
    listed = read_list(digest, read)
    yield digest
    yield from listed.pieces
    for entry in entries(listed, read):
        if entry[0] == _ARTIFACT:
            yield entry[1]
        for reference in references(entry):
            yield digest_of(reference)


def _blob(digest: bytes, read: ReadBlob) -> bytes:
    data = read(digest)
    if data is not None and blob_digest(data) == digest:
        return data
    what = "is not in the ledger" if data is None else "is not what its name says"
    raise LedgerDamaged(f"blob {digest.hex()}, a part of a base, {what}. Restore a backup.")


def _damaged(digest: bytes, error: Exception) -> LedgerDamaged:
    return LedgerDamaged(f"base {digest.hex()} cannot be read: {error!r}. Restore a backup.")


# --- a fold as entries


def _pieces(fold: Fold) -> Iterator[bytes]:
    """The entries as bytes, cut where a key says so: at the same places in the next base."""
    piece, size, last = list[bytes](), 0, _AGENT
    for key, entry in _entries(fold):
        if size and (entry[0] != last == _AGENT):
            yield b"".join(piece)
            piece, size = [], 0
        last = entry[0]
        data = _packer.pack(entry)
        piece.append(data)
        size += len(data)
        may_end = not crc32(_packer.pack(key)) & _CUT_MASK
        if size >= BASE_PIECE_BYTES_MAX or (may_end and size >= BASE_PIECE_BYTES_MIN):
            yield b"".join(piece)
            piece, size = [], 0
    if piece:
        yield b"".join(piece)


def _entries(fold: Fold) -> Iterator[tuple[Any, Entry]]:
    """Each entry with its key, in an order that depends on nothing but what is in the fold."""
    for id, agent in sorted(fold.agents.items()):
        yield id, (_AGENT, id, fold.names.get(agent.address) == id, *_of_agent(agent))
    for id2, letter in sorted(fold.dead.items()):
        yield id2, (_DEAD, id2, tuple(letter))
    for post, posted in sorted(fold.posts.rows.items(), key=lambda each: (each[1].seq, each[0])):
        yield post, (_POST, post, tuple(posted), fold.posts.lost.get(post))
    for path, artifact in sorted(fold.artifacts.items()):
        yield path, (_ARTIFACT, *artifact, path)
    for mark, seq in sorted(fold.pasts.marks.items()):
        yield mark, (_MARK, mark, seq)
    for id2, waiting in sorted(fold.waiting.items()):
        yield id2, (_WAITING, id2, tuple(waiting))
    for id2, due in sorted(fold.timers.items()):
        yield id2, (_TIMER, id2, due)
    for id2, steps in sorted(fold.steps.rows.items()):
        for name, row in steps.items():  # which came first matters
            yield (*id2, name), (_STEP, id2, name, tuple(row), fold.steps.lost.get((id2, name)))
    waits = fold.waits
    for id2 in sorted({*waits.open, *waits.settled}):
        open = tuple(sorted(waits.open.get(id2, {}).items()))
        settled = tuple(sorted(waits.settled.get(id2, ())))
        if open or settled:
            yield id2, (_WAIT, id2, open, settled)
    yield 0, (_RUN, *_of_run(fold))


def _of_agent(agent: Agent) -> Entry:
    return (
        agent.address, agent.class_name, agent.parent, int(agent.life), agent.incarnation,
        agent.version, agent.spec, agent.init, agent.attempts, agent.not_before, agent.crashes,
        agent.restarts, agent.reason, agent.falls, agent.fell_at, agent.turns, agent.stalled,
        agent.suspended, tuple(sorted((*key, how) for key, how in agent.watches.items())),
        agent.last, agent.state_hash,
        tuple((name, image.base, tuple(image.ops)) for name, image in agent.images.items()),
        agent.tokens, agent.kept,
    )  # fmt: skip


def _of_run(fold: Fold) -> Entry:
    pasts, status = fold.pasts, fold.status
    return (
        fold.seq, fold.time, fold.limit, fold.spent, fold.reserved, fold.result, fold.has_begun,
        pasts.run_id, pasts.past, pasts.held, None if pasts.base is None else tuple(pasts.base),
        tuple(fold.code),
        None if status is None else tuple(status),
        tuple(sorted(fold.interrupted.items())),
    )  # fmt: skip


# --- entries as a fold


def _agent(fold: Fold, id: int, is_named: bool, *parts: Any) -> None:
    agent = fold.agents[id] = Agent(*parts)
    watches: Any = agent.watches
    agent.watches = {(other, monitor): how for other, monitor, how in watches}
    images: Any = agent.images
    agent.images = read_images({name: rest for name, *rest in images})
    if is_named:
        fold.names[agent.address] = id


def _dead(fold: Fold, id: Id, letter: Any) -> None:
    fold.dead[id] = Letter(*letter)


def _post(fold: Fold, post: str, row: Any, lost: str | None) -> None:
    fold.posts.rows[post] = rows.PostedRow(*row)
    if lost is not None:
        fold.posts.lost[post] = lost


def _artifact(fold: Fold, digest: bytes, size: int, seq: int, released: bool, path: str) -> None:
    fold.artifacts[path] = (digest, size, seq, released)


def _mark(fold: Fold, mark: tuple[int, str], seq: int) -> None:
    fold.pasts.marks[mark] = seq


def _waiting(fold: Fold, id: Id, parts: Any) -> None:
    waiting = fold.waiting[id] = Waiting(*parts)
    fold.lanes.setdefault((waiting.to, waiting.lane), {})[id] = waiting.sender


def _timer(fold: Fold, id: Id, due: int) -> None:
    fold.timers[id] = due


def _step(fold: Fold, id: Id, name: str, row: Any, lost: str | None) -> None:
    fold.steps.rows.setdefault(id, {})[name] = rows.StepRow(*row)
    if lost is not None:
        fold.steps.lost[id, name] = lost


def _wait(fold: Fold, id: Id, open: Any, settled: Any) -> None:
    if open:
        fold.waits.open[id] = dict(open)
    if settled:
        fold.waits.settled[id] = set(settled)


def _run(
    fold: Fold, seq: int, time: int, limit: int | None, spent: int, reserved: int,
    result: bytes | None, has_begun: bool, run_id: bytes, past: Any, held: bool, base: Any,
    code: Any, status: Any, interrupted: Any,
) -> None:  # fmt: skip
    fold.seq, fold.time, fold.limit, fold.spent, fold.reserved = seq, time, limit, spent, reserved
    fold.result, fold.has_begun = result, has_begun
    fold.pasts.run_id, fold.pasts.past, fold.pasts.held = run_id, past, held
    fold.pasts.base = None if base is None else rows.BaseRow(*base)
    fold.code = rows.CodeRow(*code)
    fold.status = None if status is None else records.Status(*status)
    fold.interrupted = dict(interrupted)


_TAKE: dict[int, Callable[..., None]] = {
    _AGENT: _agent, _DEAD: _dead, _POST: _post, _ARTIFACT: _artifact, _MARK: _mark,
    _WAITING: _waiting, _TIMER: _timer, _STEP: _step, _WAIT: _wait, _RUN: _run,
}  # fmt: skip
