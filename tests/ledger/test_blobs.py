"""References: short, never taken for a value, and followed by whoever decodes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.errors import LedgerDamaged
from perdure.ledger.blobs import (
    digest_of,
    fetch,
    is_reference,
    refer,
    references,
    size_of,
)
from perdure.ledger.group import blob_digest
from perdure.ledger.messages import Names
from perdure.ledger.standins import StandInCodec
from perdure.ledger.values import Codec
from tests.ledger.shelf import Found

DATA = b"a long conversation" * 1_000

plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner),
)


def test_a_reference_names_the_bytes_by_their_hash_and_size() -> None:
    reference = refer(DATA)
    assert digest_of(reference) == blob_digest(DATA)
    assert size_of(reference) == len(DATA)
    assert len(reference) == 37


def test_equal_bytes_have_one_reference() -> None:
    assert refer(DATA) == refer(bytes(bytearray(DATA)))
    assert refer(DATA) != refer(DATA + b"!")


@given(plain)
def test_no_value_has_the_bytes_of_a_reference(value: Any) -> None:
    data = Codec().encode(value)
    assert not is_reference(data)
    assert data[0] != refer(data)[0]
    assert size_of(data) == len(data)


def test_bytes_of_a_user_that_look_like_a_reference_are_a_value() -> None:
    assert Codec().decode(Codec().encode(refer(DATA))) == refer(DATA)


@pytest.mark.parametrize("make", [Codec, StandInCodec])
def test_a_codec_follows_a_reference(make: type[Codec]) -> None:
    codec, value = make(), ["page"] * 5_000
    data = codec.encode(value)
    codec.read_blob = {blob_digest(data): data}.get
    assert codec.decode(refer(data)) == value


def test_the_type_of_a_message_is_known_by_reference() -> None:
    data = Codec().encode(Found("x" * 9_000, 1))
    codec = Codec(Names())
    codec.read_blob = {blob_digest(data): data}.get
    assert codec.type_name(refer(data)) == "shelf.found"


def test_a_blob_that_is_gone_is_damage_that_names_it() -> None:
    with pytest.raises(LedgerDamaged, match=f"19,000 bytes.*{blob_digest(DATA).hex()}"):
        fetch(refer(DATA), {}.get)
    with pytest.raises(LedgerDamaged, match="no blob"):
        Codec().decode(refer(DATA))


def test_the_references_of_a_record_are_found_wherever_they_are() -> None:
    one, two = refer(b"1"), refer(b"2")
    body = (7, [(9, one)], 3, (("pages", "append", two), ("n", "=", b"\xc1 is no start")), "text")
    assert list(references(body)) == [one, two]
