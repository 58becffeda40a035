"""The scenario as it is: run in memory, to its end, as fast as it goes. And killed everywhere."""

from pathlib import Path

from perdure.testing import Trial, crash_everywhere

PROJECT = Path(__file__).resolve().parent.parent


def test_the_scenario_counts_every_word_once() -> None:
    with Trial(PROJECT) as trial:
        report = trial.wait()
    assert report.status == "finished"
    assert report.result == {"words": 12, "top": {"to": 4, "go": 2, "is": 2}}


def test_it_counts_the_same_wherever_its_process_dies() -> None:
    crash_everywhere(PROJECT).raise_for_problems()
