"""`python -m tests.conformance.otp --cases DIR --out DIR`: play cases of OTP on perdure's kernel.

Each case of DIR is a tree and what is done to it. What happened is written beside OTP's own form,
as NAME.expected.json, to be compared with what OTP did. Nothing but the case is read.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.conformance.player import play

EXPECTED = ".expected.json"


def main(given: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--hash-names", action="store_true", help="name outputs by their case")
    parser.add_argument("--only", default="", help="cases with this in their name")
    options = parser.parse_args(given)
    options.out.mkdir(parents=True, exist_ok=True)
    began, played, failed = time.monotonic(), 0, 0
    for path in sorted(options.cases.glob("*.json")):
        if path.name.endswith(EXPECTED) or options.only not in path.name:
            continue
        data = path.read_bytes()
        name = hashed(data) if options.hash_names else path.stem
        try:
            told = play(json.loads(data))
        except Exception as error:  # noqa: BLE001 - one case says nothing of the others
            failed += 1
            print(f"{path.name}: {type(error).__name__}: {error}", file=sys.stderr)
            told = {"error": f"{type(error).__name__}: {error}"}
        (options.out / f"{name}{EXPECTED}").write_text(json.dumps(told))
        played += 1
    seconds = time.monotonic() - began
    print(f"{played} cases in {seconds:.1f} s, {played / max(seconds, 1e-9):.0f} a second")
    return 1 if failed else 0


def hashed(case: bytes) -> str:
    """A name that tells nothing of a case but whether it is the same."""
    return hashlib.sha256(case).hexdigest()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
