"""Where runs live: `$PERDURE_HOME/<scenario>-<n>`, and what a RUN argument means."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from perdure.errors import UsageError
from perdure.ids import check_name
from perdure.ledger.messages import suggest
from perdure.runtime.document import shown

LAST = "last"
WAYS = "the directory of a run, its name (survey-1), or `last`"
_LISTED_MAX = 5


def home() -> Path:
    """The folder of all runs: `$PERDURE_HOME`, or `.perdure` in the working directory."""
    return Path(os.environ.get("PERDURE_HOME") or ".perdure").expanduser()


def new_run_dir(scenario: str) -> Path:
    """A new, empty directory for a run of `scenario`: `<scenario>-<n>`, n after the highest there.

    Two processes never get the same one. Raises `UsageError` when it cannot be made.
    """
    check_name(scenario)
    try:
        home().mkdir(parents=True, exist_ok=True)
        taken = [number for name, number in map(_split, _names()) if name == scenario]
        number = max(taken, default=0)
        while True:
            number += 1
            path = home() / f"{scenario}-{number}"
            with contextlib.suppress(FileExistsError):
                path.mkdir()
                _note_last(path)
                return path
    except OSError as error:
        reason = error.strerror or str(error)
        raise UsageError(
            f"no run can be made in {shown(home())}: {reason}. Set PERDURE_HOME to another folder."
        ) from None


def all_runs() -> list[Path]:
    """The directories of all runs in the home, the most recently changed first."""
    found = []
    for name in _names():
        with contextlib.suppress(FileNotFoundError):  # deleted meanwhile
            found.append(((home() / name).stat().st_mtime_ns, _split(name), home() / name))
    return [run for _, _, run in sorted(found, reverse=True)]


def find_run(text: str) -> Path:
    """The directory that RUN names: a directory, a run in the home, or `last`, the newest there.

    Whether it holds a ledger is for who opens it. Raises `UsageError` that lists what there is.
    """
    if not text:
        raise UsageError(f"RUN is empty. Write {WAYS}.")
    path = Path(text).expanduser()
    if os.path.isdir(path):
        return path
    if "/" in text and path.is_file():
        raise UsageError(f"{text} is a file. RUN is {WAYS}.")
    if "/" in text:
        raise UsageError(f"there is no directory {text}. A name without '/' is a run in {home()}/.")
    if text == LAST:
        return _last()
    if text in _names():
        return home() / text
    runs = [run.name for run in all_runs()]
    if not runs:
        raise UsageError(f"there is no run {text!r}: {_none_yet()}")
    recent = ", ".join(runs[:_LISTED_MAX])
    raise UsageError(
        f"there is no run {text!r} in {shown(home())}.{suggest(text, runs)} Most recent: {recent}."
    )


def _last() -> Path:
    with contextlib.suppress(OSError):
        name = os.readlink(home() / LAST)
        if name in _names():
            return home() / name
    runs = all_runs()
    if not runs:
        raise UsageError(f"there is no last run: {_none_yet()}")
    return runs[0]


def _none_yet() -> str:
    return f"{shown(home())} holds none yet. `perdure run SCENARIO` makes one."


def _note_last(path: Path) -> None:
    """Point the link `last` to the new run: times of directories change as files come and go."""
    link = path.parent / f".{path.name}.{LAST}"  # no run is named so
    with contextlib.suppress(OSError):  # a file system without links: the newest change decides
        link.symlink_to(path.name, target_is_directory=True)
        link.replace(path.parent / LAST)


def _names() -> list[str]:
    """The names in the home that runs have."""
    try:
        with os.scandir(home()) as entries:
            found = [entry.name for entry in entries if entry.is_dir()]
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [name for name in found if _split(name)[1]]


def _split(run: str) -> tuple[str, int]:
    """Scenario and number of a run's name; number 0 for a name that is no run's."""
    scenario, _, number = run.rpartition("-")
    return (scenario, int(number)) if scenario and number.isdecimal() else (run, 0)
