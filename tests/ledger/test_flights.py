"""The file of flights: what was running when a process died, and nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from perdure.ledger import flights as module
from perdure.ledger.flights import FLIGHT, Flight, Flights
from perdure.limits import FLIGHTS_MAX


def flying(directory: Path | None, *messages: int) -> Flights:
    """A process at whose end turns on these messages are in flight."""
    flights = Flights(directory)
    flights.take()
    for seq in messages:
        FLIGHT.pack_into(flights.buffer, flights.place(), 7, seq, 0)
    return flights


def test_the_next_process_finds_what_was_in_flight_once(tmp_path: Path) -> None:
    flying(tmp_path, 30, 12)
    assert Flights(tmp_path).take() == [Flight(7, 12, 0), Flight(7, 30, 0)]
    assert Flights(tmp_path).take() == []


def test_a_place_that_was_cleared_or_given_back_holds_nobody(tmp_path: Path) -> None:
    flights = flying(tmp_path, 30)
    place = flights.place()
    FLIGHT.pack_into(flights.buffer, place, 7, 31, 0)
    flights.leave(place)
    assert flights.place() == place
    assert flights.noted() == [Flight(7, 30, 0)]


def test_a_process_that_ends_in_order_leaves_nothing(tmp_path: Path) -> None:
    flying(tmp_path, 30).close()
    assert Flights(tmp_path).take() is None


def test_what_another_life_of_the_machine_left_is_no_death_of_a_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flying(tmp_path, 30)
    (tmp_path / "boot").write_text("another boot\n")
    monkeypatch.setattr(module, "BOOT_ID", tmp_path / "boot")
    assert Flights(tmp_path).take() is None


def test_a_full_disk_keeps_nobody_from_the_ledger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    assert flying(tmp_path, 30).noted() == [Flight(7, 30, 0)]
    assert Flights(tmp_path).take() is None


def test_turns_past_the_bound_are_not_remembered() -> None:
    flights = flying(None, *range(1, FLIGHTS_MAX + 10))
    assert len(flights.noted()) == FLIGHTS_MAX
    flights.leave(module.SCRATCH)
    assert flights.place() == module.SCRATCH
