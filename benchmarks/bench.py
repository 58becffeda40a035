"""`make bench`: perdure's durable ring against raw LMDB and plain Pykka, and what idle agents cost.

Everything is measured in one run and as a ratio, since machines differ and are shared: each pair
runs the parts one after the other, each in a fresh process, and the median of the pairs counts.
It writes benchmarks/results.json and the table in docs/performance.md; `--quick` runs every part
at a tiny size, to see that it works, and writes nothing unless told where.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
RESULTS = HERE / "results.json"
PAGE = ROOT / "docs" / "performance.md"
BEGIN = "<!-- figures: `make bench` writes what is between these lines -->"
END = "<!-- end of figures -->"

RATIO_GOAL = 0.25  # of the ceiling
GROWTH_GOAL_BYTES = 50_000_000
PART_SECONDS_MAX = 300
FLUSHES = ("fsync", "fdatasync", "msync")
WROTE = (
    "A turn wrote a journal row of {journal_bytes:.0f} bytes, {state_rows:.2f} state rows of "
    "{state_bytes:.0f} bytes, {inbox_rows:.2f} inbox rows and {inbox_deletes:.2f} deletions."
)
MEASURED = "Measured on {cpus} CPUs, {system}, {file_system}, Python {python}, lmdb {lmdb}."
VOLATILE = ("tmpfs", "ramfs")  # where fsync costs nothing


class Plan(NamedTuple):
    """How much of each part is run."""

    pairs: int
    actors: int
    hops: int
    ceiling_turns: int
    pykka_hops: int
    agents: int


FULL = Plan(5, 1_000, 80, 150_000, 40, 100_000)
QUICK = Plan(2, 20, 5, 2_500, 5, 1_200)


class Spread(NamedTuple):
    """The median of some measurements, and how far they lie apart."""

    median: float
    low: float
    high: float


def spread(values: Sequence[float]) -> Spread:
    """The median of `values` with the least and the greatest."""
    return Spread(statistics.median(values), min(values), max(values))


say = partial(print, file=sys.stderr, flush=True)


# --- parts, each in a process of its own


def part(name: str, *args: object, under: Sequence[str] = ()) -> dict[str, Any]:
    """Run one of the programs in this folder; what it prints, read."""
    command = [*under, sys.executable, str(HERE / f"{name}.py"), *map(str, args)]
    done = subprocess.run(
        command, stdout=subprocess.PIPE, text=True, timeout=PART_SECONDS_MAX, check=False
    )
    if done.returncode:
        raise SystemExit(f"{name} failed with {done.returncode}: {' '.join(command)}")
    report: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return report


def account(plan: Plan, scratch: Path) -> dict[str, Any]:
    """What the ring writes, and how often it flushes, in a run whose time does not count."""
    args = (scratch / "account", "--actors", plan.actors, "--hops", plan.hops, "--account")
    log = scratch / "flushes"
    trace = ["strace", "-f", "-c", "-o", str(log), "-e", f"trace={','.join(FLUSHES)}"]
    if not shutil.which("strace") or subprocess.run([*trace, "true"], check=False).returncode:
        return part("ring", *args) | {"flushes": "not counted, strace cannot be used here"}
    return part("ring", *args, under=trace) | {"flushes": read_strace(log.read_text())}


def read_strace(text: str) -> dict[str, int]:
    """Calls per name in a summary of `strace -c`.

    >>> read_strace(" 99.67  0.014399  757  19           fdatasync")
    {'fdatasync': 19}
    """
    lines = (line.split() for line in text.splitlines())
    return {words[-1]: int(words[3]) for words in lines if words and words[-1] in FLUSHES}


def writes(books: dict[str, Any]) -> dict[str, float]:
    """The mean size in bytes of each row a turn may write, and how many of each a turn wrote."""
    turns = books["turns"]
    state = books["puts"]["STATE"]
    return {
        "journal_bytes": books["journal_bytes"] / books["records"],
        "state_bytes": state[1] / state[0],
        "actor_bytes": books["actor_row_bytes"],
        "state_rows": state[0] / turns,
        "inbox_rows": books["puts"].get("INBOX", [0])[0] / turns,
        "inbox_deletes": books["deletes"].get("INBOX", 0) / turns,
        "turns_per_group": turns / books["groups"],
    }


def pair(plan: Plan, scratch: Path, sizes: dict[str, float], number: int) -> dict[str, float]:
    """One of each, one after the other: turns per second."""
    bare = ["--turns", plan.ceiling_turns, "--actors", plan.actors]
    for name in ("journal", "state", "actor"):
        bare += [f"--{name}", round(sizes[f"{name}_bytes"])]
    rows = (sizes["state_rows"], 0, sizes["inbox_rows"], sizes["inbox_deletes"])
    ways = {
        "ceiling": (),
        "ceiling_by_key": ("--by-key",),
        "ceiling_in_batches": ("--batches",),
        "ceiling_net": ("--batches", "--net", *rows),
    }
    lap = part("ring", scratch / "ring", "--actors", plan.actors, "--hops", plan.hops)
    rates = {"ring": lap["rate"]}
    for name, way in ways.items():
        rates[name] = part("ceiling", scratch / name, *bare, *way)["rate"]
    for name in rates:
        shutil.rmtree(scratch / name)
    pykka = ("--actors", plan.actors, "--hops", plan.pykka_hops)
    rates["pykka"] = part("pykka_ring", *pykka)["rate"]
    say(f"pair {number} of {plan.pairs}: " + ", ".join(f"{n} {r:,.0f}/s" for n, r in rates.items()))
    return rates


# --- together


def measure(plan: Plan, scratch: Path) -> dict[str, Any]:
    """Run every part; the figures as they are written to results.json."""
    say("what the ring writes, and how often it flushes")
    books = account(plan, scratch)
    sizes = writes(books)
    pairs = [pair(plan, scratch, sizes, number + 1) for number in range(plan.pairs)]
    say(f"{plan.agents:,} agents that handled one message each")
    memory = part("memory", scratch / "memory", "--agents", plan.agents)
    others = [name for name in pairs[0] if name != "ring"]
    return {
        "format": 1,
        "plan": plan._asdict(),
        "machine": machine(scratch),
        "writes": sizes,
        "flushes": books["flushes"],
        "groups": books["groups"] + books["groups_built"],
        "pairs": pairs,
        "rates": {name: spread([p[name] for p in pairs])._asdict() for name in pairs[0]},
        "ratios": {n: spread([p["ring"] / p[n] for p in pairs])._asdict() for n in others},
        "memory": memory,
    }


def machine(scratch: Path) -> dict[str, Any]:
    """Where this was measured."""
    return {
        "cpus": os.cpu_count(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "file_system": file_system(scratch),
        **{name: version(name) for name in ("lmdb", "msgpack", "pykka")},
    }


def file_system(path: Path) -> str:
    """The kind of file system that `path` is on; 'unknown' where there is no /proc."""
    try:
        mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    except OSError:
        return "unknown"
    over = [(where, kind) for _, where, kind, *_ in mounts if path.is_relative_to(where)]
    return max(over, key=lambda mount: len(mount[0]))[1]


# --- the page


def verdict(is_met: bool) -> str:
    return "met" if is_met else "**not met**"


def table(results: dict[str, Any]) -> str:
    """The figures as the Markdown that stands in docs/performance.md."""
    rates, ratios = results["rates"], results["ratios"]
    names = {
        "ring": "perdure, durable with fsync",
        "ceiling": "raw LMDB, five puts a turn, turn by turn: **the ceiling**",
        "ceiling_by_key": "the same rows, a group's at once in the order of their keys",
        "ceiling_in_batches": "likewise, in batches (`putmulti`)",
        "ceiling_net": "in batches, only the rows that the ring wrote",
        "pykka": "Pykka's ThreadingActor, volatile",
    }
    lines = [
        "| the ring | turns/s, median | perdure's share of it, median (spread) |",
        "|---|--:|--:|",
    ]
    for name, text in names.items():
        share = percent(ratios[name]) if name in ratios else ""
        lines.append(f"| {text} | {rates[name]['median']:,.0f} | {share} |")
    met = verdict(ratios["ceiling"]["median"] >= RATIO_GOAL)
    goal = f"Goal: at least {100 * RATIO_GOAL:.0f} % of the ceiling: {met}."
    notes = [
        goal,
        *ledger_notes(results),
        memory_note(results["memory"]),
        MEASURED.format(**results["machine"]),
    ]
    return "\n".join([*lines, "", *(f"- {note}" for note in notes)])


def ledger_notes(results: dict[str, Any]) -> list[str]:
    """What the ring wrote and flushed, in words."""
    sizes, flushes = results["writes"], results["flushes"]
    if isinstance(flushes, dict):
        counts = " + ".join(f"{n} {name}" for name, n in sorted(flushes.items()))
        flushes = f"{counts}, for {results['groups']} groups and the making of the ledger"
    return [
        f"A group held {sizes['turns_per_group']:,.0f} turns. Flushes of a whole run: {flushes}.",
        WROTE.format(**sizes),
    ]


def memory_note(memory: dict[str, Any]) -> str:
    """What idle agents cost, in words."""
    grown, goal = memory["growth"], GROWTH_GOAL_BYTES / 1e6
    return (
        f"{memory['agents']:,} agents handled one message each; {memory['loaded']:,} cells stay "
        f"loaded. Resident memory grew by {grown['rss'] / 1e6:.1f} MB: {grown['anon'] / 1e6:.1f} "
        f"MB of the process's own, {grown['file'] / 1e6:.1f} MB of pages of files; "
        f"by {grown['peak'] / 1e6:.1f} MB at its peak, before collections. "
        f"Goal: under {goal:.0f} MB: {verdict(grown['rss'] < GROWTH_GOAL_BYTES)}."
    )


def percent(ratio: dict[str, float]) -> str:
    """A ratio with its spread.

    >>> percent({"median": 0.31, "low": 0.28, "high": 0.4})
    '31 % (28-40)'
    """
    median, low, high = (100 * ratio[name] for name in Spread._fields)
    return f"{median:.0f} % ({low:.0f}-{high:.0f})"


def with_table(page: str, figures: str, begin: str = BEGIN, end: str = END) -> str:
    """`page` with its figures replaced; raises `SystemExit` for one that has no place for them."""
    before, found_begin, rest = page.partition(begin)
    _, found_end, after = rest.partition(end)
    if not (found_begin and found_end):
        raise SystemExit(f"{PAGE.name} has lost the lines {begin!r} and {end!r}: put them back.")
    return f"{before}{begin}\n\n{figures}\n\n{end}{after}"


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="every part at a tiny size")
    parser.add_argument("--scratch", type=Path, default=ROOT / "build", help="where ledgers go")
    parser.add_argument("--results", type=Path, help="the JSON file to write")
    parser.add_argument("--page", type=Path, help="the Markdown page whose table to write")
    args = parser.parse_args(argv)
    args.scratch.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix="bench-", dir=args.scratch.resolve()))
    try:
        if not args.quick and file_system(scratch) in VOLATILE:
            raise SystemExit(f"{scratch} is on {file_system(scratch)}: name a disk by --scratch.")
        results = measure(QUICK if args.quick else FULL, scratch)
    finally:
        shutil.rmtree(scratch)
    print(figures := table(results))
    if target := args.results or (None if args.quick else RESULTS):
        target.write_text(json.dumps(results, indent=1) + "\n")
    if page := args.page or (None if args.quick else PAGE):
        page.write_text(with_table(page.read_text(), figures))


if __name__ == "__main__":
    main()
