"""What a durability level costs: one actor, steps that wait for nothing, and steps with an effect.

`python -m benchmarks.levels DIR --durability each` runs both, with their ledgers below DIR, which
must not exist yet; the steps are `turns` and `effects` of durable.py.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.durable import measure
from perdure.ledger.levels import LEVELS


def figures(argv: Sequence[str]) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--durability", choices=LEVELS, default="group")
    parser.add_argument("--turns", type=int, default=100)
    parser.add_argument("--effects", type=int, default=100)
    args = parser.parse_args(argv)
    found: dict[str, Any] = {}
    for kind, steps in (("turns", args.turns), ("effects", args.effects)):
        figures = measure(args.directory / kind / "run", kind, 1, steps, args.durability)
        found[kind], found[f"{kind}_groups"] = figures["rate"], figures["groups"]
    return found


if __name__ == "__main__":
    print(json.dumps(figures(sys.argv[1:])))
