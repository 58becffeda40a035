"""Tools with an effect on a world outside that counts it, and actors that call them."""

from __future__ import annotations

from typing import Any

from perdure import Actor, field, tool


class World:
    """What tools do to the world outside; each call says how often it was made."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.failures = 0
        self.before = lambda: None

    def act(self, what: str) -> int:
        self.before()
        self.calls.append(what)
        if self.failures:
            self.failures -= 1
            raise OSError("the world says no")
        return self.calls.count(what)


def calling(world: World, kind: str = "async def", **options: Any) -> type[Actor]:
    """An actor that does to the world what its message says; on "wait …" it stops at a gate."""

    @tool("world.act", **options)
    def act(what: str) -> int:
        return world.act(what)

    class Async(Actor, name="tests.world.async"):
        done: list[str] = field(default_factory=list)

        async def on_receive(self, message: str) -> Any:
            if message == "done":
                return list(self.done)
            self.done.append(message)
            times = await self.call(act, what=message)
            if message.startswith("crash") and self.attempt == 1:
                raise ValueError(message)
            return times

    class Plain(Actor, name="tests.world.plain"):
        def on_receive(self, message: str) -> Any:
            times = self.call(act, what=message).get()
            if message.startswith("crash") and self.attempt == 1:
                raise ValueError(message)
            return times

    return Async if kind == "async def" else Plain
