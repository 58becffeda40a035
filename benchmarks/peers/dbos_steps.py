"""DBOS on SQLite with its own settings: a workflow of `@DBOS.step`s for each agent."""

from __future__ import annotations

import asyncio

from dbos import DBOS, DBOSConfig

from benchmarks.peers.steplog import Log, timed, work

ASKED = work()
LOG = Log(ASKED.log)


@DBOS.step()
def step(who: str, count: int) -> tuple[int, str]:
    return LOG.add(who, count)


@DBOS.step()
async def async_step(who: str, count: int) -> tuple[int, str]:
    return LOG.add(who, count)


@DBOS.workflow()
def one(who: str, steps: int) -> int:
    count = 0
    while count < steps:
        count, _ = step(who, count)
    return count


@DBOS.workflow()
async def many(who: str, steps: int) -> int:
    count = 0
    while count < steps:
        count, _ = await async_step(who, count)
    return count


async def everyone() -> None:
    handles = [
        await DBOS.start_workflow_async(many, f"a{n}", ASKED.steps) for n in range(ASKED.agents)
    ]
    await asyncio.gather(*(handle.get_result() for handle in handles))


def main() -> None:
    config: DBOSConfig = {
        "name": "steps",
        "system_database_url": f"sqlite:///{ASKED.directory}/dbos.sqlite",
        "run_admin_server": False,
        "log_level": "ERROR",
    }
    DBOS(config=config)
    DBOS.launch()
    timed(ASKED, lambda: one("a0", ASKED.steps) if ASKED.agents == 1 else asyncio.run(everyone()))
    DBOS.destroy()


if __name__ == "__main__":
    main()
