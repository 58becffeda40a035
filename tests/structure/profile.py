"""Which functions a workload calls, and how often for each turn, message or step of it.

python -m tests.structure.profile WORKLOAD [--top 60]
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from tests.structure.counts import count
from tests.structure.meters import PACKAGE, Calls, side_of
from tests.structure.workloads import WORKLOADS

SIDES = {"calls": "", "library_calls": "Python's"}


def lines(name: str, calls: Calls, top: int) -> Iterator[str]:
    """The table, most calls first."""
    work = WORKLOADS[name]
    yield f"{name}: {work.what}; {work.number:,}"
    yield f"{'calls':>10}  {'a ' + work.unit:>10}  {'builtins':>10}  function"
    found = [each for each in calls.of if side_of(each[0]) and each[1]]
    for code, number, builtins in sorted(found, key=lambda each: -each[1])[:top]:
        path = code.co_filename
        where = path.removeprefix(PACKAGE) if path.startswith(PACKAGE) else path.split("/")[-1]
        share, rest = number / work.number, SIDES[side_of(code)]
        place = f"{where}:{code.co_firstlineno}"
        yield f"{number:>10,}  {share:>10.4g}  {builtins:>10,}  {code.co_qualname}  {place}  {rest}"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("name", metavar="WORKLOAD", choices=WORKLOADS, help=", ".join(WORKLOADS))
    parser.add_argument("--top", type=int, default=60, help="functions (default 60)")
    options = parser.parse_args()
    calls = count(options.name).calls
    print("\n".join(line.rstrip() for line in lines(options.name, calls, options.top)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
