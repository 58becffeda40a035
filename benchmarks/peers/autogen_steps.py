"""AutoGen core, volatile: a step is a message to an agent, whose answer is awaited."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from autogen_core import (
    AgentId,
    MessageContext,
    RoutedAgent,
    SingleThreadedAgentRuntime,
    message_handler,
)

from benchmarks.peers.steplog import PAD, Log, timed, work

ASKED = work()
LOG = Log(ASKED.log)


@dataclass
class Step:
    count: int
    pad: str


class Agent(RoutedAgent):
    def __init__(self) -> None:
        super().__init__("takes steps")

    @message_handler
    async def step(self, message: Step, ctx: MessageContext) -> Step:
        return Step(*LOG.add(self.id.key, message.count))


async def everyone() -> None:
    runtime = SingleThreadedAgentRuntime()
    await Agent.register(runtime, "agent", Agent)
    runtime.start()

    async def walk(n: int) -> None:
        step = Step(0, PAD)
        while step.count < ASKED.steps:
            step = await runtime.send_message(step, AgentId("agent", f"a{n}"))

    await asyncio.gather(*(walk(n) for n in range(ASKED.agents)))
    await runtime.stop_when_idle()


if __name__ == "__main__":
    timed(ASKED, lambda: asyncio.run(everyone()))
