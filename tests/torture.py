"""`kill -9` and resume, N times, then say how it went.

    python tests/torture.py [--n N] [--scenario survey|transfers|both] [--seed SEED]

Runs are killed at random moments, spread over what an uninterrupted run records, and resumed until
they end. After every kill the ledger is verified and audited, and no file or transfer may be lost
or in two places; at the end everything is byte for byte what the uninterrupted run left. Exit 1,
and the ledger is kept, when something does not hold or fewer than 80 % of the kills have landed.
"""

# ruff: noqa: E402 - the path comes first
from __future__ import annotations

import sys
from os.path import dirname

# A program's own folder is the first place that imports look in, and there is tests/typing.
sys.path[0] = dirname(dirname(__file__))

import argparse
import shutil
import tempfile
import time
from pathlib import Path
from random import Random

from tests.crashes.killing import Victim
from tests.crashes.torment import (
    LANDED_SHARE_MIN,
    Baseline,
    Subject,
    Tally,
    library,
    plan,
    survey,
    torment,
    transfers,
    uninterrupted,
)

PACKAGES = ["asyncio", "email", "http", "importlib", "json", "logging", "unittest", "xml"]
FAULTS = 0.1
TRANSFERS = 2_000
KILLS_A_RUN_MAX = 6


def main() -> int:
    options = parse()
    scratch = Path(tempfile.mkdtemp(prefix="torture-"))
    random = Random(options.seed)
    began = time.monotonic()
    print(f"torture   seed {options.seed}   {options.n} kills   {scratch}")
    try:
        with Victim() as victim:
            tally = torture(victim, subjects(options.scenario, scratch), random, options.n, scratch)
    except AssertionError:
        print(f"what is left is in {scratch}; again with --seed {options.seed}", file=sys.stderr)
        raise
    print(f"{tally}, {time.monotonic() - began:.0f} seconds")
    shutil.rmtree(scratch)
    if tally.landed_share < LANDED_SHARE_MIN:
        print(f"fewer than {LANDED_SHARE_MIN:.0%} of the kills have landed", file=sys.stderr)
        return 1
    return 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--n", type=int, default=200, help="kills (default 200)")
    parser.add_argument("--scenario", choices=["survey", "transfers", "both"], default="both")
    parser.add_argument("--seed", type=int, default=None, help="of the moments of the kills")
    options = parser.parse_args()
    if options.n < 1:
        parser.error("--n must be at least 1")
    if options.seed is None:
        options.seed = time.time_ns() % 1_000_000
    return options


def subjects(scenario: str, scratch: Path) -> list[Subject]:
    """What is to be killed."""
    found = []
    if scenario != "transfers":
        found.append(survey(library(scratch / "library", PACKAGES), FAULTS))
    if scenario != "survey":
        found.append(transfers(TRANSFERS, FAULTS))
    return found


def torture(
    victim: Victim, subjects: list[Subject], random: Random, kills: int, scratch: Path
) -> Tally:
    """Kill the subjects in turn until it is enough."""
    tally = Tally()
    baselines: dict[str, Baseline] = {}
    for subject in subjects:
        baselines[subject.name] = uninterrupted(victim, subject, scratch / subject.name)
        records = baselines[subject.name].records
        print(f"{subject.name:<9} uninterrupted: {records:,} records")
    while tally.kills < kills:
        subject = subjects[tally.runs % len(subjects)]
        baseline = baselines[subject.name]
        number = min(random.randint(1, KILLS_A_RUN_MAX), kills - tally.kills)
        directory = scratch / f"{subject.name}-{tally.runs + 1}"
        torment(victim, subject, directory, baseline, plan(random, baseline, number), tally)
        shutil.rmtree(directory)
        print(f"{subject.name:<9} run {tally.runs}: {tally}", flush=True)
    return tally


if __name__ == "__main__":
    sys.exit(main())
