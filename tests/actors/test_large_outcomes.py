"""Outcomes of steps and of runs that are large: blobs, stored once, and met again as themselves."""

from __future__ import annotations

from typing import Any

import pytest

from perdure import Actor, Child, FakeClock, Reject, Run, tool
from perdure.ledger import records
from perdure.ledger.audit import audit_store
from perdure.ledger.blobs import is_reference
from perdure.ledger.keys import Table
from perdure.ledger.memory import MemoryStore
from perdure.ledger.rows import StepRow, unpack_row
from perdure.limits import BLOB_BYTES_MIN
from perdure.runtime.fork import fork_store
from perdure.runtime.view import View
from tests.kit import SECONDS, Disk, Gate, of, program, resumed, rows, running, settle
from tests.replaying import assert_identical

LARGE = "a page of many words. " * 1_000
CALLS: list[str] = []
GATE = [Gate()]


def page(word: str) -> str:
    CALLS.append(word)
    return word + LARGE


def broken(word: str) -> str:
    CALLS.append(word)
    raise ValueError(word + LARGE)


@tool("world.fetch", effect="external", idempotent=True)
async def fetch(word: str) -> str:
    return page(word)


class Reader(Actor, name="tests.large_outcomes.reader"):
    """Reads, and waits, or crashes, or rejects, after it."""

    text: str = ""

    async def on_receive(self, message: Any) -> Any:
        kind, *words = message
        if kind == "fail":
            try:
                await self.once(broken, "x")
            except ValueError as error:
                self.text = str(error)
        for word in words:
            self.text = await (
                self.once(page, word) if kind != "call" else self.call(fetch, word=word)
            )
        if kind == "crash" and self.attempt == 1:
            raise ValueError("after it")
        if kind in ("wait", "fail"):
            await GATE[0].passed()
        if kind == "reject":
            raise Reject(LARGE)
        if kind == "finish":
            self.finish({"text": self.text})
        return len(self.text)


class Echo(Actor, name="tests.large_outcomes.echo"):
    async def on_receive(self, message: str) -> str:
        return message


TREE = program(Child("a", Reader), Child("b", Reader), Child("echo", Echo))


@pytest.fixture(autouse=True)
def _fresh() -> None:
    CALLS.clear()
    GATE[0] = Gate()


def test_a_large_result_is_a_blob_that_is_there_once() -> None:
    disk = Disk()
    with running(TREE, disk) as run:
        for to in ("/r/a", "/r/b"):
            assert run.ask(to, ("once", "x"), timeout=SECONDS) == len(LARGE) + 1
            assert run.ask(to, ("call", "x"), timeout=SECONDS) == len(LARGE) + 1
    values = [body.value for body in of(disk, records.Result)]
    assert (len(values), len(set(values)), is_reference(values[0])) == (4, 1, True)
    assert max(len(raw.payload) for raw in disk.reopened().records()) < BLOB_BYTES_MIN
    assert len(list(disk.reopened().digests())) == 1  # it is the state, too
    assert_identical(TREE, disk)


def test_a_large_result_is_met_again_by_a_retry_and_not_made_again() -> None:
    disk = Disk()
    with running(TREE, disk) as run:
        assert run.ask("/r/a", ("crash", "x"), timeout=SECONDS) == len(LARGE) + 1
    assert CALLS == ["x"]
    assert_identical(TREE, disk)


@pytest.mark.parametrize("message", [("wait", "x"), ("fail", "y")])
def test_a_large_outcome_is_met_again_by_the_next_process(message: tuple[str, ...]) -> None:
    disk = Disk()
    with running(TREE, disk) as run:
        run.tell("/r/a", message).get(timeout=SECONDS)
        GATE[0].reached()
        run.ask("/r/echo", "durable", timeout=SECONDS)
        twin = disk.reopened()
        GATE[0].open()
    found = [unpack_row(StepRow, raw) for _, raw in rows(twin, Table.STEP)]
    assert [is_reference(row.value) for row in found] == [True] * len(found)
    with resumed(TREE, twin) as run:
        settle(run)
    assert list("xy"[: len(found)]) == CALLS
    assert View(twin.reopened()).state("/r/a")["text"] == CALLS[-1] + LARGE
    assert_identical(TREE, twin)


def test_whatever_moment_a_process_ends_at_the_bytes_of_an_outcome_are_there() -> None:
    disk = Disk()
    with running(TREE, disk) as run:
        run.tell("/r/a", ("once", "x", "y")).get(timeout=SECONDS)
        run.tell("/r/b", ("call", "z"))
        settle(run)
    for moment in disk.moments:
        for body in of(moment, records.Result):
            assert View(moment).codec.decode(body.value)


def test_the_large_result_of_a_run_is_a_blob_and_is_reported() -> None:
    disk = Disk()
    with Run(TREE, None, seed=1, store=disk, clock=FakeClock()) as run:
        run.tell("/r/a", ("finish", "x"))
        report = run.wait()
    assert report.result == {"text": "x" + LARGE}
    (turn,) = [body for body in of(disk, records.Turn) if body.finish is not None]
    (status,) = of(disk, records.Status)
    assert is_reference(turn.finish or b"")
    assert turn.finish == status.result
    assert View(disk.reopened()).result == report.result
    assert_identical(TREE, disk)
    with resumed(TREE, disk.reopened()) as run:
        assert run.wait().result == report.result


def test_a_large_rejection_is_a_blob_too() -> None:
    disk = Disk()
    with running(TREE, disk) as run, pytest.raises(Reject, match="many words"):
        run.ask("/r/a", ("reject",), timeout=SECONDS)
    (turn,) = [body for body in of(disk, records.Turn) if body.rejected is not None]
    assert is_reference(turn.answer[2] if turn.answer else b"")
    assert_identical(TREE, disk)


def test_a_fork_has_the_bytes_of_the_outcomes_that_its_turns_meet_again() -> None:
    disk = Disk()
    with running(TREE, disk) as run:
        run.tell("/r/a", ("wait", "x")).get(timeout=SECONDS)
        GATE[0].reached()
        run.ask("/r/echo", "durable", timeout=SECONDS)
        at = disk.reopened().head().seq
        GATE[0].open()
    forked = MemoryStore()
    fork_store(disk.reopened(), at, forked, live=True)
    assert audit_store(forked.reopened()) == []
    twin = forked.reopened()
    with resumed(TREE, twin) as run:
        settle(run)
    assert CALLS == ["x"]
    assert View(twin.reopened()).state("/r/a")["text"] == "x" + LARGE
