"""Restate: its server, and a Python service under hypercorn, both for the time of the run."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from benchmarks.peers.steplog import Work, timed, work

SERVER = "RESTATE_SERVER"  # the program's path
START_SECONDS_MAX = 60.0


def free_ports(number: int) -> list[int]:
    """Ports that nobody listens at."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def post(url: str, body: object) -> object:
    data, head = json.dumps(body).encode(), {"Content-Type": "application/json"}
    request = urllib.request.Request(url, data, head, method="POST")
    with urllib.request.urlopen(request, timeout=250) as answer:
        return json.load(answer)


@contextmanager
def running(asked: Work) -> Iterator[str]:
    """The server with the service registered: where it is asked from outside."""
    ingress, admin, node, service = free_ports(4)
    config = asked.directory / "restate.toml"
    config.write_text(
        f'cluster-name = "steps"\nnode-name = "one"\nbase-dir = "{asked.directory}/restate"\n'
        f'bind-address = "127.0.0.1:{node}"\nadvertised-address = "http://127.0.0.1:{node}/"\n'
        f'auto-provision = true\nroles = ["worker", "admin", "metadata-server", "log-server", '
        f'"http-ingress"]\n[admin]\nbind-address = "127.0.0.1:{admin}"\n'
        f'[ingress]\nbind-address = "127.0.0.1:{ingress}"\n'
    )
    serve = [sys.executable, "-m", "hypercorn", "benchmarks.peers.restate_service:app"]
    commands = (
        [os.environ[SERVER], "--config-file", str(config)],
        [*serve, "--bind", f"127.0.0.1:{service}"],
    )
    env = os.environ | {"STEPS_LOG": str(asked.log), "DO_NOT_TRACK": "1"}
    with (asked.directory / "output").open("wb") as output:
        processes = [
            subprocess.Popen(c, stdout=output, stderr=output, env=env, start_new_session=True)
            for c in commands
        ]

    def end() -> None:
        for process in processes:
            os.killpg(process.pid, signal.SIGKILL)  # both have children of their own

    def end_at_once(*_: object) -> None:
        end()
        os._exit(1)

    signal.signal(signal.SIGTERM, end_at_once)
    try:
        register(f"http://127.0.0.1:{admin}/deployments", f"http://127.0.0.1:{service}")
        yield f"http://127.0.0.1:{ingress}/agent/walk"
    finally:
        end()


def register(admin: str, service: str) -> None:
    """Tell the server of the service, as soon as both are up."""
    deadline = time.monotonic() + START_SECONDS_MAX
    while True:
        try:
            post(admin, {"uri": service})
            return
        except (urllib.error.URLError, ConnectionError) as error:
            if time.monotonic() > deadline:
                said = error.read() if isinstance(error, urllib.error.HTTPError) else error
                raise SystemExit(f"the server or the service did not come up: {said!r}") from error
            time.sleep(0.2)


def main() -> None:
    asked = work()
    with running(asked) as url:
        post(url, {"number": 0, "steps": 0})

        def everyone() -> None:
            with ThreadPoolExecutor(asked.agents) as pool:
                requests = [{"number": n, "steps": asked.steps} for n in range(asked.agents)]
                list(pool.map(lambda request: post(url, request), requests))

        timed(asked, everyone)


if __name__ == "__main__":
    main()
