"""The power goes: nothing that was let out is missing, and all goes on as if nothing had been."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from tests.crashes.disk import Disk, Fate
from tests.crashes.powercut import Recording, scratch
from tests.crashes.shelf import GROUPS

CUTS = 20
KILLED_CUTS = 8


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with scratch() as found:
        yield found


@pytest.fixture(scope="module")
def vault(folder: Path) -> Recording:
    """A run that nobody kills."""
    return Recording("vault", folder / "vault")


def files(folder: Path) -> dict[str, bytes]:
    """The files of a folder, but for those that are mapped, and who was its owner last."""
    found = (path for path in folder.rglob("*") if path.is_file())
    others = {"lock.mdb", "flights", "owner"}
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in found
        if path.name not in others
    }


def all_of_it(recording: Recording, place: Path) -> dict[str, bytes]:
    """The files as the log alone has them."""
    disk = Disk()
    for entry in recording.entries:
        disk.take(entry)
    disk.lay_out(place, Fate(Random(1), 1.0, is_torn=True))
    return files(place)


def test_what_was_noted_is_all_that_was_done_to_the_files(vault: Recording, folder: Path) -> None:
    assert all_of_it(vault, folder / "all") == files(vault.whole)


@pytest.fixture(scope="module")
def shelf(folder: Path) -> Recording:
    """A ledger that nobody kills the owner of."""
    return Recording("shelf", folder / "shelf")


def test_a_ledger_outlives_a_power_cut_after_any_write(shelf: Recording) -> None:
    moments = range(len(shelf.entries) + 1)
    for number, (words, place) in enumerate(shelf.cuts([*moments, *moments], Random(1))):
        if number % 4 == 0:
            shelf.finish(words, place)


@pytest.mark.parametrize("when", ["before its name was synced", "before a commit was synced"])
def test_what_a_killed_owner_had_no_time_to_sync_is_synced_before_it_is_built_on(
    shelf: Recording, folder: Path, when: str
) -> None:
    renamed = shelf.moments_of_note("r")[0]
    kill = str(renamed) if "name" in when else "y3"
    killed = Recording("shelf", folder / f"shelf-{kill}", [kill])
    for _ in killed.cuts(range(renamed, len(killed.entries), 2), Random(1)):
        pass


@pytest.fixture(scope="module")
def relaxed(folder: Path) -> Recording:
    """A ledger that flushes once for each commit."""
    return Recording("relaxed", folder / "relaxed")


def test_a_relaxed_ledger_loses_its_last_group_at_most_and_is_whole(relaxed: Recording) -> None:
    moments = range(len(relaxed.entries) + 1)
    for number, (words, place) in enumerate(relaxed.cuts([*moments, *moments], Random(6))):
        if number % 4 == 0:
            relaxed.finish(words, place)


def test_a_relaxed_ledger_that_was_killed_loses_its_last_group_at_most(folder: Path) -> None:
    killed = Recording("relaxed", folder / "relaxed-killed", ["b5"])
    for _ in killed.cuts(range(0, len(killed.entries), 2), Random(7)):
        pass


def flushes(recording: Recording) -> list[str]:
    """What was flushed for each commit: `b` is an fdatasync, `y` a write that syncs by itself."""
    ops = "".join(each.op for each in recording.entries if each.op in "byM")
    return ops.split("M")[1:-1]


def test_a_commit_flushes_data_and_meta_page_and_a_relaxed_one_only_data(
    shelf: Recording, relaxed: Recording
) -> None:
    assert flushes(shelf) == ["by"] * GROUPS
    assert flushes(relaxed) == [*["b"] * (GROUPS - 1), "bb"]  # the end is made durable


def test_a_relaxed_run_loses_its_last_group_at_most_and_nothing_once_it_is_over(
    folder: Path,
) -> None:
    hasty, random = Recording("hasty", folder / "hasty"), Random(8)
    moments = random.sample(range(len(hasty.entries)), CUTS)
    moments += hasty.moments_of_note()[-1:] * 6  # with what survives by each of the chances
    for number, (words, place) in enumerate(hasty.cuts(moments, random)):
        if number % 3 == 0:
            hasty.finish(words, place)


def test_a_run_outlives_a_power_cut_with_all_that_it_has_let_out(vault: Recording) -> None:
    random = Random(2)
    moments = random.sample(vault.moments_of_note(), CUTS // 2)
    moments += random.sample(range(len(vault.entries)), CUTS // 2)
    for words, place in vault.cuts(moments, random):
        vault.finish(words, place)


def test_a_fork_is_there_after_a_power_cut_when_it_was_said_to_be(folder: Path) -> None:
    forked = Recording("fork", folder / "fork")
    moments = forked.moments_of_note() * 2 + forked.moments_of_note("r")
    for number, (words, place) in enumerate(forked.cuts(moments, Random(4))):
        if number % 4 == 0:
            forked.finish(words, place)


def test_a_run_is_whole_after_a_power_cut_while_it_is_compacted(folder: Path) -> None:
    compacted = Recording("compact", folder / "compact")
    assert all_of_it(compacted, folder / "all-compact") == files(compacted.whole)
    (finished, _) = compacted.moments_of_note()[-2:]
    moments = range(finished, len(compacted.entries) + 1, 2)
    for number, (words, place) in enumerate(compacted.cuts(moments, Random(5))):
        if number % 8 == 0:
            compacted.finish(words, place)


def test_a_run_that_was_killed_before_outlives_a_power_cut_too(folder: Path) -> None:
    killed = Recording("vault", folder / "killed", ["y9"])
    random = Random(3)
    for words, place in killed.cuts(random.sample(killed.moments_of_note(), KILLED_CUTS), random):
        killed.finish(words, place)
