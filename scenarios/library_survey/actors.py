"""The survey's four stages: a catalogue, an index, a pool of readers, an editor.

    Scan ─► catalogue ── Read ──► readers/1..N ── Facts ──► index ── Survey ──► editor ─► artifacts
                │                      │                     ▲ ▲
                │        three crashes └─ dead letter ─► editor ─ Unread
                └─────────────── Catalogued ─────────────────┘

Every file ends in the index exactly once, with its facts or with the reason why it has none; when
as many are in as the catalogue announced, the index hands all of it to the editor.
"""

from __future__ import annotations

from chance import RandomFault, strikes
from facts import Facts, fold, parse_file
from report import Survey, render_index, render_report
from sources import Sources, library, list_sources

from perdure import Actor, DeadLetter, field, message

INDEX = "/survey/index"
EDITOR = "/survey/editor"


@message
class Scan:
    """To the catalogue: list the files and deal them out."""


@message
class Read:
    """To a reader: this file, please. `path` is relative to `folder`."""

    path: str
    folder: str


@message
class Catalogued:
    """To the index: so many files were dealt out, and these entries were not entered."""

    files: int
    skipped: dict[str, str]


@message
class Unread:
    """To the index: there will be no facts of this file."""

    path: str
    reason: str


class Catalogue(Actor):
    """Lists the files of `folder` and deals them to the readers, round robin."""

    folder: str = ""
    readers: int = 1

    async def on_start(self) -> None:
        # A folder that is not there fails the start, and so the run. Looking is a step: a replay
        # finds what was found, wherever it runs.
        await self.once(library, self.folder)

    async def on_receive(self, message: Scan) -> None:
        folder = await self.once(library, self.folder)
        sources: Sources = await self.once(list_sources, folder)
        for i, path in enumerate(sources.files):
            self.tell(f"/survey/readers/{i % self.readers + 1}", Read(path, folder))
        self.tell(INDEX, Catalogued(len(sources.files), sources.skipped))


class Reader(Actor):
    """Parses one file at a time. A file that cannot be read crashes it; that is its supervisor's
    business, not its own."""

    faults: float = 0.0
    fault_seed: int = 0

    async def on_receive(self, message: Read) -> None:
        # Only a first attempt is struck, so chance alone never makes a dead letter: the index of
        # a run with faults is the index of a run without.
        if self.attempt == 1 and strikes(self.fault_seed, message.path, self.faults):
            raise RandomFault(f"struck at {message.path}, as --set faults={self.faults} asked")
        facts = await self.once(parse_file, message.folder, message.path)
        self.tell(INDEX, facts)


class Index(Actor):
    """Folds what comes in, in whatever order it comes."""

    expected: int | None = None
    files: dict[str, Facts] = field(default_factory=dict)
    totals: dict[str, int] = field(default_factory=dict)
    unread: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)

    async def on_receive(self, message: Facts | Unread | Catalogued) -> None:
        match message:
            case Facts():
                self.files[message.path] = message
                # Kept apart from `files`: a file that was folded twice would show in the sums.
                fold(self.totals, message)
                self.unread.pop(message.path, None)  # it was requeued, and this time it worked
            case Unread():
                self.unread[message.path] = message.reason
            case Catalogued():
                self.expected = message.files
                self.skipped = dict(message.skipped)
        if self.expected == len(self.files) + len(self.unread):
            self.tell(EDITOR, self._survey())

    def _survey(self) -> Survey:
        return Survey(
            files=tuple(facts for _, facts in sorted(self.files.items())),
            totals=dict(sorted(self.totals.items())),
            unread=dict(sorted(self.unread.items())),
            skipped=dict(self.skipped),
        )


class Editor(Actor):
    """Writes the report and the index, and passes on what could not be read."""

    async def on_receive(self, message: Survey | DeadLetter) -> None:
        match message:
            case Survey():
                await self.artifact("report.md", render_report(message))
                await self.artifact("index.json", render_index(message))
                files = len(message.files) + len(message.unread)
                self.finish({"files": files, "unread": len(message.unread)})
            case DeadLetter(message=Read(path=path) | Facts(path=path), reason=reason):
                self.tell(INDEX, Unread(path, reason))
            case DeadLetter(to=to, reason=reason):
                # Not about one file, so the survey cannot be completed: say so instead of waiting.
                self.finish({"error": f"{to} gave up: {reason}"})
