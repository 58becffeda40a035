"""A scenario whose every word to the outside is noted, and what happens to it from outside.

Whatever comes twice is done once, so its driver may begin anew at any point, as people do after a
power cut: it says again what nobody has confirmed.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any, NamedTuple

from perdure import Run
from perdure.errors import NotALedger, PerdureError
from perdure.ledger import records
from perdure.ledger.group import Head, Store
from perdure.ledger.journal import read_record, send_of
from perdure.ledger.keys import posted_key
from perdure.ledger.records import Intent, Turn
from perdure.ledger.spool import Post, Spool, id_in, write_post
from perdure.ledger.store import LmdbStore, open_store
from perdure.ledger.values import Codec
from tests.crashes.marks import mark
from tests.crashes.wholeness import artifacts, look

SECONDS = 60.0
ASKED = [1, 2, 3]
TOLD = [4, 5]
POSTED = [6, 7, 8]

SCENARIO = f"""
format = 1
name = "vault"
goal = "Keep what is paid in."
code = "actors.py"
[tree]
id = "vault"
strategy = "one_for_one"
[[tree.children]]
id = "keeper"
actor = "Keeper"
init = {{ expected = {len(ASKED + TOLD + POSTED)} }}
[[tree.children]]
id = "clerk"
actor = "Clerk"
"""

ACTORS = """
from perdure import Actor, field, tool
from tests.crashes.marks import mark

@tool("vault.pay", effect="external", idempotent=True)
def pay(n: int, idempotency_key: str = "") -> int:
    mark(f"effect {n}")
    return 10 * n

class Keeper(Actor):
    expected: int
    total: int = 0
    is_closing: bool = False
    done: list[int] = field(default_factory=list)
    kept: int = 0
    pages: list[str] = field(default_factory=list)

    async def on_receive(self, message: int | str) -> int:
        if message == "close":
            self.is_closing = True
        elif message == "kept":
            self.kept += 1
        elif message not in self.done:
            paid = await self.call(pay, n=message)
            self.total += paid
            self.done.append(message)
            self.pages.append(f"page {message} " * 200)
            await self.artifact(f"receipts/{message}.txt", f"{message}: paid {paid}\\n" * 100)
            self.tell("../clerk", {"n": message, "paper": "p" * 6_000})
        if self.is_closing and self.kept == self.expected:
            self.finish({"total": self.total, "pages": len(self.pages)})
        return self.total

class Clerk(Actor):
    seen: list[int] = field(default_factory=list)

    async def on_receive(self, message: dict) -> None:
        self.seen.append(message["n"])
        await self.artifact("seen.txt", str(sorted(self.seen)))
        self.tell("../keeper", "kept")
