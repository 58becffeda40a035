"""The door: verbs that are imported when used, and what becomes of whatever they raise."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import click
import pytest

from perdure.cli import main as door
from perdure.cli.main import VERBS
from perdure.errors import LedgerDamaged
from tests.cli.verbs import ROOT, perdure

HEAVY = (
    "asyncio",
    "lmdb",
    "msgpack",
    "perdure.actors",
    "perdure.runtime",
    "pydantic",
    "pykka",
    "rich",
)

HELP = f"""
import sys
from perdure.cli.main import main
try:
    main(["--help"])
except SystemExit as end:
    print(end.code, *(name for name in {HEAVY!r} if name in sys.modules), file=sys.stderr)
"""


def test_help_imports_nothing_heavy() -> None:
    command = [sys.executable, "-c", HELP]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.stderr.split() == ["0"]
    assert all(f"  {verb} " in done.stdout for verb in VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_and_json(verb: str) -> None:
    command = import_module(VERBS[verb][0]).command
    assert isinstance(command, click.Command)
    assert command.name == verb
    result = perdure(verb, "--help")
    assert result.exit_code == 0
    assert "--json" in result.stdout


def test_version_is_that_of_the_package() -> None:
    assert perdure("--version").stdout.startswith("perdure 0.")


def test_an_unknown_verb_suggests_the_nearest() -> None:
    result = perdure("resum")
    assert result.exit_code == 2
    assert "there is no verb 'resum'. Did you mean 'resume'?" in result.stderr


def raising(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Have `perdure runs` raise that."""

    def raise_it() -> None:
        raise error

    monkeypatch.setattr("perdure.cli.runs.all_runs", raise_it)


def test_an_error_of_ours_is_one_sentence_and_its_exit_code(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    raising(monkeypatch, LedgerDamaged("record 9 is bad.", 9))
    result = perdure("runs")
    assert (result.exit_code, result.stderr) == (3, "perdure: record 9 is bad.\n")


def test_a_bug_is_one_line_and_exit_70(monkeypatch: pytest.MonkeyPatch) -> None:
    raising(monkeypatch, KeyError("oops"))
    result = perdure("runs")
    assert result.exit_code == 70
    assert result.stderr.startswith("perdure: this is a bug in perdure: KeyError: 'oops' at ")
    assert f"{Path(__file__).name}:" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_bug_shows_its_traceback_on_demand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERDURE_DEBUG", "1")
    raising(monkeypatch, KeyError("oops"))
    result = perdure("runs")
    assert result.exit_code == 70
    assert "Traceback" in result.stderr


def test_an_interrupt_ends_a_verb_quietly(monkeypatch: pytest.MonkeyPatch) -> None:
    raising(monkeypatch, KeyboardInterrupt())
    result = perdure("runs")
    assert (result.exit_code, result.stderr.strip()) == (door.EXIT_SIGINT, "")


def test_a_reader_that_goes_away_is_no_bug() -> None:
    script = "from perdure.cli.main import main; main(['runs', '--json'])"
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        child.stdout.close()
        assert child.stderr is not None
        assert child.stderr.read() == ""
    assert child.returncode == door.EXIT_SIGPIPE
