"""Break the source on purpose: each patch must turn the test that it names from green to red.

    python tests/mutants/run.py [NAME...]      # all, or those whose file name contains a NAME

Every patch is applied to a copy of the tree of its own. Exit 1 if one survives, does not apply, or
names a test that is not green without it.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent.parent
TEST_SECONDS_MAX = 180
OUTPUT_LINES_SHOWN = 15
NOT_COPIED = (".git", ".venv", ".perdure", ".hypothesis", ".*_cache", "__pycache__", "build")
HEADER = re.compile(r"^# test: (\S+::\S+)$", re.MULTILINE)

KILLED = "killed"
SURVIVED = "SURVIVED"
NO_HEADER = "NAMES NO TEST"
DOES_NOT_APPLY = "DOES NOT APPLY"
RED_WITHOUT = "RED WITHOUT IT"
NO_VERDICT = "NO VERDICT"  # the test did not run: not found, no collection, too long


class Outcome(NamedTuple):
    """How one run of a test ended: pytest's exit code (None: too long) and its last lines."""

    code: int | None
    output: str


class Result(NamedTuple):
    """What became of one mutant."""

    name: str
    test: str
    verdict: str
    seconds: float
    output: str = ""


class Bench:
    """The place where mutants of the tree at `root` are tried; the tree itself is only read."""

    def __init__(self, root: Path, scratch: Path) -> None:
        self.root = root
        self.scratch = scratch
        self._green: dict[str, Outcome] = {}
        self._plain = self.copy("plain")

    def copy(self, name: str) -> Path:
        """A fresh copy of the tree, without what tools make."""
        place = self.scratch / name
        shutil.copytree(self.root, place, ignore=shutil.ignore_patterns(*NOT_COPIED), symlinks=True)
        return place

    def green(self, test: str) -> Outcome:
        """The run of `test` on the unbroken tree; done once a test."""
        if test not in self._green:
            self._green[test] = run_test(self._plain, test)
        return self._green[test]

    def judge(self, patch: Path) -> Result:
        """Try the mutant in the file `patch`."""
        start = time.monotonic()
        header = HEADER.search(patch.read_text(encoding="utf-8"))
        test = header[1] if header else ""
        verdict, output = self._verdict(patch, test)
        return Result(patch.stem, test, verdict, time.monotonic() - start, output)

    def _verdict(self, patch: Path, test: str) -> tuple[str, str]:
        if not test:
            return NO_HEADER, "the patch needs a line `# test: tests/…/test_x.py::test_y`"
        tree = self.copy(patch.stem)
        try:
            applied = apply(patch, tree)
            if applied.returncode:
                return DOES_NOT_APPLY, applied.stdout
            unbroken = self.green(test)
            if unbroken.code != 0:
                return RED_WITHOUT, unbroken.output
            return verdict_of(run_test(tree, test))
        finally:
            shutil.rmtree(tree)


def verdict_of(broken: Outcome) -> tuple[str, str]:
    """Only a test that ran and failed has noticed: pytest's exit code 1."""
    match broken.code:
        case 0:
            return SURVIVED, broken.output
        case 1:
            return KILLED, ""
        case None:
            return NO_VERDICT, f"more than {TEST_SECONDS_MAX} s: the test needs a bound of its own"
        case _:
            return NO_VERDICT, broken.output


def apply(patch: Path, tree: Path) -> subprocess.CompletedProcess[str]:
    """Apply `patch` to `tree`, whole or not at all."""
    # A ceiling keeps git from taking a repository above `tree` for the place to patch.
    env = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    env["GIT_CEILING_DIRECTORIES"] = str(tree.parent)
    command = ["git", "apply", "--recount", "--whitespace=nowarn", str(patch.resolve())]
    return subprocess.run(
        command, cwd=tree, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def run_test(tree: Path, test: str) -> Outcome:
    """Run `test` in `tree`, child processes of the test included."""
    # PYTHONPATH comes before an editable install, also in the children that a test starts.
    env = {**os.environ, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", test]
    child = subprocess.Popen(
        command,
        cwd=tree,
        env=env,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        output, _ = child.communicate(timeout=TEST_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        child.communicate()
        return Outcome(None, "")
    return Outcome(child.returncode, "\n".join(output.splitlines()[-OUTPUT_LINES_SHOWN:]))


def patches(names: Iterable[str], folder: Path) -> list[Path]:
    """The patches in `folder` whose names contain one of `names`; all, without names."""
    wanted = list(names)
    found = sorted(folder.glob("*.patch"))
    return [p for p in found if not wanted or any(name in p.stem for name in wanted)]


def row(result: Result, width: int) -> str:
    verdict = f"{result.verdict:<14}"
    return f"{verdict}  {result.name:<{width}}  {result.seconds:5.1f} s  {result.test}"


def main(
    names: list[str],
    root: Path = ROOT,
    say: Callable[[str], None] = lambda line: print(line, flush=True),
) -> int:
    """Try the mutants of `root`, print a table, return the exit code."""
    folder = root / "tests" / "mutants"
    mutants = patches(names, folder)
    if not mutants:
        say(f"no patch in {folder} matches {' or '.join(names) or '*.patch'}: nothing was proved")
        return 1
    width = max(len(p.stem) for p in mutants)
    with tempfile.TemporaryDirectory(prefix="perdure-mutants-") as scratch:
        bench = Bench(root, Path(scratch))
        results = []
        for patch in mutants:
            results.append(bench.judge(patch))
            say(row(results[-1], width))
    bad = [r for r in results if r.verdict != KILLED]
    for result in bad:
        say(f"\n--- {result.name}: {result.verdict}\n{result.output}")
    say(f"\n{len(results) - len(bad)} of {len(results)} mutants killed")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
