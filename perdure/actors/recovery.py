"""How a process takes up a run: the first records of a new one, or what an earlier one left.

Resume reads what is pending (inboxes, steps, timers, artifacts not in place), never the history.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING, Any

from perdure.actors.cell import Cell, Step
from perdure.actors.controllane import ControlLane
from perdure.actors.verdicts import Verdicts
from perdure.caps.budget import Budget
from perdure.errors import Broken, LedgerDamaged, NotALedger
from perdure.ids import KERNEL_ID
from perdure.ledger.journal import send_of, sender_of, unpack_payload
from perdure.ledger.keys import (
    BUDGET_KEY,
    STATUS_KEY,
    Table,
    child_id,
    child_prefix,
    inbox_id,
    step_id,
    timer_id,
)
from perdure.ledger.lineage import Lineage, lineage
from perdure.ledger.records import Kind, Life, Run
from perdure.ledger.rows import BudgetRow, StatusRow, StepRow, pack_row, unpack_row
from perdure.mailbox.control import Start
from perdure.mailbox.envelope import Envelope

if TYPE_CHECKING:
    from perdure.actors.book import Book
    from perdure.actors.kernel import Kernel
    from perdure.ledger.group import Store

OVER = ("finishing", "finished", "failed")
"""Statuses after which nothing is dispatched any more."""


def read_lineage(store: Store) -> Lineage:
    """What a run is, from its first record and from that of its last fork.

    Raises `NotALedger` when nothing was recorded yet, and `LedgerDamaged` for another record.
    """
    if not store.head().seq:
        raise NotALedger(
            "the ledger is empty: its process ended before it had recorded what it runs, so there "
            "is nothing to resume. `perdure run SCENARIO --ledger DIR` takes the directory as new."
        )
    return lineage(store)


def begin_new(
    kernel: Kernel, header: tuple[Any, ...], root: dict[str, Any], version: str, files: bytes = b""
) -> None:
    """Append the header, the root and its start; `header` is `Run` without time and sends.

    `files` are those of its code, none if they are too large to keep.
    """
    book = kernel.book
    run = Run(0, (), *header)
    book.append(Kind.RUN, (book.now_ns(), (), *header))
    book.pedigree.run_id = run.run_id
    book.set_budget(Budget(run.tokens_limit))
    opened(kernel, version, files)
    kernel.ending.status = StatusRow("starting", "", None)
    book.open.puts[STATUS_KEY] = pack_row(kernel.ending.status)
    _bear(kernel, root)


def _bear(kernel: Kernel, root: dict[str, Any]) -> Cell:
    """Record the root and its start."""
    cell = kernel.lives.birth(
        None,
        root["address"],
        root["class_name"],
        root["version"],
        root["spec"],
        kernel.book.codec.encode(root["init"], f"the init of {root['address']}"),
        Life.STARTING,
    )
    start = kernel.lifecycle.control(cell.id, KERNEL_ID, Start(1))
    kernel.outside.post([start], "start")
    return cell


def opened(kernel: Kernel, version: str, files: bytes = b"") -> None:
    """Record that a process took the ledger, with code of those files."""
    book, edition = kernel.book, kernel.book.editions.common
    code = kernel.codes.keep_files(files)
    interrupted = kernel.interruptions.took()
    machine = kernel.machine
    level = kernel.dispatch.pace.durability.name
    who = (machine.pid(), machine.wall_ns(), version, edition.digest, interrupted, code, level)
    kernel.codes.opened(book.append(Kind.OPEN, (book.now_ns(), (), *who)), edition, level)
    kernel.interruptions.count(interrupted)


def is_over(kernel: Kernel) -> bool:
    """Whether nothing is left to do, not even an artifact to put in place; then the run leaves."""
    store = kernel.book.store
    raw = store.get(STATUS_KEY)
    status = StatusRow("", "", None) if raw is None else unpack_row(StatusRow, raw)
    if status.status not in ("finished", "failed") or store.head().counts.get(Table.UNRELEASED):
        return False
    kernel.ending.recall(status)
    return True


def take_up(kernel: Kernel, root_init: dict[str, Any]) -> None:
    """Load what is pending, and make ready what may run.

    `root_init` is what the root is made of if there is none: a fork may be of a run that had none.
    """
    book = kernel.book
    raw = book.store.get(STATUS_KEY)
    if raw is None:
        raise LedgerDamaged("the run has no status row. Restore a backup.")
    status = unpack_row(StatusRow, raw)
    if status.status in OVER:
        kernel.releases.resume()
        over = "failed" if status.status == "failed" else "finished"
        kernel.ending.begin(over, status.reason, status.result)
        return
    kernel.ending.status = status if status.status == "starting" else StatusRow("running", "", None)
    book.open.puts[STATUS_KEY] = pack_row(kernel.ending.status)
    cells = load(kernel)
    kernel.releases.resume()
    for cell in cells:
        if cell.stalled:
            Verdicts(kernel).again(cell)  # what it waits for may have been repaired outside
        kernel.dispatch.consider(cell)
    kernel.interruptions.judge(cells)
    root = _root(book) or _bear(kernel, root_init)
    if root.life == Life.RUNNING:
        kernel.loop.call_soon(kernel.outside.begin_run)
    elif root.life == Life.DOWN:
        kernel.ending.begin("failed", f"the root ended: {root.reason}")


def load(kernel: Kernel) -> list[Cell]:
    """Load the budget, inboxes, steps and timers; the actors that have something in an inbox."""
    book = kernel.book
    book.pedigree.run_id = read_lineage(book.store).header.run_id
    budget = book.store.get(BUDGET_KEY)
    if budget is not None:
        book.budget = Budget(*unpack_row(BudgetRow, budget))
    cells = _load_inboxes(book)
    _load_steps(book)
    _load_timers(kernel)
    return cells


def _root(book: Book) -> Cell | None:
    for key, _ in book.store.scan(child_prefix(KERNEL_ID)):
        return book.cell(child_id(key)[1])
    return None


def envelopes(book: Book, ids: Iterator[tuple[int, int]]) -> Iterator[Envelope]:
    """Messages by id, each record read once; ids in order."""
    for seq, group in groupby(ids, key=lambda id: id[0]):
        raw = book.store.record(seq)
        if raw is None:
            raise LedgerDamaged(f"record {seq} is gone, and a message in it is pending.", seq)
        body = unpack_payload(seq, raw.kind, raw.payload)
        for _, index in group:
            send = send_of(body, index)
            type = book.codec.type_name(send.body)
            yield Envelope.read(seq, index, send, type, sender_of(body, send))


def _load_inboxes(book: Book) -> list[Cell]:
    keys = [inbox_id(key) for key, _ in book.store.scan(bytes([Table.INBOX]))]
    by_id = sorted({(seq, index) for _, _, seq, index in keys})
    found = {(e.seq, e.index): e for e in envelopes(book, iter(by_id))}
    cells: dict[int, Cell] = {}
    for actor, lane, seq, index in keys:
        cell = cells[actor] = book.cell(actor)
        env = found[seq, index]
        env.to, env.due = actor, None
        if lane:
            cell.inbox = cell.inbox or deque()
            cell.inbox.append(env)
        else:
            cell.control = cell.control or ControlLane()
            cell.control.append(env)
    return list(cells.values())


def _load_steps(book: Book) -> None:
    for key, raw in book.store.scan(bytes([Table.STEP])):
        actor, seq, index, name = step_id(key)
        cell = book.cell(actor)
        env = cell.pending(seq, index)
        if env is None:
            raise Broken(f"step {name} is of message {seq}.{index}, which {actor} does not have")
        if env.steps is None:
            env.steps = {}
        env.steps[name] = Step.of(unpack_row(StepRow, raw))


def _load_timers(kernel: Kernel) -> None:
    book = kernel.book
    ids = sorted(timer_id(key) for key, _ in book.store.scan(bytes([Table.TIMER])))
    for due, seq, index in ids:
        env = next(envelopes(book, iter([(seq, index)])))
        kernel.waits.delayed.set(due, env)
