"""`make bench-peers`: durable steps on perdure and on other engines, lap by lap.

Each engine is installed in an environment of its own under build/peers. One that cannot be had, or
that does not run, is left out and named. It writes benchmarks/peers.json and a table in
docs/performance.md; `--only NAME` measures one of them and writes nothing; `--quick` is tiny.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
import venv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.bench import scratch_folder
from benchmarks.contest import ROOT, Contest, Laps, Part, counts, finish, hold, machine, say
from benchmarks.goals import Goal, Outcome, Row, Source, outcomes, summary
from benchmarks.page import PAGE, PEERS, missed, paragraphs, table, with_table
from benchmarks.plan import NORMAL, durable

RESULTS = ROOT / "benchmarks" / "peers.json"
HOMES = ROOT / "build" / "peers"
KINDS = ("turns", "reads", "instant", "effects")
INSTALL_SECONDS_MAX = 600
PROBE_SECONDS_MAX = 120
SECONDS = 1_200.0  # no lap but the first is begun that would end later


class Peer(NamedTuple):
    """An engine: what is installed of it, and whether a step outlives its process."""

    name: str
    title: str
    packages: tuple[str, ...]
    is_durable: bool = True
    server: str = ""  # a package of npm, with a program of the same name

    @property
    def home(self) -> Path:
        return HOMES / self.name

    @property
    def python(self) -> Path:
        return self.home / "bin" / "python"

    @property
    def program(self) -> Path:
        return self.home / "server" / "node_modules" / ".bin" / self.server.rpartition("/")[2]

    def part(self, agents: int, steps: int) -> Part:
        args = ("{}", "--agents", agents, "--steps", steps)
        return Part(self.name, f"peers.{self.name}_steps", args, str(self.python))


RIVALS = ("restate", "dbos", "langgraph")
"""Those that W1e is to be ahead of."""

ALL = (
    Peer("dbos", "DBOS, SQLite", ("dbos",)),
    Peer("langgraph", "LangGraph, SQLite", ("langgraph", "langgraph-checkpoint-sqlite")),
    Peer("eventsourcing", "eventsourcing, SQLite", ("eventsourcing",)),
    Peer(
        "restate", "Restate, its server", ("restate-sdk", "hypercorn"),
        server="@restatedev/restate-server",
    ),
    Peer("ray", "Ray, volatile", ("ray",), is_durable=False),
    Peer("autogen", "AutoGen core, volatile", ("autogen-core",), is_durable=False),
)  # fmt: skip


class Absent(Exception):
    """A peer cannot be had, or does not run here."""


# --- to have them


def have(peer: Peer, scratch: Path) -> list[str]:
    """Install a peer, unless it is there, and see that it runs: the versions of its packages."""
    if not peer.python.exists():
        say(f"installing {peer.name}")
        venv.create(peer.home, with_pip=True)
    stamp = peer.home / ".installed"
    if not stamp.exists():
        pip = [str(peer.python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        attempt([*pip, *peer.packages], INSTALL_SECONDS_MAX)
        if peer.server:
            npm = ["npm", "install", "--silent", "--no-audit", "--no-fund"]
            attempt([*npm, "--prefix", str(peer.home / "server"), peer.server], INSTALL_SECONDS_MAX)
        stamp.touch()
    if peer.server:
        os.environ[f"{peer.name.upper()}_SERVER"] = str(peer.program)
    probe, home = peer.part(1, 5), scratch / f"probe-{peer.name}"
    args = [str(home) if arg == "{}" else str(arg) for arg in probe.args]
    attempt([str(peer.python), "-m", f"benchmarks.{probe.program}", *args], PROBE_SECONDS_MAX)
    return versions(peer)


def attempt(command: Sequence[str], seconds: float) -> None:
    """Run a command, or raise `Absent` with its last words."""
    try:
        code, output, said = finish(command, seconds)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Absent(str(error)) from error
    if code:
        words = [line for line in (output + said).splitlines() if line.strip()]
        raise Absent(words[-1][:200] if words else f"{command[0]} failed with {code}")


def versions(peer: Peer) -> list[str]:
    """What was installed, for the notes."""
    ask = (
        "import sys\nfrom importlib.metadata import version\n"
        "for name in sys.argv[1:]: print(name, version(name))"
    )
    command = [str(peer.python), "-c", ask, *peer.packages]
    found = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    lines = found.stdout.splitlines()
    if peer.server:
        package = peer.home / "server" / "node_modules" / peer.server / "package.json"
        lines.append(f"{peer.server} {json.loads(package.read_text())['version']}")
    return lines


# --- to measure them


def contests(peers: Sequence[Peer], laps: int, one: int, many: tuple[int, int]) -> list[Contest]:
    """W1 and W2 of perdure and of all peers: steps of one, and of many."""
    found = []
    for name, agents, steps in (("one", 1, one), ("many", *many)):
        mine = [durable(kind, kind, agents, steps) for kind in KINDS]
        theirs = [peer.part(agents, steps) for peer in peers]
        found.append(Contest(name, laps, (*mine, *theirs)))
    return found


def with_fastest(laps: Laps, peers: Iterable[Peer]) -> Laps:
    """The laps, each with the fastest of the durable peers as one more."""
    names = [peer.name for peer in peers if peer.is_durable]
    if not names:
        return laps
    best = [max(names, key=lambda name: lap[name]["rate"]) for lap in laps]
    return [
        lap | {"fastest": lap[name] | {"name": name}} for lap, name in zip(laps, best, strict=True)
    ]


def lines(peers: Sequence[Peer]) -> list[Row]:
    """The table's lines: perdure's kinds beside the fastest, then calls beside each."""
    found = []
    texts = {"turns": "turns", "reads": "`once`, `async def`", "instant": "`once`, `@nonblocking`"}
    fastest = "the fastest durable one"
    for name, contest, what in (("W1", "one", "one actor"), ("W2", "many", "200 agents")):
        best = Source(contest, "fastest")
        if any(peer.is_durable for peer in peers):
            found += [
                Row(name, f"{what}, steps are {text}", "/s", Source(contest, kind), fastest, best,
                    Goal(20.0) if kind == "turns" else None)
                for kind, text in texts.items()
            ]  # fmt: skip
            found.append(
                Row(f"{name}e", f"{what}, steps are calls with an effect", "/s",
                    Source(contest, "effects"), fastest, best, Goal(5.0) if name == "W2" else None)
            )  # fmt: skip
        found += [
            Row(f"{name}e", "", "/s", Source(contest, "effects"), peer.title,
                Source(contest, peer.name),
                Goal(1.0) if name == "W1" and peer.name in RIVALS else None)
            for peer in peers
        ]  # fmt: skip
    return found


def found(results: dict[str, Any]) -> list[Outcome]:
    """The lines with their figures, of those that took part."""
    peers = [peer for peer in ALL if peer.name in results["versions"]]
    held = {name: with_fastest(laps, peers) for name, laps in results["contests"].items()}
    return outcomes(lines(peers), held)


def figures(results: dict[str, Any]) -> str:
    """What stands in docs/performance.md."""
    had = "; ".join(", ".join(names) for names in results["versions"].values())
    notes = [f"Laps: {counts(results['contests'])}. Versions: {had}."]
    notes += [f"Left out: {name}: {why}" for name, why in results["absent"].items()]
    where = results["machine"]
    notes.append(
        f"Measured on {where['cpus']} CPUs, {where['file_system']}, Python {where['python']}; the "
        f"load was {where['load']} at the start."
    )
    return paragraphs(table(found(results)), "\n".join(f"- {note}" for note in notes))


def measure(peers: Sequence[Peer], scratch: Path, laps: int, *, quick: bool) -> dict[str, Any]:
    """Have the peers, and hold the contests; the figures as peers.json has them."""
    began, where = time.monotonic(), machine(scratch)
    had: dict[str, list[str]] = {}
    absent: dict[str, str] = {}
    for peer in peers:
        try:
            had[peer.name] = have(peer, scratch)
        except Absent as error:
            absent[peer.name] = str(error)
            say(f"{peer.name} is left out: {error}")
    there = [peer for peer in peers if peer.name in had]
    plan = NORMAL
    sizes = (1, 20, (5, 4)) if quick else (laps, plan.steps, (plan.agents, plan.agent_steps))
    wanted = contests(there, *sizes)
    held = hold(wanted, scratch, inside=False, seconds=SECONDS)
    results = {
        "format": 1,
        "machine": where,
        "seconds": round(time.monotonic() - began),
        "versions": had,
        "absent": absent,
        "contests": held,
    }
    return results | {"lines": [summary(each) for each in found(results)]}


def main(argv: Sequence[str] | None = None) -> None:
    names = [peer.name for peer in ALL]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="at a tiny size; writes nothing")
    parser.add_argument("--laps", type=int, default=NORMAL.few)
    parser.add_argument("--only", action="append", default=[], choices=names)
    parser.add_argument("--scratch", type=Path, default=ROOT / "build", help="where files go")
    args = parser.parse_args(argv)
    scratch = scratch_folder(args.scratch, anywhere=args.quick)
    try:
        peers = [peer for peer in ALL if not args.only or peer.name in args.only]
        results = measure(peers, scratch, args.laps, quick=args.quick)
    finally:
        shutil.rmtree(scratch)
    print(text := figures(results))
    say(f"{results['seconds']} s. Not met: {', '.join(missed(found(results))) or 'none'}")
    if not args.quick and not args.only:
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")
        PAGE.write_text(with_table(PAGE.read_text(), text, PEERS))


if __name__ == "__main__":
    main(sys.argv[1:])
