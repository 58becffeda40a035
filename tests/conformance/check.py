"""`make conformance`: perdure beside OTP, on recorded cases and, where Erlang is, on fresh ones.

`oracle.escript` plays cases of this form (FORMAT.md) on OTP's own supervisor: given
`--write FILE…`, it writes FILE's outcome beside it. Without Erlang, the recorded cases are played,
and that is said.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.conformance import compare, generate, otp
from tests.conformance.compare import difference, recorded
from tests.conformance.player import play

AT_A_TIME = 40  # cases for one start of Erlang
ORACLE = Path(__file__).with_name("oracle.escript")


def escript() -> str | None:
    """Where Erlang is; installed if that can be done without asking anybody."""
    found = shutil.which("escript")
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        print("there is no Erlang here: apt-get install erlang-base")
        install = ["apt-get", "install", "--yes", "--no-install-recommends", "erlang-base"]
        subprocess.run(install, check=False, stdout=subprocess.DEVNULL)
        found = shutil.which("escript")
    return found


def old() -> int:
    """Play the recorded cases; how many differ."""
    differing = count = 0
    for case, told in recorded():
        count += 1
        text = difference(told, play(case))
        if text is not None:
            differing += 1
            print(f"{case['name']}: {text}")
    print(f"{count - differing} of {count} recorded cases end as in OTP")
    return differing


def fresh(erlang: str, seed: int, count: int) -> int:
    """Make cases, have OTP and perdure play them; 1 if one differs."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cases, out = folder / "cases", folder / "out"
        generate.main(["--seed", str(seed), "--count", str(count), "--out", str(cases)])
        paths = sorted(map(str, cases.glob("*.json")))
        for at in range(0, len(paths), AT_A_TIME):
            asked = [erlang, str(ORACLE), "--write", *paths[at : at + AT_A_TIME]]
            subprocess.run(asked, check=False, stdout=subprocess.DEVNULL)
        paths = [path for path in paths if _is_played(Path(path))]
        otp.main(["--cases", str(cases), "--out", str(out), "--hash-names"])
        for path in map(Path, paths):  # names of outcomes tell nothing of the case
            hashed = otp.hashed(path.read_bytes())
            told = out / f"{hashed}{otp.EXPECTED}"
            told.rename(out / f"{path.stem}{otp.EXPECTED}")
        return compare.main([str(cases), str(out)])


def _is_played(case: Path) -> bool:
    """Whether OTP played a case; one that asks what cannot be asked, of a dead root say, is out."""
    told = case.with_name(f"{case.stem}{otp.EXPECTED}")
    if not told.exists() or "oracle_error" in told.read_text():
        told.unlink(missing_ok=True)
        case.unlink()
        return False
    return True


def main(given: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=200)
    options = parser.parse_args(given)
    if old():
        return 1
    erlang = escript()
    if erlang is None:
        print("no fresh cases: Erlang is not to be had here (the escript command of erlang-base)")
        return 0
    return fresh(erlang, options.seed, options.count)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
