"""`make bench`: what perdure costs, beside raw LMDB and plain Pykka, with a goal for each figure.

Everything is measured in one run and as a ratio, since machines differ and are shared: in each lap
the parts run one after the other, each in a fresh process, and the median of the laps counts; there
are as many laps as fit into ten minutes, at most five. It writes benchmarks/results.json and the
table in docs/performance.md. `--only NAME` holds one of the contests and writes nothing; `--quick`
runs every part at a tiny size, to see that it works, and writes nothing unless told where;
`--full` has a million agents, too, and may take twice as long.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.contest import (
    ROOT,
    VOLATILE,
    Figures,
    file_system,
    hold,
    in_a_process,
    machine,
    run,
    say,
)
from benchmarks.goals import Outcome, outcomes, summary
from benchmarks.lines import lines
from benchmarks.page import PAGE, missed, notes, paragraphs, table, with_table
from benchmarks.plan import FULL, NORMAL, QUICK, Plan, account, contests

RESULTS = ROOT / "benchmarks" / "results.json"
FLUSHES = ("fsync", "fdatasync", "msync")


def flushes(plan: Plan, scratch: Path, *, inside: bool) -> Figures:
    """What the ring writes, and how often it flushes, in a run whose time does not count."""
    part, log = account(plan), scratch / "flushes"
    trace = ["strace", "-f", "-c", "-o", str(log), "-e", f"trace={','.join(FLUSHES)}"]
    if not shutil.which("strace") or subprocess.run([*trace, "true"], check=False).returncode:
        found = run(part, scratch / "account", inside=inside)
        return found | {"flushes": "not counted, strace cannot be used here"}
    args = [str(scratch / "account") if arg == "{}" else str(arg) for arg in part.args]
    found = in_a_process([*trace, sys.executable, "-m", f"benchmarks.{part.program}", *args])
    shutil.rmtree(scratch / "account")
    return found | {"flushes": read_strace(log.read_text())}


def read_strace(text: str) -> dict[str, int]:
    """Calls per name in a summary of `strace -c`.

    >>> read_strace(" 99.67  0.014399  757  19           fdatasync")
    {'fdatasync': 19}
    """
    words = (line.split() for line in text.splitlines())
    return {each[-1]: int(each[3]) for each in words if each and each[-1] in FLUSHES}


def writes(books: Figures) -> dict[str, float]:
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


def measure(plan: Plan, scratch: Path, *, only: Sequence[str], inside: bool) -> dict[str, Any]:
    """Hold the contests; the figures as they are written to results.json."""
    began, where = time.monotonic(), machine(scratch)
    books = flushes(plan, scratch, inside=inside)
    sizes = writes(books)
    wanted = [each for each in contests(plan, sizes) if not only or each.name in only]
    left = plan.seconds - (time.monotonic() - began)
    held = hold(wanted, scratch, inside=inside, seconds=left)
    results = {
        "format": 1,
        "machine": where,
        "many": list(plan.many),
        "seconds": round(time.monotonic() - began),
        "writes": sizes,
        "failed": [each.name for each in wanted if each.name not in held],
        "flushes": books["flushes"],
        "groups": books["groups"] + books["groups_built"],
        "contests": {"account": [{"ring": books}], **held},
    }
    return results | {"lines": [summary(each) for each in found(results)]}


def found(results: dict[str, Any]) -> list[Outcome]:
    """The lines of the table, with their figures."""
    return outcomes(lines(tuple(results["many"])), results["contests"])


def figures(results: dict[str, Any]) -> str:
    """What stands in docs/performance.md."""
    return paragraphs(table(found(results)), notes(results))


def scratch_folder(under: Path, *, anywhere: bool) -> Path:
    """A fresh folder for ledgers; refuses a place where fsync costs nothing."""
    under.mkdir(parents=True, exist_ok=True)
    kind = file_system(under.resolve())
    if kind in VOLATILE and not anywhere:
        raise SystemExit(f"{under} is on {kind}: name a disk by --scratch.")
    return Path(tempfile.mkdtemp(prefix="bench-", dir=under.resolve()))


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="every part at a tiny size")
    size.add_argument("--full", action="store_true", help="a million agents, too")
    parser.add_argument("--laps", type=int, help="of everything, in place of the plan's")
    parser.add_argument("--only", action="append", default=[], metavar="CONTEST")
    parser.add_argument("--scratch", type=Path, default=ROOT / "build", help="where ledgers go")
    parser.add_argument("--results", type=Path, help="the JSON file to write")
    parser.add_argument("--page", type=Path, help="the Markdown page whose table to write")
    args = parser.parse_args(argv)
    plan = QUICK if args.quick else FULL if args.full else NORMAL
    if args.laps:
        plan = plan._replace(laps=args.laps, few=args.laps)
    scratch = scratch_folder(args.scratch, anywhere=args.quick)
    try:
        results = measure(plan, scratch, only=args.only, inside=args.quick)
    finally:
        shutil.rmtree(scratch)
    if args.only:
        print(table(found(results)))
        return
    print(text := figures(results))
    say(f"{results['seconds']} s. Not met: {', '.join(missed(found(results))) or 'none'}")
    if target := args.results or (None if args.quick else RESULTS):
        target.write_text(json.dumps(results, indent=1) + "\n")
    if page := args.page or (None if args.quick else PAGE):
        page.write_text(with_table(page.read_text(), text))
    if results["failed"]:
        raise SystemExit(f"failed, and left out: {', '.join(results['failed'])}")


if __name__ == "__main__":
    main()
