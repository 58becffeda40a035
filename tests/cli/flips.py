"""Ledgers with flipped bytes, and what each verb says of them: the truth, or that they are damaged.

    python tests/cli/flips.py [--n N] [--seed SEED]       (make flips N=10000)

A ledger that has almost every kind of record and row (tests/cli/museum.py) is spoilt in one of many
ways, and one verb is tried on it. It must write what it writes of the whole ledger and exit as it
does then, or write an error of perdure's and exit with 2 or 3. A traceback, an exit by a signal, or
other words than those of the whole ledger are what is looked for.
"""

from __future__ import annotations

import sys
from os.path import dirname

if __name__ == "__main__":  # a program's own folder is the first place that imports look in
    sys.path[0] = dirname(dirname(dirname(__file__)))

import argparse
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections import Counter
from pathlib import Path
from random import Random
from typing import NamedTuple

from tests.cli.museum import museum
from tests.cli.verbs import ROOT, perdure

PAGE = 4096
DAMAGED, USAGE = 3, 2
READS = [
    ["show"], ["show", "--json"], ["tree"], ["tree", "--json"], ["ps", "--all"], ["ps", "--json"],
    ["trace"], ["trace", "--json"], ["trace", "--causal"], ["trace", "--actor", "/museum/keeper"],
    ["why", "40"], ["why", "60", "--json"], ["state", "/museum/keeper"],
    ["state", "/museum/keeper", "--json"], ["state", "/museum/clerk", "--at", "60"],
    ["state", "/museum/keeper", "--at", "opened"], ["diff", "20", "90"], ["diff", "30", "--json"],
    ["dead"], ["dead", "--json"], ["doubt"], ["doubt", "--json"], ["verify"], ["verify", "--json"],
    ["replay"], ["replay", "--json"],
]  # fmt: skip
WRITES = [
    ["resume", "--no-wait", "--json"], ["tell", "/museum/clerk", '"more"'],
    ["suspend", "/museum/clerk"], ["suspend", "/museum/idle", "--off"],
    ["cancel", "/museum/keeper"], ["clear", "/museum/waverer", "--forget"],
    ["doubt", "{doubt}", "--did-not-happen"], ["dead", "requeue", "{letter}"],
    ["restore", "/museum/keeper", "opened"], ["fork", "--at", "opened", "--to", "{fork}"],
]  # fmt: skip
CHANGING = re.compile(
    r"[0-9a-f]{32}|\d\d:\d\d\.\d+|\d+(\.\d+)? m?s\b"
    r"|\"(seconds|at|time|counted)\": [^,}]+|\d+ counted"
)
"""What is another in each process: ids of forks, and times."""


class Said(NamedTuple):
    """What a verb wrote, and its exit code."""

    code: int
    out: str
    error: str


class Flips:
    """The ledger, and what the verbs say of it while it is whole."""

    def __init__(self, folder: Path) -> None:
        made = museum(folder / "made")
        self.run, self.fork = folder / "run", folder / "fork"
        shutil.copytree(made, self.run)
        self.data = self.run / "ledger" / "data.mdb"
        self.raw = self.data.read_bytes()
        self.kept = folder / "kept"
        shutil.copytree(self.run, self.kept)
        ids = {"doubt": r"(\d+)  /museum/payer", "letter": r"^(\d+\.\d+)"}
        out = self.say(["doubt"]).out + self.say(["dead"]).out
        found = {name: re.search(how, out, re.MULTILINE) for name, how in ids.items()}
        self.words = {name: match[1] for name, match in found.items() if match}
        self.words["fork"] = str(self.fork)
        self.whole = {tuple(verb): self.try_on(verb, self.raw) for verb in READS + WRITES}

    def try_on(self, verb: list[str], raw: bytes) -> Said:
        """What a verb says of a run with these bytes for a ledger; the run is as it was then."""
        self.data.write_bytes(raw)
        try:
            return self.say(verb)
        finally:
            if verb in WRITES:
                shutil.rmtree(self.fork, ignore_errors=True)
                shutil.rmtree(self.run)
                shutil.copytree(self.kept, self.run)

    def say(self, verb: list[str]) -> Said:
        name, *rest = (part.format(**self.words) if "{" in part else part for part in verb)
        result = perdure(name, self.run, *rest)
        return Said(result.exit_code, CHANGING.sub("…", result.stdout), result.stderr)

    def wrong(self, verb: list[str], raw: bytes) -> tuple[str, str]:
        """What came of it, in a word; and what is wrong with that, if anything is."""
        said, whole = self.try_on(verb, raw), self.whole[tuple(verb)]
        if (said.code, said.out) == (whole.code, whole.out):
            return "true", ""
        if "Traceback" in said.error or "bug" in said.error:
            return "traceback", said.error
        if said.code not in (DAMAGED, USAGE) or not (said.error or "ok" in said.out):
            return "untrue", f"{said} instead of {whole}"
        if not whole.out.startswith(said.out) and '"ok": false' not in said.out:
            return "half untrue", f"{said.out} before the error, instead of {whole.out}"
        return "refused", ""


