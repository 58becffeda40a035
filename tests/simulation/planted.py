"""Bugs planted in the kernel by somebody who did not know the simulator: which seed finds each.

    python -m tests.simulation.planted [NAME...] [--seeds N] [--first SEED]

Each is a patch in tests/mutants, tried on a copy of the tree of its own: worlds are played, seed by
seed, until something is violated. A world that hangs is one that found it.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.mutants.run import ROOT, Bench, apply

NAMES = (
    "a-cancelled-step-that-has-not-begun-begins",
    "a-late-result-gives-its-reservation-back",
    "a-question-overtakes-what-was-told-before",
    "a-result-of-an-earlier-turn-is-taken-by-a-later",
    "a-step-tried-again-forgets-its-row",
    "a-supervisor-that-stops-a-child-resumes-idle",
    "a-timer-of-the-same-group-keeps-its-row",
    "one-waiter-is-woken-for-all-the-room",
    "rows-without-a-value-are-not-checked",
    "steps-of-a-turn-that-crashed-are-not-kept",
)
WORLD_SECONDS_MAX = 60.0
SAID = re.compile(r"in the world of seed (\d+), at event (\d+)")


def hunt(tree: Path, first: int, seeds: int) -> tuple[int | None, str]:
    """Play worlds of a tree until one is not whole: its seed, and what was violated."""
    env = {**os.environ, "PYTHONPATH": str(tree)}
    program = "from perdure.cli.main import main; main()"
    command = [sys.executable, "-c", program, "simulate", "world"]
    for seed in range(first, first + seeds):
        try:
            done = subprocess.run(
                [*command, "--seed", str(seed)],
                cwd=tree, env=env, capture_output=True, text=True, timeout=WORLD_SECONDS_MAX,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return seed, f"it hangs for more than {WORLD_SECONDS_MAX:g} s"
        if done.returncode:
            lines = [line for line in done.stderr.splitlines() if line.startswith("perdure: ")]
            said = [line for line in lines if not SAID.search(line)]
            return seed, (said or done.stderr.splitlines() or ["?"])[0].removeprefix("perdure: ")
    return None, f"not in {seeds} seeds"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*")
    parser.add_argument("--seeds", type=int, default=300)
    parser.add_argument("--first", type=int, default=1)
    args = parser.parse_args()
    wanted = [name for name in NAMES if not args.names or any(each in name for each in args.names)]
    with tempfile.TemporaryDirectory(prefix="perdure-planted-") as scratch:
        bench = Bench(ROOT, Path(scratch))
        for name in wanted:
            tree = bench.copy(name)
            applied = apply(ROOT / "tests" / "mutants" / f"{name}.patch", tree)
            if applied.returncode:
                raise SystemExit(f"{name} does not apply: {applied.stdout}")
            began = time.monotonic()
            seed, said = hunt(tree, args.first, args.seeds)
            found = "NOT FOUND" if seed is None else f"seed {seed}"
            print(f"{name:<50} {found:<10} {time.monotonic() - began:6.1f} s  {said}", flush=True)


if __name__ == "__main__":
    main()
