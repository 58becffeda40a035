"""Run Pykka's own test suite on `HostedActor` and `Future`; nothing of it is kept.

    python tests/pykka_suite.py [PYTEST ARGUMENTS...]

The tests come from the source distribution of the Pykka that is installed. What is known to differ,
and why, is in pykka_exceptions.toml; an exception that passes, or names no test, fails the run.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).parent.parent
EXCEPTIONS = Path(__file__).with_name("pykka_exceptions.toml")
SUITE_NEEDS = "pytest-mock"  # by Pykka's tests alone, so it is not among our own requirements

RUNTIMES = """\
from perdure.actors.futures import Future as HostedFuture
from perdure.actors.hosted import HostedActor

RUNTIMES = {
    "hosted": pytest.param(
        Runtime(
            name="hosted",
            actor_class=HostedActor,
            event_class=threading.Event,
            future_class=HostedFuture,
            sleep_func=time.sleep,
        ),
        id="hosted",
    )
}
"""

EXPECTATIONS = """

EXCEPTIONS = {exceptions!r}


def pytest_collection_modifyitems(items):
    found = set()
    for item in items:
        name = item.nodeid.partition("[")[0]
        if name in EXCEPTIONS:
            found.add(name)
            item.add_marker(pytest.mark.xfail(reason=EXCEPTIONS[name], strict=True))
    gone = {{n for n in EXCEPTIONS if n not in found}}
    if gone and {all_of_it!r}:
        raise pytest.UsageError(f"pykka_exceptions.toml names no test of Pykka: {{sorted(gone)}}")
"""


def known_exceptions(text: str) -> dict[str, str]:
    """Test -> reason, from the text of pykka_exceptions.toml; `ValueError` for one without."""
    rows = tomllib.loads(text).get("exception", [])
    for row in rows:
        if not (row.get("test", "").startswith("tests/") and row.get("reason")):
            raise ValueError(f'{row} needs test = "tests/…::name" and reason = "…"')
    return {row["test"]: " ".join(row["reason"].split()) for row in rows}


def hosted_conftest(upstream: str, exceptions: dict[str, str], *, all_of_it: bool) -> str:
    """Pykka's conftest.py with its one runtime replaced by ours, and the exceptions expected."""
    assigned = [
        node
        for node in ast.parse(upstream).body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "RUNTIMES"
    ]
    if len(assigned) != 1:
        raise ValueError("Pykka's conftest.py no longer has one RUNTIMES: adapt hosted_conftest()")
    lines = upstream.splitlines()
    lines[assigned[0].lineno - 1 : assigned[0].end_lineno] = RUNTIMES.splitlines()
    expected = EXPECTATIONS.format(exceptions=exceptions, all_of_it=all_of_it)
    return "\n".join(lines) + expected


def pip(*arguments: str) -> None:
    """Run pip quietly; its own errors are the explanation when it fails."""
    quiet = ("--quiet", "--disable-pip-version-check")
    subprocess.run([sys.executable, "-m", "pip", *arguments, *quiet], check=True)


def unpack_tests(sdist: Path, place: Path) -> None:
    """Put the `tests` folder of `sdist` below `place`."""
    with tarfile.open(sdist) as archive:
        for member in archive.getmembers():
            inner = member.name.partition("/")[2]
            if member.isfile() and inner.startswith("tests/") and ".." not in inner.split("/"):
                target = place / inner
                target.parent.mkdir(parents=True, exist_ok=True)
                content = archive.extractfile(member)
                target.write_bytes(content.read() if content else b"")


def main(arguments: list[str]) -> int:
    """Fetch, adapt and run the suite; the exit code is pytest's."""
    exceptions = known_exceptions(EXCEPTIONS.read_text(encoding="utf-8"))
    release = version("pykka")
    with tempfile.TemporaryDirectory(prefix="perdure-pykka-") as scratch:
        place, site = Path(scratch) / "suite", Path(scratch) / "site"
        place.mkdir()
        pip("download", f"pykka=={release}", "--no-binary=pykka", "--no-deps", "-d", scratch)
        pip("install", SUITE_NEEDS, "--no-deps", "--target", str(site))
        unpack_tests(next(Path(scratch).glob("pykka-*.tar.gz")), place)
        conftest = place / "tests" / "conftest.py"
        conftest.write_text(
            hosted_conftest(conftest.read_text(), exceptions, all_of_it=not arguments)
        )
        (place / "pytest.ini").write_text("[pytest]\nfaulthandler_timeout = 60\n")
        print(f"Pykka {release}'s own tests on HostedActor, {len(exceptions)} exceptions")
        # The suite's `tests` package has to be found before ours, perdure after both.
        env = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (place, site, ROOT)))}
        command = [sys.executable, "-m", "pytest", "-q", "-rxX", *(arguments or ["tests"])]
        return subprocess.run([*command, "-p", "no:cacheprovider"], cwd=place, env=env).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
