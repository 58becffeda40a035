"""eventsourcing on SQLite: a step is an event of an aggregate, which is saved after each."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event

from benchmarks.peers.steplog import THREADS, Log, timed, work

ASKED = work()
LOG = Log(ASKED.log)


class Agent(Aggregate):
    @event("Created")
    def __init__(self, who: str) -> None:
        self.who, self.count, self.pad = who, 0, ""

    @event("Stepped")
    def step(self, count: int, pad: str) -> None:
        self.count, self.pad = count, pad


def main() -> None:
    settings = {
        "PERSISTENCE_MODULE": "eventsourcing.sqlite",
        "SQLITE_DBNAME": str(ASKED.directory / "events.sqlite"),
    }
    app = Application(env=settings)

    def walk(n: int) -> None:
        agent = Agent(f"a{n}")
        app.save(agent)
        while agent.count < ASKED.steps:
            agent.step(*LOG.add(agent.who, agent.count))
            app.save(agent)

    def everyone() -> None:
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(walk, range(ASKED.agents)))

    timed(ASKED, everyone)


if __name__ == "__main__":
    main()
