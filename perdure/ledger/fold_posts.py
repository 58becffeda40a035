"""Posts of other processes in the second fold: each is taken once, and what became of it."""

from __future__ import annotations

from perdure.ledger.records import Post
from perdure.ledger.rows import PostedRow


class Posts:
    """The posts so far, by id; `lost` are those whose question is a dead letter: why, in words."""

    def __init__(self) -> None:
        self.rows: dict[str, PostedRow] = {}
        self.lost: dict[str, str] = {}

    def taken(self, seq: int, body: Post) -> str | None:
        """A post was journaled; what is wrong with that, if anything."""
        if not body.post_id:
            return None
        before = self.rows.get(body.post_id)
        self.rows[body.post_id] = PostedRow(body.verb, seq, body.ok, body.value)
        if before is None:
            return None
        return f"post {body.post_id} is taken a second time, after record {before.seq}"

    def forget(self, until: int) -> None:
        """Drop what became of posts up to a record, but of those that wait for an answer."""
        gone = [id for id, row in self.rows.items() if row.seq <= until and row.ok is not None]
        for post_id in gone:
            del self.rows[post_id]
            self.lost.pop(post_id, None)

    def answered(self, post_id: str, ok: bool, value: bytes) -> None:
        """What a post asked was answered, or refused."""
        row = self.rows.get(post_id)
        if row is not None and row.ok is None:
            self.rows[post_id] = row._replace(ok=ok, value=value)

    def died(self, post_id: str, text: str) -> None:
        """What a post asked with became a dead letter."""
        row = self.rows.get(post_id)
        if row is not None and row.ok is None:
            self.rows[post_id] = row._replace(ok=False, value=b"")
            self.lost[post_id] = text
