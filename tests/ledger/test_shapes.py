"""Bytes of another version, name or layout become the class of today, or say why they cannot."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, Field

from perdure.errors import UnknownName
from perdure.ledger.messages import Names, message
from perdure.ledger.shapes import Head
from perdure.ledger.values import Codec


def codec_of(*classes: type) -> Codec:
    names = Names()
    for cls in classes:
        names.add(cls)
    return Codec(names)


@message("note")
class Note:
    text: str
    line: int


BYTES = codec_of(Note).encode(Note("hello", 3))


def test_the_head_says_name_version_and_fields() -> None:
    assert str(Head("note", 1, ("text", "line"))) == "note@1 text,line"
    assert Head.parse("note@12 ") == Head("note", 12, ())
    assert Head.parse("note@1 text,line") == Head("note", 1, ("text", "line"))
    assert b"note@1 text,line" in BYTES


def test_upgrade_gets_the_old_fields_and_version_and_gives_those_of_today() -> None:
    @message("note", version=3)
    class Newer:
        body: str
        place: tuple[int, int]
        author: str = "nobody"

        @classmethod
        def upgrade(cls, fields: dict[str, Any], version: int) -> dict[str, Any]:
            assert cls is not None
            assert fields == {"text": "hello", "line": 3}
            return {"body": fields["text"], "place": (version, fields["line"])}

    assert codec_of(Newer).decode(BYTES) == Newer("hello", (1, 3), "nobody")


def test_upgrade_may_be_a_static_method() -> None:
    @message("note", version=2)
    class Newer:
        text: str

        @staticmethod
        def upgrade(fields: dict[str, Any], version: int) -> dict[str, Any]:
            return {"text": f"{fields['text']} of {version}"}

    codec = codec_of(Newer)
    assert codec.decode(BYTES) == Newer("hello of 1")
    assert codec.decode(codec.encode(Newer("x"))) == Newer("x")


def test_an_alias_reads_the_bytes_of_the_old_name_and_writes_the_new() -> None:
    @message("remark", aliases=("note",))
    class Renamed:
        text: str
        line: int

    codec = codec_of(Renamed)
    assert codec.decode(BYTES) == Renamed("hello", 3)
    assert codec.type_name(BYTES) == "remark"
    assert codec.type_name(codec.encode(Renamed("x", 1))) == "remark"


def test_an_old_name_goes_through_upgrade_too() -> None:
    @message("remark", version=2, aliases=("note",))
    class Renamed:
        text: str

        @staticmethod
        def upgrade(fields: dict[str, Any], version: int) -> dict[str, Any]:
            return {"text": fields["text"] * version}

    assert codec_of(Renamed).decode(BYTES) == Renamed("hello")


def test_a_field_added_with_a_default_needs_no_new_version() -> None:
    @message("note")
    class Longer:
        line: int
        text: str
        tags: tuple[str, ...] = ("new",)

    assert codec_of(Longer).decode(BYTES) == Longer(3, "hello", ("new",))


def test_fields_in_another_order_are_read_by_name() -> None:
    @message("note")
    class Turned:
        line: int
        text: str

    assert codec_of(Turned).decode(BYTES) == Turned(3, "hello")


def test_a_field_that_went_away_without_a_new_version_is_refused() -> None:
    @message("note")
    class Shorter:
        text: str

    with pytest.raises(UnknownName, match=r"fields text, line; this code has text \(.*Raise its"):
        codec_of(Shorter).decode(BYTES)


def test_a_field_added_without_a_default_is_refused_by_name() -> None:
    @message("note")
    class Stricter:
        text: str
        line: int
        author: str

    with pytest.raises(UnknownName, match=r"note of version 1 does not fit .*Stricter.*'author'"):
        codec_of(Stricter).decode(BYTES)


def test_an_older_version_without_upgrade_is_refused() -> None:
    @message("note", version=2)
    class Newer:
        text: str
        line: int

    with pytest.raises(UnknownName, match=r"has version 2 \(.*without upgrade.*Write one"):
        codec_of(Newer).decode(BYTES)


def test_a_newer_version_than_the_code_is_refused() -> None:
    @message("note", version=2)
    class Newer:
        text: str

    data = codec_of(Newer).encode(Newer("x"))
    with pytest.raises(UnknownName, match=r"has note of version 2, this code has version 1 .*Run"):
        codec_of(Note).decode(data)


def test_an_upgrade_that_fails_is_not_damage() -> None:
    @message("note", version=2)
    class Newer:
        text: str

        @staticmethod
        def upgrade(fields: dict[str, Any], version: int) -> dict[str, Any]:
            return {"text": fields["missing"]}

    with pytest.raises(UnknownName, match=r"does not fit .*Newer.*KeyError: 'missing'"):
        codec_of(Newer).decode(BYTES)


def test_a_message_that_inherits_fields_comes_back_with_them() -> None:
    @message("longer.note")
    class Longer(Note):
        author: str = "me"

    codec = codec_of(Note, Longer)
    back = codec.decode(codec.encode([Longer("x", 1), Note("y", 2)]))
    assert back == [Longer("x", 1, "me"), Note("y", 2)]


def test_a_model_of_another_layout_is_validated() -> None:
    @message("trip")
    class Old(BaseModel):
        days: str

    @message("trip")
    class New(BaseModel):
        days: int
        page: str = Field(default="none", alias="pageName")

    data = codec_of(Old).encode(Old(days="4"))
    back = codec_of(New).decode(data)
    assert (back.days, back.page) == (4, "none")
