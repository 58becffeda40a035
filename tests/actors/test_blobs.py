"""Large values: in the ledger once, whatever refers to them, and never without their bytes."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from perdure import Actor, Child, message
from perdure.ledger import records
from perdure.ledger.audit import audit_store
from perdure.ledger.blobs import is_reference
from perdure.ledger.group import Group, Head, nothing
from perdure.ledger.memory import MemoryStore
from perdure.ledger.records import Send
from perdure.limits import BLOB_BYTES_MIN, BLOBS_KNOWN_MAX, GROUP_BYTES_MAX
from perdure.runtime.view import View
from tests.kit import (
    SECONDS,
    Disk,
    advance,
    journal,
    of,
    on_kernel,
    program,
    resumed,
    running,
    settle,
    until,
)

LARGE = "a document of many words. " * 4_000
READERS = 100


@message("tests.blobs.document")
class Document:
    text: str


@message("tests.blobs.page")
class Page(BaseModel):
    text: str = ""


class Reader(Actor, name="tests.blobs.reader"):
    """Keeps what it was told, and can be asked for it."""

    text: str = ""
    page: Page | None = None
    turns: int = 0

    async def on_receive(self, message: Any) -> Any:
        self.turns += 1
        if isinstance(message, Document):
            self.text = message.text
        elif message == "read":
            return self.text
        elif message == "model":
            self.page = Page(text=LARGE)
        elif message == "crash":
            raise ValueError("reader")
        return None


class Sender(Actor, name="tests.blobs.sender"):
    """Tells one document to as many readers as it is told."""

    async def on_receive(self, message: Any) -> None:
        kind, number = message
        document = Document(LARGE)
        match kind:
            case "all":
                for n in range(number):
                    self.tell(f"/r/reader-{n}", document)
            case "later":
                self.tell("/r/reader-0", document, delay=number)
            case "nobody":
                self.tell("/r/nobody", document)
            case "ask":
                await self.ask("/r/reader-0", document)
                assert await self.ask("/r/reader-0", "read") == LARGE


def team(readers: int = 1, **options: Any) -> Any:
    many = [Child(f"reader-{n}", Reader, **options) for n in range(readers)]
    return program(Child("sender", Sender), *many)


class Counting(Disk):
    """A disk that counts the bytes that it is handed, and how often each blob is."""

    def __init__(self) -> None:
        super().__init__()
        self.handed = 0
        self.large: list[bytes] = []  # digests of blobs that hold the document

    def commit(self, group: Group, written: Any = nothing) -> Head:
        self.handed += sum(len(payload) for _, payload in group.records)
        self.handed += sum(len(value) for _, value in group.puts)
        self.handed += sum(map(len, group.blobs.values()))
        self.large += [digest for digest, data in group.blobs.items() if len(data) >= len(LARGE)]
        return super().commit(group, written)


def test_a_document_told_to_a_hundred_actors_that_keep_it_is_on_disk_once() -> None:
    store = Counting()
    with running(team(READERS), store) as run:
        run.tell("/r/sender", ("all", READERS)).get(timeout=SECONDS)
        settle(run)
        assert run.ask("/r/reader-99", "read", timeout=SECONDS) == LARGE
    # the message, and the text that is state and answer: two values, each handed over once
    assert len(store.large) == len(set(store.large)) == 2
    assert store.handed < 3 * len(LARGE) + READERS * 3_000


def test_a_record_of_a_large_value_is_small() -> None:
    store = MemoryStore()
    with running(team(), store) as run:
        run.tell("/r/reader-0", Document(LARGE)).get(timeout=SECONDS)
        settle(run)
    twin = store.reopened()
    assert max(len(raw.payload) for raw in twin.records()) < BLOB_BYTES_MIN
    (post,) = (body for body in of(store, records.Post) if body.origin == "outside")
    assert is_reference(Send(*post.sends[0]).body)
    (turn,) = (body for body in of(store, records.Turn) if body.message == (post_seq(store), 0))
    assert [is_reference(entry[2]) for entry in turn.delta if entry[0] == "text"] == [True]


def post_seq(store: MemoryStore) -> int:
    bodies = journal(store)
    return next(
        n
        for n, body in enumerate(bodies, 1)
        if isinstance(body, records.Post) and body.origin == "outside"
    )


def test_a_value_at_the_bound_stays_where_it_is() -> None:
    store = MemoryStore()
    fitting = "x" * (BLOB_BYTES_MIN - 3)  # msgpack puts three bytes before it
    with running(team(), store) as run:
        run.tell("/r/reader-0", fitting).get(timeout=SECONDS)
        settle(run)
        assert list(store.digests()) == []
        run.tell("/r/reader-0", fitting + "x").get(timeout=SECONDS)
        settle(run)
        assert len(list(store.digests())) == 1


def test_large_values_are_there_for_the_next_process() -> None:
    disk = Disk()
    with running(team(), disk) as run:
        run.ask("/r/reader-0", Document(LARGE), timeout=SECONDS)
    with resumed(team(), disk.reopened()) as run:
        assert run.ask("/r/reader-0", "read", timeout=SECONDS) == LARGE


def test_a_large_message_that_waits_is_handled_by_the_next_process() -> None:
    disk = Disk()
    with running(team(), disk) as run:
        run.tell("/r/sender", ("later", 60)).get(timeout=SECONDS)
        settle(run)
    store = disk.reopened()
    with resumed(team(), store) as run:
        advance(run, 61)
        until(run, lambda: not list(store.scan(b"\x06")))
        assert run.ask("/r/reader-0", "read", timeout=SECONDS) == LARGE


def test_whatever_moment_a_process_ends_at_the_bytes_of_every_record_are_there() -> None:
    disk = Disk()
    with running(team(3), disk) as run:
        for n in range(3):
            run.tell(f"/r/reader-{n}", Document(f"{n} {LARGE}"))
            run.tell("/r/sender", ("all", 3))
            settle(run)
    assert len(disk.moments) > 5
    for moment in disk.moments:
        assert audit_store(moment) == []


def test_an_actor_that_crashes_before_its_state_is_durable_is_built_from_it() -> None:
    disk = Disk()
    with running(team(), disk) as run:
        settle(run)
        disk.open.clear()
        try:
            # a run that fails would wait for the disk as it leaves, and this test for the run
            on_kernel(run, run.kernel._left.add_done_callback, lambda _: disk.open.set())
            run.tell("/r/reader-0", Document(LARGE))
            assert disk.waited.wait(SECONDS)  # its group is on its way
            run.tell("/r/reader-0", "crash")
            cell = on_kernel(run, run.kernel.book.cell_at, "/r/reader-0")
            until(run, lambda: cell.incarnation == 2 and cell.actor is not None)
            assert cell.actor.text == LARGE
            assert list(disk.digests()) == []
        finally:
            disk.open.set()


def test_a_large_value_that_comes_again_is_not_handed_over_again() -> None:
    store = Counting()
    with running(team(), store) as run:
        for _ in range(3):
            run.ask("/r/reader-0", Document(LARGE), timeout=SECONDS)
            run.ask("/r/reader-0", Document(""), timeout=SECONDS)
    assert len(store.large) == len(set(store.large)) == 2


def test_what_is_remembered_of_blobs_is_bounded() -> None:
    with running(team()) as run:
        blobs = run.kernel.book.blobs

        def many() -> None:
            for n in range(BLOBS_KNOWN_MAX + 10):
                blobs.keep({n.to_bytes(32, "big"): b""})
            run.kernel.book.open.blobs.clear()

        on_kernel(run, many)
        assert len(blobs._known) == BLOBS_KNOWN_MAX


def test_blobs_count_towards_the_size_of_a_group() -> None:
    with running(team()) as run:

        def look() -> tuple[bool, bool]:
            book, barrier = run.kernel.book, run.kernel.barrier
            before = barrier.is_full()
            book.blobs.small(bytes(GROUP_BYTES_MAX))
            return before, barrier.is_full()

        assert on_kernel(run, look) == (False, True)


def test_a_large_answer_and_a_large_question_between_actors_are_blobs() -> None:
    store = MemoryStore()
    with running(team(), store) as run:
        run.ask("/r/sender", ("ask", 1), timeout=SECONDS)
    (asked,) = (body for body in of(store, records.Turn) if body.answer and len(body.answer[2]) > 9)
    assert is_reference(asked.answer[2])


def test_a_large_dead_letter_can_be_read() -> None:
    disk = Disk()
    with running(team(), disk) as run:
        run.tell("/r/sender", ("nobody", 0)).get(timeout=SECONDS)
        settle(run)
    (letter,) = View(disk.reopened()).dead_letters()
    assert letter.message.text == LARGE


def test_an_opaque_large_field_that_did_not_change_is_not_recorded_again() -> None:
    store = Counting()
    with running(team(), store) as run:
        run.ask("/r/reader-0", "model", timeout=SECONDS)
        before = len(store.large)
        for _ in range(3):
            run.ask("/r/reader-0", "nothing", timeout=SECONDS)
        assert len(store.large) == before == 1
    last = of(store, records.Turn)[-1]
    assert [entry[0] for entry in last.delta] == ["turns"]


@pytest.mark.parametrize("size", [10, 50_000])
def test_an_actor_is_built_from_its_init_of_any_size(size: int) -> None:
    disk = Disk()
    with running(team(init={"text": "x" * size}), disk) as run:
        settle(run)
    birth = next(body for body in of(disk, records.Birth) if body.address == "/r/reader-0")
    assert is_reference(birth.init) == (size > BLOB_BYTES_MIN)
    with resumed(team(), disk.reopened()) as run:
        assert run.ask("/r/reader-0", "read", timeout=SECONDS) == "x" * size
