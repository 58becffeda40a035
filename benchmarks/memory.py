"""What idle agents cost in memory: each is spawned, handles one message, and is unloaded.

`python benchmarks/memory.py DIR --agents 100000` prints how much the resident memory of this
process grew. The bytes come from /proc/self/status: `anon` is what the process itself holds, `file`
includes those pages of the ledger's map that happen to be in memory and can be dropped any time,
`peak` is the most there has been of both together.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from perdure import Actor, Child, Run, SupervisorSpec, message

SPAWNER = "/memory/spawner"
BATCH = 1_000  # agents spawned in one turn
WAIT_SECONDS_MAX = 900.0


@message("memory.spawn")
class Spawn:
    first: int
    agents: int


@message("memory.work")
class Work:
    text: str


@message("memory.report")
class Report:
    pass


class Agent(Actor, name="memory.agent"):
    done: int = 0
    last: str = ""

    async def on_receive(self, message: Work | Report) -> int:
        if isinstance(message, Work):
            self.done += 1
            self.last = message.text
        return self.done


class Spawner(Actor, name="memory.spawner"):
    async def on_receive(self, message: Spawn) -> None:
        end = min(message.first + BATCH, message.agents)
        for i in range(message.first, end):
            self.spawn(Agent, f"a{i}")
            self.tell(f"{SPAWNER}/a{i}", Work(f"the one message of agent {i}"))
        if end < message.agents:
            self.tell(SPAWNER, Spawn(end, message.agents))


def resident() -> dict[str, int]:
    """Resident bytes of this process after a collection: all, anonymous, of files, at most."""
    gc.collect()
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    names = {"rss": "VmRSS", "anon": "RssAnon", "file": "RssFile", "peak": "VmHWM"}
    return {name: int(status[key].split()[0]) * 1024 for name, key in names.items()}


def wait_for_turns(run: Run, turns: int) -> None:
    """Wait until that many turns are closed and no message is ready; shows how far it is."""
    deadline, shown = time.monotonic() + WAIT_SECONDS_MAX, time.monotonic()
    while (figures := run.figures())["turns"] < turns or figures["waiting"]:
        now = time.monotonic()
        if now > deadline:
            raise SystemExit(f"{figures} after {WAIT_SECONDS_MAX:g} s, and {turns} turns were due")
        if now - shown > 2:
            shown = now
            print(f"  {figures['turns']:,} of {turns:,} turns", file=sys.stderr, flush=True)
        time.sleep(0.02)


def measure(directory: Path, agents: int) -> dict[str, Any]:
    """Spawn that many agents, give each a message, and see what they left in memory."""
    tree = Child("memory", supervisor=SupervisorSpec(children=[Child("spawner", Spawner)]))
    with Run(tree, directory, seed=1) as run:
        before = resident()
        start = time.perf_counter()
        run.tell(SPAWNER, Spawn(0, agents))
        wait_for_turns(run, agents + -(-agents // BATCH))
        # an answer leaves when all before it is durable
        samples = [run.ask(f"{SPAWNER}/a{i}", Report()) for i in (0, agents // 2, agents - 1)]
        seconds = time.perf_counter() - start
        after = resident()
        loaded = len(run.kernel.book.cells)
    if samples != [1, 1, 1]:
        raise SystemExit(f"three agents handled {samples} messages, not one each")
    growth = {name: after[name] - before[name] for name in ("rss", "anon", "file")}
    growth["peak"] = after["peak"] - before["rss"]
    return {
        "agents": agents,
        "seconds": seconds,
        "before": before,
        "after": after,
        "growth": growth,
        "growth_bytes": growth["rss"],
        "loaded": loaded,
        "ledger_bytes": (directory / "ledger" / "data.mdb").stat().st_size,
    }


def figures(argv: Sequence[str]) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--agents", type=int, default=100_000)
    args = parser.parse_args(argv)
    return measure(args.directory, args.agents)


if __name__ == "__main__":
    print(json.dumps(figures(sys.argv[1:])))
