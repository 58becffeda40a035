"""mypy --strict and pyright accept what is right and refuse what is wrong, line by line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
ACCEPT = HERE / "accept.py"
REFUSE = HERE / "refuse.py"


def run(*command: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return done.stdout


def mypy_errors() -> dict[Path, dict[int, str]]:
    names = (str(path.relative_to(ROOT)) for path in (ACCEPT, REFUSE))
    output = run("mypy", "--strict", "--follow-imports=silent", "--output=json", *names)
    found = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    return by_line(
        (ROOT / f["file"], f["line"], f["message"]) for f in found if f["severity"] == "error"
    )


def pyright_errors() -> dict[Path, dict[int, str]]:
    names = (str(path) for path in (ACCEPT, REFUSE))
    output = run("pyright", "--outputjson", "--pythonpath", sys.executable, *names)
    found = json.loads(output)["generalDiagnostics"]
    return by_line(
        (Path(f["file"]), f["range"]["start"]["line"] + 1, f["message"])
        for f in found
        if f["severity"] == "error"
    )


def by_line(found: object) -> dict[Path, dict[int, str]]:
    errors: dict[Path, dict[int, str]] = {ACCEPT: {}, REFUSE: {}}
    for path, line, text in found:  # type: ignore[attr-defined]
        errors.setdefault(path, {})[line] = text
    return errors


@pytest.mark.parametrize("checker", [mypy_errors, pyright_errors])
def test_a_type_checker_accepts_and_refuses_the_right_lines(checker: object) -> None:
    errors = checker()  # type: ignore[operator]
    lines = REFUSE.read_text().splitlines()
    marked = {n: line for n, line in enumerate(lines, 1) if "# E: " in line}
    assert errors[ACCEPT] == {}
    assert {n: line for n, line in marked.items() if n not in errors[REFUSE]} == {}
    assert {n: text for n, text in errors[REFUSE].items() if n not in marked} == {}
    assert len(marked) > 20
