"""The door: what other processes post is done once, in their order, and its outcome is kept."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from perdure import Actor, Backoff, Child, FakeClock, Run, field, message
from perdure.actors import doorbell, doorkeeper
from perdure.actors.door import Taken, Verb
from perdure.actors.events import Event
from perdure.errors import CommitFailed
from perdure.ledger import records
from perdure.ledger.audit import audit_store
from perdure.ledger.keys import posted_key
from perdure.ledger.memory import MemoryStore
from perdure.ledger.rows import PostedRow, unpack_row
from perdure.ledger.spool import Post, name_of_post, write_post
from perdure.ledger.values import Codec
from tests.kit import SECONDS, Disk, Gate, of, program, resumed, running, settle, until


@message("tests.door.add")
class Add:
    number: int


class Adder(Actor, name="tests.door.adder"):
    numbers: list[int] = field(default_factory=list)

    async def on_receive(self, message: Add) -> list[int]:
        if message.number == 13:
            raise ValueError("not that one")
        self.numbers.append(message.number)
        return list(self.numbers)


class Sleeper(Actor, name="tests.door.sleeper"):
    async def on_receive(self, message: Add) -> None:
        await self.sleep(3_600)


CAST = program(Child("a", Adder, backoff=Backoff(first=0.0)), Child("b", Sleeper))


def add(number: int, *, id: int = 0, verb: str = "tell", to: str = "/r/a") -> Post:
    form = {"$": "tests.door.add", "number": number}
    return Post(f"{id or number:032x}", verb, {"to": to, "message": form})


def posted(directory: Path, *posts: Post) -> None:
    for place, post in enumerate(posts):
        write_post(directory, post, place + 1)
    doorbell.ring(directory)


def left(directory: Path) -> list[str]:
    """The posts in the spool."""
    return sorted(path.name for path in (directory / "ingress").glob("*.post"))


def gone(run: Run, directory: Path) -> None:
    """Wait until the spool is empty."""
    until(run, lambda: not left(directory))


def row_of(store: Any, post: Post) -> PostedRow | None:
    raw = store.reopened().get(posted_key(post.id))
    return None if raw is None else unpack_row(PostedRow, raw)


def became(store: Any, post: Post) -> tuple[bool | None, Any]:
    """Whether a post was done, and what came of it."""
    row = row_of(store, post)
    assert row is not None
    return row.ok, None if row.value is None else Codec().decode(row.value)


def numbers(run: Run) -> list[int]:
    found: list[int] = run.ref("/r/a").proxy().numbers.get(timeout=SECONDS)
    return found


# --- taken once


def test_a_post_is_taken_by_the_run_and_its_file_is_gone(tmp_path: Path) -> None:
    store = MemoryStore()
    with running(CAST, store, ledger=tmp_path) as run:
        posted(tmp_path, add(1))
        gone(run, tmp_path)
        settle(run)
        assert numbers(run) == [1]
    ok, said = became(store, add(1))
    (post,) = [body for body in of(store, records.Post) if body.post_id]
    assert (ok, post.verb, post.origin, len(post.sends)) == (True, "tell", "ingress", 1)
    assert said["message"].endswith(".0")


def test_posts_to_a_run_that_nobody_is_at_are_taken_at_the_next_resume(tmp_path: Path) -> None:
    store = MemoryStore()
    with running(CAST, store, ledger=tmp_path) as run:
        run.tell("/r/b", Add(0)).get(timeout=SECONDS)
        settle(run)
    posted(tmp_path, *(add(n) for n in (3, 1, 2)))
    with resumed(CAST, store.reopened(), ledger=tmp_path) as run:
        settle(run)
        assert numbers(run) == [3, 1, 2]
        gone(run, tmp_path)


def test_a_run_does_not_end_before_it_has_looked_at_its_posts(tmp_path: Path) -> None:
    store = MemoryStore()
    with running(CAST, store, ledger=tmp_path):
        pass
    posted(tmp_path, add(1))
    again = store.reopened()
    with resumed(CAST, again, ledger=tmp_path) as run:
        assert run.wait(SECONDS).status == "finished"
    assert left(tmp_path) == []
    assert became(again, add(1))[0]
    (turn,) = [body for body in of(again, records.Turn) if body.delta and body.message[1] == 0][-1:]
    assert turn.actor


def test_more_posts_than_are_taken_at_once_are_all_taken_before_the_run_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doorkeeper, "POSTS_AT_ONCE", 3)
    posted(tmp_path, *(add(100 + n) for n in range(20)))
    store = MemoryStore()
    with running(CAST, store, ledger=tmp_path) as run:
        assert run.wait(SECONDS).status == "finished"
    assert left(tmp_path) == []
    sent = [body for body in of(store, records.Post) if body.post_id]
    assert [body.post_id for body in sent] == [add(100 + n).id for n in range(20)]


def test_a_post_is_unlinked_only_when_it_is_durable(tmp_path: Path) -> None:
    disk = Disk()
    with running(CAST, disk, ledger=tmp_path) as run:
        settle(run)
        disk.open.clear()
        disk.waited.clear()
        posted(tmp_path, add(1))
        assert disk.waited.wait(SECONDS)  # it was taken, and the disk is slow
        until(run, lambda: run.kernel.door.taken == 1)
        looks = run.kernel._doorkeeper
        run.kernel._doorkeeper._ring()
        until(run, lambda: not looks._done)
        assert left(tmp_path) == [name_of_post(add(1).id, 1)]
        disk.open.set()
        gone(run, tmp_path)


def test_a_post_that_was_done_before_the_process_died_is_not_done_again(tmp_path: Path) -> None:
    store = MemoryStore()
    with running(CAST, store, ledger=tmp_path) as run:
        posted(tmp_path, add(1))
        gone(run, tmp_path)
        settle(run)
    posted(tmp_path, add(1), add(2))  # it died between the disk's word and unlinking
    again = store.reopened()
    with resumed(CAST, again, ledger=tmp_path) as run:
        gone(run, tmp_path)
        settle(run)
        assert numbers(run) == [1, 2]
    assert len([body for body in of(again, records.Post) if body.post_id == add(1).id]) == 1


def test_what_a_disk_full_takes_no_more_is_taken_by_the_next_process(tmp_path: Path) -> None:
    disk = Disk()
    with running(CAST, disk, ledger=tmp_path) as run:
        settle(run)
        disk.full = True
        posted(tmp_path, add(1))
        with pytest.raises(CommitFailed, match="No space left"):
            run.wait(SECONDS)
    assert left(tmp_path) == [name_of_post(add(1).id, 1)]
    with resumed(CAST, disk.reopened(), ledger=tmp_path) as run:
        gone(run, tmp_path)
        settle(run)
        assert numbers(run) == [1]


def test_a_run_that_drains_leaves_posts_to_the_next_process(tmp_path: Path) -> None:
    store, gate = MemoryStore(), Gate()

    class Busy(Actor, name="tests.door.busy"):
        async def on_receive(self, message: Add) -> None:
            await gate.passed()

    cast = program(Child("a", Busy))
    with running(cast, store, ledger=tmp_path) as run:
        run.tell("/r/a", Add(1)).get(timeout=SECONDS)
        gate.reached()
        run.drain()
        until(run, lambda: run.kernel.ending.has_begun)
        posted(tmp_path, add(2))
        run.kernel._doorkeeper._ring()
        gate.open()
    assert len(left(tmp_path)) == 1
    assert row_of(store, add(2)) is None


# --- outcomes


def test_an_answer_is_kept_under_the_id_of_the_post(tmp_path: Path) -> None:
    store = MemoryStore()
    with running(CAST, store, ledger=tmp_path) as run:
        posted(tmp_path, add(4), add(5, verb="ask"))
        gone(run, tmp_path)
        settle(run)
    assert became(store, add(5)) == (True, [4, 5])
    assert became(store, add(4))[0]


def test_an_answer_may_come_in_another_process(tmp_path: Path) -> None:
    store, asked = MemoryStore(), add(4, verb="ask", to="/r/b")
    with running(CAST, store, ledger=tmp_path, clock=FakeClock(jumps=False)) as run:
        posted(tmp_path, asked)
        gone(run, tmp_path)
        settle(run)
    assert became(store, asked)[0] is None
    again = store.reopened()
    with resumed(CAST, again, ledger=tmp_path) as run:
        settle(run)
    assert became(again, asked) == (True, None)


def test_a_question_that_is_slow_has_no_outcome_yet_and_one_that_dies_has_its_reason(
    tmp_path: Path,
) -> None:
    store = MemoryStore()
    with running(CAST, store, ledger=tmp_path, clock=FakeClock(jumps=False)) as run:
        posted(tmp_path, add(13, verb="ask"), add(7, verb="ask", to="/r/b"))
        gone(run, tmp_path)
        settle(run)
        ok, said = became(store, add(13))
        assert ok is False
        assert said[0] == "Crashed"
        assert said[1].endswith("is a dead letter: ValueError: not that one")
        assert became(store, add(7))[0] is None
        posted(tmp_path, Post("c" * 32, "cancel", {"address": "/r/b"}))
        gone(run, tmp_path)
    assert became(store, add(7))[1][1].endswith("is a dead letter: cancelled")


REFUSED = {
    "an actor that is not there": (add(1, to="/r/nobody"), "UnknownActor", "no actor at /r/nobody"),
    "a message that is not known": (
        Post("1" * 32, "tell", {"to": "/r/a", "message": {"$": "tests.door.ad"}}),
        "UnknownName",
        "Did you mean 'tests.door.add'?",
    ),
    "a message that is wrong": (
        Post("1" * 32, "tell", {"to": "/r/a", "message": {"$": "tests.door.add"}}),
        "UsageError",
        "needs 'number'",
    ),
    "a verb that is not known": (Post("1" * 32, "tel", {}), "UsageError", "Did you mean 'tell'?"),
    "a field that is not known": (
        Post("1" * 32, "cancel", {"address": "/r/a", "adress": ""}),
        "UsageError",
        "takes no 'adress'",
    ),
    "a field that is missing": (Post("1" * 32, "cancel", {}), "UsageError", "needs 'address'"),
    "a field of another type": (
        Post("1" * 32, "cancel", {"address": ["/r/a"]}),
        "UsageError",
        "is none",
    ),
    "what cannot be cancelled": (
        Post("1" * 32, "cancel", {"address": "/r"}),
        "UsageError",
        "this is the root",
    ),
    "who is not stalled": (
        Post("1" * 32, "clear", {"address": "/r/a", "how": "again", "redo": False}),
        "UsageError",
        "is not stalled",
    ),
    "what is no dead letter": (
        Post("1" * 32, "requeue", {"message": "4.1"}),
        "UsageError",
        "4.1 is no dead letter",
    ),
    "what is not in doubt": (
        Post("1" * 32, "did-not-happen", {"step": 4}),
        "UsageError",
        "of no step in doubt",
    ),
    "what perdure says to itself": (
        Post("1" * 32, "tell", {"to": "/r/a", "message": {"$": "perdure.kill", "incarnation": 1}}),
        "UsageError",
        "perdure.kill is what perdure says to itself",
    ),
    "true for a number": (Post("1" * 32, "did-not-happen", {"step": True}), "UsageError", "none"),
}


def test_a_question_that_no_supervisor_takes_is_answered_at_once(tmp_path: Path) -> None:
    store, question = MemoryStore(), add(1, verb="ask", to="/r")
    with running(CAST, store, ledger=tmp_path) as run:
        posted(tmp_path, question)
        gone(run, tmp_path)
        settle(run)
    ok, (kind, why) = became(store, question)
    assert (ok, kind) == (False, "Crashed")
    assert "a supervisor takes only the requests" in why
    assert audit_store(store.reopened()) == []


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_done_is_refused_once_with_its_reason(tmp_path: Path, what: str) -> None:
    post, kind, text = REFUSED[what]
    store = MemoryStore()
    with running(CAST, store, ledger=tmp_path) as run:
        posted(tmp_path, post)
        gone(run, tmp_path)
        settle(run)
    ok, said = became(store, post)
    assert (ok, said[0]) == (False, kind)
    assert text in said[1]


def test_a_dead_letter_is_requeued_once(tmp_path: Path) -> None:
    store = MemoryStore()
    with running(CAST, store, ledger=tmp_path) as run:
        posted(tmp_path, add(13))
        gone(run, tmp_path)
        settle(run)
        id = became(store, add(13))[1]["message"]
        twice = [Post(f"{n:032x}", "requeue", {"message": id}) for n in (21, 22)]
        posted(tmp_path, *twice)
        gone(run, tmp_path)
        settle(run)
    assert [became(store, post)[0] for post in twice] == [True, False]


def test_a_verb_that_breaks_before_it_changes_anything_is_refused(tmp_path: Path) -> None:
    def broken(kernel: Any, post: Post) -> Taken:
        raise KeyError("a bug")

    store = MemoryStore()
    with running(CAST, store, ledger=tmp_path) as run:
        run.kernel.door.verbs = {"break": Verb(broken, {})}
        posted(tmp_path, Post("b" * 32, "break", {}))
        gone(run, tmp_path)
    assert became(store, Post("b" * 32, "break", {})) == (False, ("KeyError", "'a bug'"))


# --- what is no post


def test_what_is_no_post_is_put_aside_and_told_once(tmp_path: Path) -> None:
    told: list[Event] = []
    (tmp_path / "ingress").mkdir()
    name = name_of_post("a" * 32, 1)
    (tmp_path / "ingress" / name).write_text("{")
    (tmp_path / "ingress" / "notes.txt").touch()
    with running(CAST, MemoryStore(), ledger=tmp_path, observer=told.append) as run:
        posted(tmp_path, add(1), add(2))
        gone(run, tmp_path)
        settle(run)
        assert numbers(run) == [1, 2]
    odd = sorted(event.reason.partition(": ")[0] for event in told if event.kind == "ingress")
    assert odd == [name, "notes.txt"]
    assert (tmp_path / "ingress" / "refused" / name).read_text() == "{"
    assert (tmp_path / "ingress" / "notes.txt").exists()


def test_an_unfinished_file_is_swept_when_its_poster_must_be_dead(tmp_path: Path) -> None:
    told: list[Event] = []
    (tmp_path / "ingress").mkdir()
    young, old = (tmp_path / "ingress" / f"{n:020d}-{'a' * 32}.new" for n in (1, 2))
    for path in (young, old):
        path.touch()
    now = time.time_ns()
    os.utime(old, ns=(now, now - 3_601 * 10**9))
    with running(CAST, MemoryStore(), ledger=tmp_path, observer=told.append) as run:
        until(run, lambda: not old.exists())
        settle(run)
    assert young.exists()
    assert any("its poster died" in event.reason for event in told)


def test_a_spool_that_cannot_be_read_is_told_and_the_run_goes_on(tmp_path: Path) -> None:
    told: list[Event] = []
    (tmp_path / "ingress").symlink_to("/tmp")
    with running(CAST, MemoryStore(), ledger=tmp_path, observer=told.append) as run:
        run.tell("/r/a", Add(1)).get(timeout=SECONDS)
        settle(run)
        assert numbers(run) == [1]
    assert any("the spool cannot be read" in event.reason for event in told)


def test_a_run_whose_folder_is_gone_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    with running(CAST, MemoryStore(), ledger=folder) as run:
        settle(run)
        shutil.rmtree(folder)
        run.kernel._doorkeeper._ring()
        assert json.dumps(numbers(run)) == "[]"


def test_a_spool_that_was_removed_and_made_again_is_looked_at(tmp_path: Path) -> None:
    with running(CAST, MemoryStore(), ledger=tmp_path) as run:
        posted(tmp_path, add(1))
        gone(run, tmp_path)
        shutil.rmtree(tmp_path / "ingress")
        posted(tmp_path, add(2))
        gone(run, tmp_path)
        settle(run)
        assert numbers(run) == [1, 2]
