"""`kill -9` of a run while posts come in: each is done once, whenever its owner dies."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from perdure.ledger import records
from perdure.ledger.journal import read_record
from perdure.ledger.keys import posted_key
from perdure.ledger.rows import PostedRow, unpack_row
from perdure.ledger.spool import Post, id_in, write_post
from perdure.ledger.store import open_store
from tests.cli.verbs import answer, perdure
from tests.crashes.killing import KILLS_EVERY, Job, Victim
from tests.crashes.wholeness import look
from tests.desk import desk

NUMBERS = [3, 4, 5]


@pytest.fixture(scope="module")
def victim() -> Iterator[Victim]:
    with Victim() as found:
        yield found


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A run that waits, with a dead letter; posts are in its spool."""
    directory = tmp_path / "base"
    begun = perdure(
        "run", desk(tmp_path / "desk"), "--ledger", directory, "--seed", "7", "--no-wait"
    )
    assert begun.exit_code == 4
    for place, post in enumerate(posts(directory)):
        write_post(directory, post, place)
    return directory


def posts(directory: Path) -> list[Post]:
    """What is asked: the last one lets the run end."""
    (letter,) = answer("dead", directory)["dead_letters"]
    asked = [
        ("tell", {"to": "/desk/counter", "message": {"$": "Add", "number": 3}}),
        ("cancel", {"address": "/desk/spare"}),
        ("ask", {"to": "/desk/counter", "message": {"$": "Add", "number": 4}}),
        ("requeue", {"message": letter["id"]}),
        ("tell", {"to": "/desk/counter", "message": {"$": "Add", "number": 5}}),
        ("cancel", {"address": "/desk/clerk"}),
    ]
    return [Post(f"{n:032x}", verb, fields) for n, (verb, fields) in enumerate(asked)]


def rows(directory: Path) -> list[PostedRow | None]:
    """What the ledger says of each post."""
    store = open_store(directory, write=False)
    try:
        found = [store.get(posted_key(f"{n:032x}")) for n in range(6)]
        return [None if raw is None else unpack_row(PostedRow, raw) for raw in found]
    finally:
        store.close()


def moments(directory: Path, first: int) -> list[int]:
    """Where a run is killed: at each record of the door, which could be torn; at some others."""
    store = open_store(directory, write=False)
    try:
        bodies = [read_record(raw).body for raw in store.records(first)]
    finally:
        store.close()
    return [
        first + n
        for n, body in enumerate(bodies)
        if isinstance(body, records.Post | records.Cancel) or n % KILLS_EVERY == 0
    ]


def check(directory: Path) -> None:
    """Each post was done, and once."""
    snapshot = look(directory)
    assert snapshot.status == "finished"
    assert snapshot.states["/desk/counter"]["numbers"] == NUMBERS
    assert [row and row.ok for row in rows(directory)] == [True] * 6
    assert len(answer("dead", directory)["dead_letters"]) == 2  # what was requeued, what slept


def test_posts_of_a_run_that_is_not_killed_are_done(victim: Victim, base: Path) -> None:
    assert victim.run(Job(base.parent / "desk", base)).code == 0
    check(base)
    assert list((base / "ingress").iterdir()) == []


@pytest.mark.parametrize("how", ["crash_at", "crash_before"])
def test_posts_are_done_once_when_their_run_dies_at_any_record(
    victim: Victim, base: Path, how: str
) -> None:
    first = look(base).records + 1
    whole = Path(shutil.copytree(base, base.with_name("whole")))
    assert victim.run(Job(base.parent / "desk", whole)).code == 0
    for seq in moments(whole, first):
        dead = Path(shutil.copytree(base, base.with_name(f"dead-{seq}")))
        job = Job(base.parent / "desk", dead)
        victim.run(job._replace(**{how: seq}))
        look(dead)
        left = {id_in(path.name) for path in (dead / "ingress").glob("*.post")}
        assert left >= {f"{n:032x}" for n, row in enumerate(rows(dead)) if row is None}
        assert victim.run(job).code == 0
        check(dead)
