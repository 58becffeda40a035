"""A process under tests/crashes/powercut.c: drives a workload on a disk, dies, and drives it again.

    python -m tests.crashes.recorder WORKLOAD DISK SCENARIO [MOMENT…]

For each moment (see marks.py) a forked child begins, or goes on, and is killed at it; the last one
drives it to the end.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tests.crashes.marks import kill_at
from tests.crashes.workloads import workload


def main() -> int:
    name, disk, scenario, *kills = sys.argv[1:]
    done = workload(name)
    code = 0
    for moment in (*kills, ""):
        child = os.fork()
        if child == 0:
            code = 70
            try:
                if moment:
                    kill_at(moment)
                done.drive(Path(disk), Path(scenario))
                code = 0
            finally:
                os._exit(code)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return code


if __name__ == "__main__":
    sys.exit(main())
