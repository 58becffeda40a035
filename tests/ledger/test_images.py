"""Images: committed bytes, folded without any class of the program."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.errors import Broken
from perdure.ledger.images import Delta, Image, apply, materialise, read_images, state_hash
from perdure.ledger.values import Codec

CODEC = Codec()


def enc(value: Any) -> bytes:
    return CODEC.encode(value)


def test_a_delta_is_folded_in_order() -> None:
    images: dict[str, Image] = {}
    apply(images, (("pages", "=", enc(["a"])), ("total", "=", enc(1)), ("gone", "=", enc(0))))
    apply(
        images,
        (
            ("pages", "append", enc("b")),
            ("pages", "splice", 0, 1, enc(["x", "y"])),
            ("total", "=", enc(2)),
            ("gone", "-"),
        ),
    )
    assert {name: materialise(image, CODEC.decode) for name, image in images.items()} == {
        "pages": ["x", "y", "b"],
        "total": 2,
    }


def test_images_survive_a_state_row() -> None:
    images: dict[str, Image] = {}
    apply(images, (("pages", "=", enc([])), ("pages", "append", enc(1))))
    row = {name: list(image) for name, image in images.items()}
    two_parts = {name: list(image)[:2] for name, image in images.items()}
    assert read_images(row) == read_images(two_parts) == images


def test_each_materialised_value_is_a_new_one() -> None:
    image = Image(enc([1]), [])
    materialise(image, CODEC.decode).append(2)
    assert materialise(image, CODEC.decode) == [1]


def test_an_operation_that_no_delta_has_is_an_invariant_broken() -> None:
    with pytest.raises(Broken, match="list holds the operation 'add'"):
        materialise(Image(enc([1]), [("add", enc(2))]), CODEC.decode)


def test_the_hash_depends_on_what_came_before_and_on_every_part() -> None:
    entry = ("pages", "setitem", 1, b"7")
    variants: list[Delta] = [
        (entry,),
        (entry, entry),
        (("pages", "setitem", 2, b"7"),),
        (("pages", "setitem", 1, b"8"),),
        (("page", "setitem", 1, b"7"),),
        (("pages", "=", b"7"),),
        (("pages", "=", b""),),
        (("pages", "-"),),
    ]
    hashes = {state_hash(seed, delta) for delta in variants for seed in (bytes(16), b"\1" * 16)}
    assert len(hashes) == 2 * len(variants)
    assert {len(each) for each in hashes} == {16}


def test_a_turn_that_changes_nothing_keeps_the_hash() -> None:
    assert state_hash(b"\7" * 16, ()) == b"\7" * 16


PARTS = st.one_of(st.text(max_size=2), st.binary(max_size=2), st.integers(0, 20))
SETS = st.tuples(st.text(max_size=2), st.just("="), st.binary(max_size=4))
OTHERS = st.tuples(st.text(max_size=2), st.sampled_from(["append", "-"]), PARTS)
DELTAS = st.lists(SETS | OTHERS, min_size=1, max_size=3).map(tuple)


@given(DELTAS, DELTAS)
def test_two_deltas_never_have_one_canonical_form(one: Any, other: Any) -> None:
    assert (state_hash(b"", one) == state_hash(b"", other)) is (one == other)
