"""Hands: one moves at a time, a seed says which, and time is a number."""

from __future__ import annotations

from random import Random

import pytest

from perdure.simulation.hands import Flag, Hands, Killed, Life, Line, Stuck, Thread


def woven(seed: int) -> list[str]:
    """What three threads do, in the order in which they come to do it."""
    hands, life = Hands(Random(seed)), Life()
    done: list[str] = []

    def work(name: str) -> None:
        for n in range(5):
            done.append(f"{name}{n}")
            hands.step(life)

    for name in "abc":
        Thread(hands, life, lambda name=name: work(name), name).start()
    hands.wait(hands.current.life, lambda: len(done) == 15)
    return done


def test_the_same_seed_weaves_threads_in_the_same_way() -> None:
    assert woven(1) == woven(1)
    assert len({tuple(woven(seed)) for seed in range(5)}) > 1


def test_each_thread_does_what_it_does_in_its_own_order() -> None:
    done = woven(2)
    assert [each for each in done if each[0] == "b"] == ["b0", "b1", "b2", "b3", "b4"]


def test_time_leaps_when_all_wait() -> None:
    hands, life = Hands(Random(1)), Life()
    woken: list[int] = []

    def sleep(seconds: float) -> None:
        hands.sleep(life, seconds)
        woken.append(round(hands.now_ns / 1e9))

    for seconds in (3_600, 5):
        Thread(hands, life, lambda seconds=seconds: sleep(seconds), "sleeper").start()
    hands.wait(hands.current.life, lambda: len(woken) == 2)
    assert woken == [5, 3_600]


def test_a_flag_and_a_line_are_waited_for() -> None:
    hands, life = Hands(Random(3)), Life()
    flag, line = Flag(hands, life), Line(hands, life)
    got: list[object] = []

    def take() -> None:
        got.append(line.get())
        flag.set()

    Thread(hands, life, take, "taker").start()
    line.put("first")
    assert flag.wait(1.0)
    assert got == ["first"]
    assert not Flag(hands, life).wait(0.5)


def test_the_threads_of_a_dead_life_unwind_and_do_nothing_more() -> None:
    hands, life = Hands(Random(4)), Life()
    said: list[str] = []

    def work() -> None:
        try:
            hands.sleep(life, 10.0)
            said.append("went on")
        finally:
            said.append("unwound")

    Thread(hands, life, work, "worker").start()
    hands.sleep(hands.current.life, 1.0)
    life.is_dead = True
    hands.bury(life)
    assert said == ["unwound"]
    assert len(hands.alive) == 1
    with pytest.raises(Killed):
        hands.step(life)


def test_a_world_in_which_all_wait_for_nothing_is_stuck() -> None:
    hands = Hands(Random(5))
    with pytest.raises(Stuck):
        hands.wait(hands.current.life, lambda: False)
