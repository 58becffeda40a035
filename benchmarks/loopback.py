"""A thousand handlers that all wait for HTTP on the loopback: answers per second.

`python -m benchmarks.loopback DIR --on perdure` has each of 1,000 actors fetch one answer, by
`once` of an `async def` function; the server is a process of its own and takes 50 ms over each.
So many turns at once are allowed. `--on asyncio` does the same with bare tasks, nothing durable,
and `--on pykka` with a thread for each.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pykka

from benchmarks.contest import ROOT
from perdure import Actor, Child, Run, SupervisorSpec, message
from perdure.runtime.program import Program

WAIT_SECONDS_MAX = 100.0


@message("loopback.get")
class Get:
    port: int


@message("loopback.report")
class Report:
    pass


class Answers:
    """Counts what has come in, from whatever thread."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.expect(0)

    def expect(self, answers: int) -> None:
        self.left, self.done = answers, threading.Event()

    def add(self) -> None:
        with self.lock:
            self.left -= 1
            if not self.left:
                self.done.set()

    def wait(self) -> None:
        if not self.done.wait(WAIT_SECONDS_MAX):
            raise SystemExit(f"{self.left} answers did not come")


ANSWERS = Answers()


async def fetch(port: int) -> int:
    """One answer: its status."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    text = await reader.read()
    writer.close()
    return int(text.split()[1])


class Getter(Actor, name="loopback.getter"):
    status: int = 0

    async def on_receive(self, message: Get | Report) -> int:
        if isinstance(message, Get):
            self.status = await self.once(fetch, message.port)
            ANSWERS.add()
        return self.status


def on_perdure(directory: Path, waits: int, port: int) -> float:
    """Seconds until all are answered and the last is durable."""
    children = [Child(f"g{n}", Getter) for n in range(waits)]
    tree = Child("loopback", supervisor=SupervisorSpec(children=children))
    program = replace(Program.of(tree), concurrency=waits)
    with Run(program, directory, seed=1) as run:
        run.ask("/loopback/g0", Report(), timeout=WAIT_SECONDS_MAX)
        start = time.perf_counter()
        for n in range(waits):
            run.tell(f"/loopback/g{n}", Get(port))
        ANSWERS.wait()
        status = run.ask(f"/loopback/g{waits - 1}", Report(), timeout=WAIT_SECONDS_MAX)
        seconds = time.perf_counter() - start
    if status != 200:
        raise SystemExit(f"the server said {status}")
    return seconds


def on_asyncio(waits: int, port: int) -> float:
    """Seconds until all bare tasks are answered."""

    async def get() -> None:
        await fetch(port)
        ANSWERS.add()

    async def everyone() -> float:
        start = time.perf_counter()
        await asyncio.gather(*(get() for _ in range(waits)))
        return time.perf_counter() - start

    return asyncio.run(everyone())


class Thread(pykka.ThreadingActor):
    use_daemon_thread = True

    def on_receive(self, message: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", message)
        connection.request("GET", "/")
        connection.getresponse().read()
        connection.close()
        ANSWERS.add()


def on_pykka(waits: int, port: int) -> float:
    """Seconds until all threads are answered; starting them is not counted."""
    refs = [Thread.start() for _ in range(waits)]
    start = time.perf_counter()
    for ref in refs:
        ref.tell(port)
    ANSWERS.wait()
    seconds = time.perf_counter() - start
    for ref in refs:
        ref.stop(block=False)
    return seconds


@contextmanager
def server() -> Iterator[int]:
    """The slow server, in a process of its own: its port."""
    command = [sys.executable, "-m", "benchmarks.slow_server"]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        yield int(process.stdout.readline())
        process.kill()


def figures(argv: Sequence[str]) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--on", choices=("perdure", "asyncio", "pykka"), default="perdure")
    parser.add_argument("--waits", type=int, default=1_000)
    args = parser.parse_args(argv)
    with server() as port:
        ANSWERS.expect(args.waits)
        if args.on == "perdure":
            seconds = on_perdure(args.directory, args.waits, port)
        else:
            seconds = (on_asyncio if args.on == "asyncio" else on_pykka)(args.waits, port)
    return {"rate": args.waits / seconds, "ms": 1e3 * seconds}


if __name__ == "__main__":
    print(json.dumps(figures(sys.argv[1:])))
