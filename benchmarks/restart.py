"""From a crash to the end of the next `on_start`: `python -m benchmarks.restart DIR --falls 1000`.

With `--memory` the ledger is in memory. See falls.py, which compares more of it with OTP.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.falls import falls


def figures(argv: Sequence[str]) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--falls", type=int, default=1_000)
    parser.add_argument("--memory", action="store_true")
    args = parser.parse_args(argv)
    latencies, rate = falls(args.falls, None if args.memory else args.directory)
    late = sorted(latencies[args.falls // 6 :])  # the first ones learn
    p99 = late[int(0.99 * len(late))]
    return {"us": 1e6 * statistics.median(late), "p99_us": 1e6 * p99, "rate": rate}


if __name__ == "__main__":
    print(json.dumps(figures(sys.argv[1:])))