"""


def scenario(folder: Path) -> Path:
    """The scenario."""
    folder.mkdir()
    (folder / "scenario.toml").write_text(SCENARIO)
    (folder / "actors.py").write_text(ACTORS)
    return folder


class Telling:
    """A ledger that says how far it is durable."""

    def __init__(self, store: LmdbStore) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def commit(self, *args: Any, **options: Any) -> Head:
        head = self._store.commit(*args, **options)
        mark(f"durable {head.seq}")
        return head


def drive(disk: Path, scenario: Path, durability: str = "group") -> dict[str, Any]:
    """Begin the run on a disk, or take it up; say all that is to be said; its result."""
    directory = disk / "home" / "vault-1"
    try:
        store: Any = Telling(open_store(directory))
        run = Run.resume(directory, store=store, durability=durability)
    except NotALedger:
        store = Telling(open_store(directory, create=True))
        run = Run(scenario, directory, seed=7, store=store, durability=durability)
    for n in POSTED:
        _post(run, directory, n)
    with run:
        try:
            _talk(run)
        except PerdureError:
            if run.wait(SECONDS).status != "finished":
                raise  # else all was said before
        report = run.wait(SECONDS)
    mark(f"report {json.dumps(report.result)}")
    return {"status": report.status, "result": report.result}


def _talk(run: Run) -> None:
    for n in ASKED:
        run.ask("/vault/keeper", n, timeout=SECONDS)
        mark(f"answered {n}")
    for n in TOLD:
        run.tell("/vault/keeper", n).get(timeout=SECONDS)
        mark(f"told {n}")
    run.tell("/vault/keeper", "close").get(timeout=SECONDS)


def _post(run: Run, directory: Path, n: int) -> None:
    post = Post(f"{n:032x}", "tell", {"to": "/vault/keeper", "message": n})
    if (
        post.id not in posts_in(directory)
        and run.kernel.book.store.get(posted_key(post.id)) is None
    ):
        write_post(directory, post, time.time_ns())
        mark(f"posted {n}")


def posts_in(directory: Path) -> dict[str, Post | None]:
    """The posts that wait in the spool, by id."""
    spool = Spool.open(directory)
    if spool is None:
        return {}
    try:
        return {id_in(name): spool.read(name) for name in spool.look().posts}
    finally:
        spool.close()


class Witness(NamedTuple):
    """What a ledger says of what went out: how far it goes, and the numbers that were…"""

    records: int
    posted: set[str]  # ids of posts
    sent: set[object]
    paid: set[object]
    answered: set[object]
    artifacts: set[str]
    is_over: bool

    @classmethod
    def of(cls, store: Store) -> Witness:
        bodies = [read_record(raw).body for raw in store.records()]
        sent = {
            (seq, index): _value(send_of(body, index).body)
            for seq, body in enumerate(bodies, 1)
            for index in range(len(body.sends))
        }
        turns = [body for body in bodies if isinstance(body, Turn)]
        intents = [body for body in bodies if isinstance(body, Intent)]
        return cls(
            len(bodies),
            {body.post_id for body in bodies if isinstance(body, records.Post)},
            set(sent.values()),
            {Codec().decode(intent.asked)[1]["n"] for intent in intents},
            {sent.get(turn.message) for turn in turns if turn.answer},
            {path for turn in turns for path, *_ in turn.artifacts},
            any(turn.finish for turn in turns),
        )

    def check(self, directory: Path, out: list[str]) -> None:
        """Nothing that is out is missing from the ledger, or from the spool."""
        for text in out:
            word, _, what = text.partition(" ")
            match word:
                case "durable":
                    assert self.records >= int(what), text
                case "effect":
                    assert int(what) in self.paid, text
                case "told":
                    assert int(what) in self.sent, text
                case "answered":
                    assert int(what) in self.answered, text
                case "posted":
                    post_id = f"{int(what):032x}"
                    assert post_id in self.posted or posts_in(directory).get(post_id), text
                case "artifact":
                    assert what in self.artifacts, text
                case "report":
                    assert self.is_over, text
                case _:
                    raise AssertionError(text)


def _value(body: bytes) -> object:
    """A number or a text that was sent; None for anything else."""
    try:
        value = Codec().decode(body)
    except (PerdureError, ValueError):
        return None
    return value if isinstance(value, int | str) else None


def check(disk: Path, whole: Path, out: list[str]) -> None:
    """After a cut the ledger is a beginning of the whole one, and has all that is out."""
    directory = disk / "home" / "vault-1"
    if not (directory / "ledger" / "data.mdb").exists():
        assert out == [], f"there is no ledger, and out is {out[-1]}"
        return
    look(directory)
    store = open_store(directory, write=False)
    try:
        witness, head = Witness.of(store), store.head()
    finally:
        store.close()
    check_beginning(whole, head)
    witness.check(directory, out)


def check_beginning(whole: Path, head: Head) -> None:
    """A ledger that ends at that head is a beginning of the whole one."""
    store = open_store(whole / "home" / "vault-1", write=False)
    try:
        record = store.record(head.seq) if head.seq else None
    finally:
        store.close()
    assert record is None or record.hash == head.hash, "its records are others than those written"


def end(disk: Path) -> object:
    """What the end of it must be, whatever was before."""
    directory = disk / "home" / "vault-1"
    snapshot = look(directory)
    assert (snapshot.status, snapshot.unreleased) == ("finished", ())
    return artifacts(directory)
