"""What a fall costs: restart latency, restarts a second, a one_for_all restart of 100 children.

`python -m benchmarks.falls` measures perdure (in memory and on disk) and, if `escript` is on the
path, Erlang's own supervisor beside it, in turns, and prints a table. Every restart of perdure's
is a CRASH record, a turn of the supervisor and a start; those on disk are durable at the end.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.contest import ROOT
from benchmarks.page import PAGE, Place, with_table
from perdure import Actor, Child, Run, SupervisorSpec, message

HERE = Path(__file__).resolve().parent
BEAM = HERE / "falls.escript"
PLACE = Place(
    "<!-- falls: `make bench-falls` writes what is between these lines -->", "<!-- end of falls -->"
)
WAIT_SECONDS_MAX = 300.0
SIBLINGS = 100
FIGURES = {
    "latency_us": "crash to new `on_start` done, median, us",
    "latency_p99_us": "the same, p99, us",
    "restarts_few": "restarts/s, 200 in the window",
    "restarts_many": "restarts/s, 20,000 in the window",
    "siblings_ms": f"one_for_all restart of {SIBLINGS} children, ms",
}
Lap = dict[str, float]


class Fell(Exception):
    """What the actors here crash with."""


class Probe:
    """What a child saw: when it crashed, when its next life had started."""

    def __init__(self, falls: int) -> None:
        self.falls = falls
        self.fell = 0.0
        self.latencies: list[float] = []
        self.done = threading.Event()


probe = Probe(0)


@message("falls.fall")
class Fall:
    """Crash, and be told again in the next life, until there were enough."""


class Faller(Actor, name="falls.faller"):
    """Crashes on every message, and has one sent to itself at each start."""

    async def on_start(self) -> None:
        if probe.fell:
            probe.latencies.append(time.perf_counter() - probe.fell)
        if len(probe.latencies) >= probe.falls:
            probe.done.set()
            return
        self.tell(self.address, Fall())

    async def on_receive(self, message: Fall) -> None:
        probe.fell = time.perf_counter()
        raise Fell


class Sibling(Actor, name="falls.sibling"):
    """One of many that are restarted together; the last to start says so."""

    number: int = 0

    async def on_start(self) -> None:
        if self.number == SIBLINGS - 1 and probe.fell:
            probe.latencies.append(time.perf_counter() - probe.fell)
            probe.done.set()

    async def on_receive(self, message: Fall) -> None:
        probe.fell = time.perf_counter()
        raise Fell


def tree(strategy: str, children: list[Child]) -> Child:
    """A root that forgives everything within the hour."""
    flags = {"strategy": strategy, "intensity": 1_000_000, "period": 3600.0}
    return Child("falls", supervisor=SupervisorSpec(children=children, **flags))


def falls(number: int, directory: Path | None) -> tuple[list[float], float]:
    """Have one child fall that often: the latencies in seconds, and falls per second."""
    global probe  # noqa: PLW0603 - actors are built by the kernel, and reach nothing else
    probe = Probe(number)
    start = time.perf_counter()
    with Run(tree("one_for_one", [Child("a", Faller, redelivery="none")]), directory, seed=1):
        if not probe.done.wait(WAIT_SECONDS_MAX):
            raise SystemExit(f"{len(probe.latencies)} of {number} falls in {WAIT_SECONDS_MAX} s")
        seconds = time.perf_counter() - start
    return probe.latencies, number / seconds


def siblings(times: int, directory: Path | None) -> float:
    """Have the first of many fall under one_for_all: median milliseconds until all are back."""
    global probe  # noqa: PLW0603
    probe = Probe(0)
    many = [Child(f"s{n}", Sibling, init={"number": n}, redelivery="none") for n in range(SIBLINGS)]
    with Run(tree("one_for_all", many), directory, seed=1) as run:
        run.tell("/falls/s1", Fall())
        probe.done.wait(WAIT_SECONDS_MAX)
        probe.latencies.clear()
        for _ in range(times):
            probe.done.clear()
            run.tell("/falls/s0", Fall())
            if not probe.done.wait(WAIT_SECONDS_MAX):
                raise SystemExit(f"no restart of all in {WAIT_SECONDS_MAX} s")
    return 1e3 * statistics.median(probe.latencies)


def perdure(few: int, many: int, place: Callable[[str], Path | None]) -> Lap:
    """All figures of one lap of perdure; `place` names where a ledger goes, None for memory."""
    latencies, _ = falls(max(few, 10) * 5, place("latency"))
    latencies = sorted(latencies[len(latencies) // 6 :])
    return {
        "latency_us": 1e6 * statistics.median(latencies),
        "latency_p99_us": 1e6 * latencies[int(0.99 * len(latencies))],
        "restarts_few": statistics.median(falls(few, place(f"few{n}"))[1] for n in range(5)),
        "restarts_many": falls(many, place("many"))[1],
        "siblings_ms": siblings(max(few // 10, 2), place("siblings")),
    }


def beam(few: int, many: int) -> Lap:
    """The same figures of Erlang's supervisor, on one scheduler."""
    command = ["escript", str(BEAM), str(few), str(many), str(SIBLINGS)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    figures: Lap = json.loads(done.stdout)
    return figures


def measure(pairs: int, few: int, many: int, scratch: Path) -> dict[str, list[Lap]]:
    """That many laps of each, in turns."""
    laps: dict[str, list[Lap]] = {"memory": [], "disk": []}
    if shutil.which("escript"):
        laps["beam"] = []
    for number in range(pairs):
        home = scratch / str(number)
        laps["memory"].append(perdure(few, many, lambda name: None))
        laps["disk"].append(perdure(few, many, lambda name, home=home: home / name))
        if "beam" in laps:
            laps["beam"].append(beam(few, many))
    return laps


def table(laps: dict[str, list[Lap]]) -> str:
    """The medians as Markdown, and how perdure on disk stands beside the BEAM."""
    names = {"disk": "perdure, durable", "memory": "perdure, in memory", "beam": "OTP"}
    shown = [name for name in names if laps.get(name)]
    lines = [
        "| a fall | " + " | ".join(names[name] for name in shown) + " |",
        "|---|" + "--:|" * len(shown),
    ]
    for figure, text in FIGURES.items():
        medians = [statistics.median(lap[figure] for lap in laps[name]) for name in shown]
        cells = " | ".join(f"{m:,.0f}" if m >= 10 else f"{m:,.2f}" for m in medians)
        lines.append(f"| {text} | {cells} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--few", type=int, default=200)
    parser.add_argument("--many", type=int, default=20_000)
    parser.add_argument("--scratch", type=Path, default=ROOT / "build")
    parser.add_argument("--json", action="store_true", help="print every lap")
    parser.add_argument("--write", action="store_true", help="write the table into the docs")
    args = parser.parse_args()
    args.scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="falls-", dir=args.scratch) as scratch:
        laps = measure(args.pairs, args.few, args.many, Path(scratch))
    print(json.dumps(laps) if args.json else table(laps))
    if args.write:
        PAGE.write_text(with_table(PAGE.read_text(), table(laps), PLACE))


if __name__ == "__main__":
    main()
