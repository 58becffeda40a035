"""A run that has almost every kind of record and row, on disk: what is spoilt, and looked at.

Its first process dies at a payment, which is in doubt from then on. It is a live fork in the end.
"""

from __future__ import annotations

from pathlib import Path

from perdure.ledger.records import Kind
from perdure.ledger.store import open_store
from tests.cli.verbs import answer, perdure, process

SCENARIO = """
format = 1
name = "museum"
goal = "Show one of each."
code = "actors.py"
[tree]
id = "museum"
strategy = "one_for_one"
intensity = 50
"""
CHILD = """
[[tree.children]]
id = "{id}"
actor = "{actor}"
attempts_max = 2
backoff = {{ first = 0.0 }}
[[tell]]
to = "/museum/{id}"
message = {{ "$" = "Begin" }}
"""
ACTORS = """
import os
import signal
from perdure import Actor, field, message, tool

@message
class Begin:
    pass

@tool("bank.pay", effect="financial", tokens=5)
def pay(n: int) -> int:
    if {kills} and n == 13:
        os.kill(os.getpid(), signal.SIGKILL)
    return n

def look(n: int) -> int:
    return n

class Payer(Actor):
    paid: int = 0

    async def on_receive(self, message: str | Begin) -> None:
        self.paid += await self.call(pay, n=1)
        self.paid += await self.call(pay, n=13)

class Keeper(Actor):
    pages: list[str] = field(default_factory=list)
    paper: str = ""
    words: set[str] = field(default_factory=set)

    async def on_receive(self, message: str | Begin) -> int:
        if isinstance(message, Begin):
            for n in range(12):
                self.tell(self.address, f"page {{n}}")
            self.tell(self.address, "soon", delay=0.001)
            self.tell(self.address, "much later", delay=360_000)
            self.tell("../nobody", "unread")
            self.mark("opened")
            self.spawn(Child, "child")
            self.tell("child", "hello")
            await self.artifact("rooms/first.txt", "a room\\n" * 900)
            self.words.add(str(await self.ask("../clerk", "how many")))
            return 0
        many = 20 if message == "fill" else 1
        self.pages.extend([message * 80] * many)
        self.paper = "p" * 9_000
        return len(self.pages)

class Child(Actor):
    heard: int = 0

    async def on_receive(self, message: str | Begin) -> None:
        self.monitor("../../clerk")
        self.heard += await self.once(look, 2)

class Clerk(Actor):
    count: int = 0

    def on_receive(self, message: str | Begin) -> int:
        self.count += 1
        return self.count

class Faller(Actor):
    async def on_receive(self, message: str | Begin) -> None:
        raise ValueError("as it does")

class Waverer(Actor):
    async def on_receive(self, message: str | Begin) -> None:
        await self.once(look, self.attempt)
        raise ValueError("once more, with something else")
"""
PARTS = {
    "keeper": "Keeper", "clerk": "Clerk", "spare": "Clerk", "idle": "Clerk", "faller": "Faller",
    "waverer": "Waverer", "payer": "Payer",
}  # fmt: skip
UNSEEN = {
    Kind.LATE, Kind.KEEP, Kind.RELOAD,
    Kind.APPROVAL, Kind.GRANT, Kind.EPOCH, Kind.OVERRUN, Kind.BASE,
}  # fmt: skip
"""Those that need another code, or that nothing writes yet."""


def museum(folder: Path) -> Path:
    """The directory of the run."""
    folder.mkdir()
    parts = "".join(CHILD.format(id=id, actor=actor) for id, actor in PARTS.items())
    (folder / "scenario.toml").write_text(SCENARIO + parts)
    _write_code(folder, kills=True)
    first, run = folder / "first", folder / "run"
    begun = process("run", folder, "--ledger", first, "--seed", "7")
    begun.communicate(timeout=60)
    _write_code(folder, kills=False)
    perdure("tell", first, "/museum/clerk", '"posted"')
    perdure("suspend", first, "/museum/idle")
    perdure("resume", first, "--no-wait")
    perdure("tell", first, "/museum/idle", '"wait"')
    perdure("restore", first, "/museum/keeper", "opened")
    perdure("cancel", first, "/museum/spare")
    perdure("clear", first, "/museum/waverer", "--forget")
    perdure("resume", first, "--no-wait")
    at = answer("show", first)["records"]
    made = perdure("fork", first, "--at", str(at), "--to", run, "--live")
    assert made.exit_code == 0, made.stderr
    for what in ("fill", "one more"):
        perdure("tell", run, "/museum/keeper", f'"{what}"')
        perdure("resume", run, "--no-wait")
    return run


def _write_code(folder: Path, *, kills: bool) -> None:
    (folder / "actors.py").write_text(ACTORS.format(kills=kills))


def kinds(run: Path) -> set[Kind]:
    """The kinds of records there are."""
    store = open_store(run, write=False)
    try:
        return {Kind(record.kind) for record in store.records()}
    finally:
        store.close()
