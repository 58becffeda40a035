"""The same ring on Pykka's own ThreadingActor: volatile, one thread per actor, nothing on disk.

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

PAD = "x" * 75
WAIT_SECONDS_MAX = 300.0


class Finish:
    """Counts the messages that have come to their last hop."""

    def __init__(self, messages: int) -> None:
        self._left = messages
        self._lock = threading.Lock()
        self.turns = 0
        self.done = threading.Event()

    def one(self) -> None:
        with self._lock:
            self._left -= 1
            if not self._left:
                self.done.set()


class Node(pykka.ThreadingActor):
    use_daemon_thread = True

    def __init__(self, finish: Finish) -> None:
        super().__init__()
        self.finish = finish
        self.next: pykka.ActorRef[Any] | None = None
        self.seen = 0

    def on_receive(self, message: bytes) -> None:
        _, hops, pad = msgpack.unpackb(message)
        self.seen += 1
        if hops > 1:
            self.next.tell(msgpack.packb(("Token", hops - 1, pad)))
        else:
            self.finish.one()


def ring(actors: int, hops: int, tokens: int | None = None) -> dict[str, Any]:
    """Run the ring once: one message in flight for each actor, or for the first of them."""
    tokens = actors if tokens is None else tokens
    finish = Finish(tokens)
    refs = [Node.start(finish) for _ in range(actors)]
    proxies = [ref.proxy() for ref in refs]
    for proxy, following in zip(proxies, refs[1:] + refs[:1], strict=True):
        proxy.next = following
    start = time.perf_counter()
    for ref in refs[:tokens]:
        ref.tell(msgpack.packb(("Token", hops, PAD)))
    if not finish.done.wait(WAIT_SECONDS_MAX):
        raise SystemExit(f"the ring did not end within {WAIT_SECONDS_MAX:g} s")
    seconds = time.perf_counter() - start
    turns = sum(proxy.seen.get() for proxy in proxies)
    for ref in refs:
        ref.stop(block=False)
    if turns != tokens * hops:
        raise SystemExit(f"{turns} of {tokens * hops} messages were handled")
    return {"rate": turns / seconds, "turns": turns, "seconds": seconds}


def figures(argv: Sequence[str]) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--actors", type=int, default=1_000)
    parser.add_argument("--hops", type=int, default=50)
    parser.add_argument("--tokens", type=int)
    args = parser.parse_args(argv)
    return ring(args.actors, args.hops, args.tokens)


if __name__ == "__main__":
    print(json.dumps(figures(sys.argv[1:])))
