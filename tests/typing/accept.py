"""What mypy --strict and pyright's strict mode must accept. Checked, never run."""
# pyright: strict

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar, assert_type

from perdure.actors.actor import Actor, field, nonblocking, volatile
from perdure.actors.futures import Future
from perdure.caps.tool import tool
from perdure.ids import Ref
from perdure.ledger.messages import message


@message
class Read:
    path: str


@message("survey.counted", version=2)
class Counted:
    path: str
    lines: int = 0


def count_lines(path: str, *, blank: bool = True) -> int:
    return len(path) + blank


async def fetch(page: str) -> bytes:
    return page.encode()


def price(text: str) -> int:
    return len(text) // 4


@tool("text.words", effect="read", tokens=price)
def words(text: str) -> list[str]:
    return text.split()


class Client:  # no value: it can only be volatile
    def close(self) -> None: ...


class Reader(Actor, name="reader", version=2, aliases=("OldReader",)):
    async def on_receive(self, message: Read) -> int:
        lines = await self.once(count_lines, message.path, blank=False)
        assert_type(lines, int)
        assert_type(await self.once(fetch, message.path), bytes)
        assert_type(await self.call(words, text="a b"), list[str])
        assert_type(self.once(count_lines, message.path), Future[int])
        self.tell("/survey/editor", Counted(message.path, lines), qos="utility")
        self.tell(self.ref("../index"), Read(path="a"), cost=2.0, est=0.5, delay=1.0)
        return lines


class Editor(Actor):
    LIMIT: ClassVar[int] = 10

    expected: int | None = None
    lines: dict[str, int] = field(default_factory=dict)
    pages: list[Counted] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    title: str = field(default="Survey")
    owner: str = field()
    client: Client = volatile()
    cache: dict[str, bytes] = volatile(default_factory=dict)
    _handle: Client | None = None

    def on_start(self) -> None:
        self.send_after(5.0, self.address, Read("again"))

    def on_load(self) -> None:
        self.client = Client()
        self._handle = self.client

    async def on_stop(self) -> None:
        await self.sleep(0.1)

    def on_restart(self, reason: object) -> None:
        self.expected = None

    @classmethod
    def migrate(cls, state: dict[str, Any], version: int) -> dict[str, Any]:
        return {**state, "title": f"from {version}"}

    async def on_receive(self, message: Counted | Read) -> str | None:
        if isinstance(message, Read):
            assert_type(await self.ask("../reader", message, timeout=2.0), Any)
            return None
        self.lines[message.path] = message.lines
        self.pages.append(message)
        self.seen |= {message.path}
        self.expected = None if self.expected is None else self.expected - 1
        text, size = await self.gather(
            self.once(words, "a b"), self.once(count_lines, message.path)
        )
        assert_type(text, list[str])
        assert_type(size, int)
        many = await self.gather(*(self.once(fetch, page) for page in self.seen))
        assert_type(many, tuple[bytes, ...])
        assert_type(await self.artifact("report.txt", self.title), str)
        child = self.spawn(Reader, "reader", init={"depth": 1}, restart="temporary", shutdown=2.0)
        assert_type(child, Ref)
        self.tell(self.sender or child, message)
        assert_type(self.now(), datetime)
        assert_type(self.random.random(), float)
        assert_type(self.budget, int | None)
        self.finish({"attempt": self.attempt})
        return "done"


class Chief(Editor):
    rank: int = 1


class Quick(Actor):
    @nonblocking
    def on_receive(self, message: Any) -> None:
        assert_type(self.once(count_lines, "a").get(timeout=1.0), int)
        self.stop()


Editor(owner="me", expected=3, lines={"a.py": 1})
Chief(owner="me", rank=2)
assert_type(Editor(owner="me").lines, dict[str, int])
