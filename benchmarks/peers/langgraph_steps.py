"""LangGraph with its SQLite checkpoints, `durability="sync"`: a graph that goes round one node."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypedDict

from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import END, START, StateGraph

from benchmarks.peers.steplog import THREADS, Log, timed, work

ASKED = work()
LOG = Log(ASKED.log)


class State(TypedDict):
    who: str
    count: int
    pad: str


def step(state: State) -> dict[str, Any]:
    count, pad = LOG.add(state["who"], state["count"])
    return {"count": count, "pad": pad}


def again(state: State) -> str:
    return "step" if state["count"] < ASKED.steps else END


def main() -> None:
    graph = StateGraph(State)
    graph.add_node("step", step)
    graph.add_edge(START, "step")
    graph.add_conditional_edges("step", again)
    connection = sqlite3.connect(ASKED.directory / "graph.sqlite", check_same_thread=False)
    app = graph.compile(checkpointer=SqliteSaver(connection))

    def walk(n: int) -> Any:
        config = {"configurable": {"thread_id": f"a{n}"}, "recursion_limit": ASKED.steps + 10}
        first = {"who": f"a{n}", "count": 0, "pad": ""}
        return app.invoke(first, config, durability="sync")

    def everyone() -> None:
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(walk, range(ASKED.agents)))

    timed(ASKED, everyone)


if __name__ == "__main__":
    main()
