"""The scenario as it is: run in memory, to its end, as fast as it goes."""

from pathlib import Path

from perdure import Run

PROJECT = Path(__file__).resolve().parent.parent


def test_the_scenario_counts_every_word_once() -> None:
    with Run(PROJECT, ledger=None) as run:
        report = run.wait()
    assert report.status == "finished"
    assert report.result == {"words": 12, "top": {"to": 4, "go": 2, "is": 2}}