class Spoilt:
    """The ledger's bytes, in which something is to be made wrong."""

    def __init__(self, raw: bytes, random: Random) -> None:
        self.raw, self.random, self.pages = raw, random, len(raw) // PAGE
        self.bytes = bytearray(raw)

    def _page(self, number: int) -> bytes:
        return self.raw[number * PAGE : (number + 1) * PAGE]

    def _put(self, at: int, data: bytes) -> None:
        self.bytes[at : at + len(data)] = data

    def _any_page(self) -> int:
        return self.random.randrange(self.pages)

    def flip(self) -> None:
        of_meta = self.random.random() < 0.3
        page = self.random.randrange(2) if of_meta else self._any_page()
        in_head = self.random.random() < 0.3
        place = self.random.randrange(160 if in_head else PAGE)
        self.bytes[page * PAGE + place] ^= 1 << self.random.randrange(8)

    def flips(self) -> None:
        for _ in range(self.random.randint(2, 40)):
            self.flip()

    def burst(self) -> None:
        size = self.random.choice((2, 8, 64, 512))
        self._put(self.random.randrange(len(self.raw) - size), self.random.randbytes(size))

    def zero_page(self) -> None:
        self._put(self._any_page() * PAGE, bytes(PAGE))

    def zero_sectors(self) -> None:
        at, size = self._any_page() * PAGE, self.random.randrange(1, 8) * 512
        self._put(at + self.random.choice((0, PAGE - size)), bytes(size))

    def swap(self) -> None:
        one, other = self._any_page(), self._any_page()
        self._put(one * PAGE, self._page(other))
        self._put(other * PAGE, self._page(one))

    def swap_meta(self) -> None:
        self._put(0, self._page(1) + self._page(0))

    def double_meta(self) -> None:
        self._put(0, 2 * self._page(self.random.randrange(2)))

    def copy(self) -> None:
        self._put(self._any_page() * PAGE, self._page(self._any_page()))

    def cut(self) -> None:
        del self.bytes[self.random.randrange(len(self.raw)) :]

    def cut_pages(self) -> None:
        del self.bytes[self._any_page() * PAGE :]

    def grow(self) -> None:
        self.bytes.extend(self.random.randbytes(self.random.choice((1, 100, PAGE))))


WAYS = {
    Spoilt.flip: 12, Spoilt.flips: 4, Spoilt.burst: 3, Spoilt.zero_page: 2, Spoilt.zero_sectors: 2,
    Spoilt.swap: 2, Spoilt.swap_meta: 1, Spoilt.double_meta: 1, Spoilt.copy: 2, Spoilt.cut: 2,
    Spoilt.cut_pages: 1, Spoilt.grow: 1,
}  # fmt: skip
"""What may be wrong, and how often."""


def tried(flips: Flips, seed: int, case: int) -> tuple[str, str, str]:
    """One case: what was done, what came of it, and what is wrong with that."""
    random = Random(f"{seed} {case}")
    verb = random.choice(READS * 3 + WRITES)
    spoilt = Spoilt(flips.raw, random)
    (way,) = random.choices(list(WAYS), list(WAYS.values()))
    way(spoilt)
    came, wrong = flips.wrong(verb, bytes(spoilt.bytes))
    return f"{way.__name__}, {' '.join(verb)}", came, wrong


def work(seed: int, first: int, last: int) -> int:
    """Try the cases from `first` to `last`, in this process, and say of each what came of it."""
    folder = Path(tempfile.mkdtemp(prefix="flips-"))
    os.environ.update(PERDURE_HOME=str(folder / "home"), NO_COLOR="1", COLUMNS="100", TERM="dumb")
    try:
        flips = Flips(folder)
        for case in range(first, last):
            what, came, wrong = tried(flips, seed, case)
            print(f"{case}\t{came}\t{what}\t{wrong!r}", flush=True)
    finally:
        shutil.rmtree(folder)
    return 0


def all_cases(seed: int, cases: int) -> tuple[Counter[str], list[str]]:
    """Try so many cases in child processes: the counts of what came of them, and what is wrong."""
    counts, wrong, done = Counter[str](), list[str](), 0
    while done < cases:
        command = [
            sys.executable,
            "-m",
            "tests.cli.flips",
            "--work",
            *map(str, (seed, done, cases)),
        ]
        with subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.PIPE) as child:
            assert child.stdout is not None
            for line in child.stdout:
                case, came, what, text = line.rstrip("\n").split("\t")
                counts[came] += 1
                done = int(case) + 1
                if text != "''":
                    wrong.append(f"seed {seed}, case {done - 1}: {what}: {came}: {text}")
        if child.returncode < 0:
            counts["signal"] += 1
            wrong.append(f"seed {seed}, case {done}: exit by signal {-child.returncode}")
            done += 1
        else:
            assert child.returncode == 0, f"case {done} cannot be tried: exit {child.returncode}"
    return counts, wrong


def main() -> int:
    if sys.argv[1:2] == ["--work"]:
        return work(*map(int, sys.argv[2:]))
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--n", type=int, default=1_000, help="cases (default 1,000)")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    options = parser.parse_args()
    began = time.monotonic()
    counts, wrong = all_cases(options.seed, options.n)
    print("\n".join(wrong))
    came = ", ".join(f"{count:,} {word}" for word, count in counts.most_common())
    print(
        f"{sum(counts.values()):,} cases, seed {options.seed}: {came}; "
        f"{time.monotonic() - began:.0f} seconds"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
