"""The works of talk.py on Pykka's own ThreadingActor: volatile, one thread for each actor.

Messages are packed by msgpack at the sender and unpacked at the receiver, as everywhere that an
actor's memory is its own.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from collections.abc import Sequence
from typing import Any

import msgpack
import pykka

from benchmarks.talk import BATCH, PAD, WAIT_SECONDS_MAX, WORKS


def note(number: int) -> bytes:
    packed: bytes = msgpack.packb(("talk.note", number, PAD))
    return packed


class Sink(pykka.ThreadingActor):
    """Counts; says when it has heard everything."""

    use_daemon_thread = True

    def __init__(self, messages: int, done: threading.Event) -> None:
        super().__init__()
        self.left, self.done, self.seen = messages, done, 0

    def on_receive(self, message: bytes) -> None:
        msgpack.unpackb(message)
        self.seen += 1
        if self.seen == self.left:
            self.done.set()


class Echo(pykka.ThreadingActor):
    """Counts what it is asked."""

    use_daemon_thread = True

    def __init__(self) -> None:
        super().__init__()
        self.seen = 0

    def on_receive(self, message: bytes) -> bytes:
        msgpack.unpackb(message)
        self.seen += 1
        answer: bytes = msgpack.packb(self.seen)
        return answer


class Producer(pykka.ThreadingActor):
    """Tells the sink, or asks the echo."""

    use_daemon_thread = True

    def __init__(self, sink: Any, echo: Any) -> None:
        super().__init__()
        self.sink, self.echo = sink, echo

    def on_receive(self, message: tuple[str, int, int]) -> int:
        work, first, messages = message
        answer = 0
        if work == "asks":
            for n in range(messages):
                answer = msgpack.unpackb(self.echo.ask(note(n)))
            return answer
        end = min(first + BATCH, messages)
        for n in range(first, end):
            self.sink.tell(note(n))
        if end < messages:
            self.actor_ref.tell((work, end, messages))
        return end


class Leaf(pykka.ThreadingActor):
    """One of many, which passes on what it is told."""

    use_daemon_thread = True

    def __init__(self, sink: Any) -> None:
        super().__init__()
        self.sink, self.seen = sink, 0

    def on_receive(self, message: bytes) -> None:
        self.seen += 1
        self.sink.tell(msgpack.packb(msgpack.unpackb(message)))


class Fan(pykka.ThreadingActor):
    """Tells each of many."""

    use_daemon_thread = True

    def __init__(self, leaves: Sequence[Any]) -> None:
        super().__init__()
        self.leaves = leaves

    def on_receive(self, message: int) -> None:
        for leaf in self.leaves:
            for m in range(message):
                leaf.tell(note(m))


def measure(work: str, messages: int, each: int) -> dict[str, Any]:
    """Do one of the works: messages, or round trips, per second."""
    done = threading.Event()
    sink, echo = Sink.start(messages, done), Echo.start()
    producer = Producer.start(sink, echo)
    leaves = [Leaf.start(sink) for _ in range(messages // each)] if work == "fan" else []
    fan = Fan.start(leaves)
    start = time.perf_counter()
    if work in {"asks", "queries"}:
        if work == "asks":
            seen = producer.ask(("asks", 0, messages))
        else:
            for n in range(messages):
                seen = msgpack.unpackb(echo.ask(note(n)))
    else:
        if work == "tells":
            producer.tell(("tells", 0, messages))
        elif work == "fan":
            fan.tell(each)
        else:
            for n in range(messages):
                sink.tell(note(n))
        if not done.wait(WAIT_SECONDS_MAX):
            raise SystemExit("not all messages were handled")
        seen = sink.proxy().seen.get()
    seconds = time.perf_counter() - start
    for ref in (fan, producer, echo, sink, *leaves):
        ref.stop(block=False)
    if seen != messages:
        raise SystemExit(f"{seen} of {messages} messages were handled")
    return {"rate": messages / seconds, "messages": messages, "seconds": seconds}


def figures(argv: Sequence[str]) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", choices=WORKS, default="tells")
    parser.add_argument("--messages", type=int, default=10_000)
    parser.add_argument("--each", type=int, default=10)
    args = parser.parse_args(argv)
    return measure(args.work, args.messages, args.each)


if __name__ == "__main__":
    print(json.dumps(figures(sys.argv[1:])), flush=True)
