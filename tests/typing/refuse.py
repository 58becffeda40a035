"""What mypy --strict and pyright's strict mode must refuse: each marked line, and no other.

Checked, never run.
"""
# pyright: strict

from __future__ import annotations

from perdure.actors.actor import Actor, field, volatile
from perdure.actors.futures import Future
from perdure.ledger.messages import message


@message
class Read:
    path: str


def count_lines(path: str, *, blank: bool = True) -> int:
    return len(path) + blank


async def fetch(page: str) -> bytes:
    return page.encode()


def use_text(text: str) -> None: ...


class Editor(Actor):
    expected: int = 0
    owner: str
    pages: list[int] = field(default_factory=list)
    wrong: list[int] = field(default_factory=dict)  # E: a factory of another type
    title: str = field(default=3)  # E: a default of another type
    cache: dict[str, int] = volatile(default_factory=dict)

    async def on_receive(self, message: Read) -> None:
        self.expected = "three"  # E: a value of another type
        self.pages.append("a")  # E: an element of another type
        await self.once(count_lines, message)  # E: an argument of another type
        await self.once(count_lines, message.path, blink=True)  # E: no such argument
        await self.once(count_lines)  # E: an argument is missing
        use_text(await self.once(count_lines, message.path))  # E: an int is no str
        use_text(await self.once(fetch, message.path))  # E: nor are bytes
        use_text(self.once(str, message.path))  # E: nor is a future that was not awaited
        text: Future[str] = self.once(count_lines, message.path)  # E: a future of another type
        use_text(await text)
        self.tell(7, message)  # E: no address
        self.tell("/a", message, urgent=True)  # E: no such option
        self.tell("/a", message, 2.0)  # E: options are named
        self.spawn(Read, "child")  # E: no actor
        self.spawn(Editor, "child", restart="sometimes")  # E: no such kind of restart
        self.stop(reason=3)  # E: a reason is text
        message.path = "b"  # E: messages are frozen


Read()  # E: a field is missing
Read("a", 2)  # E: too many fields
Editor(owner="me", expectd=3)  # E: no such field
Editor(expected=3)  # E: the required field is missing
Editor(owner="me", expected="three")  # E: a value of another type
use_text(Editor(owner="me").undeclared)  # E: no such attribute
Editor(owner="me").undeclared = 1  # E: nor can it be assigned
Editor("me")  # E: fields are named
Editor(owner="me", cache={})  # E: volatile attributes are not given
