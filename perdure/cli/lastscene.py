"""What a replay shows at its end: where it diverged, or the crash that its run ended with."""

from __future__ import annotations

from perdure.actors.replay.scene import Scene
from perdure.cli.say import labelled, say
from perdure.cli.scenes import crash_lines, difference_lines, state_of
from perdure.runtime.replay import Replay


class Last:
    """How a replay ended: at a difference, or at the crash that the run itself ended with."""

    def __init__(self, replay: Replay) -> None:
        self._replay = replay
        self._has_failed = replay.view.status.status == "failed"
        self._crash: Scene | None = None
        self._state: dict[str, str] = {}

    def see(self, scene: Scene) -> None:
        """Remember a crash as long as nothing but decisions come after it."""
        if scene.is_crash and not scene.differences:
            self._crash, self._state = scene, state_of(scene)
        elif not scene.is_supervisor and scene.kind == "receive" and not self._has_failed:
            self._crash = None

    def tell(self) -> None:
        """Show it."""
        diverged = self._replay.diverged
        if diverged is not None:
            for line in difference_lines(diverged):
                say(line)
            if self._replay.code_changed:
                seq = self._replay.code_seq
                began = "made this a fork" if self._replay.is_forked_at(seq) else "began a process"
                say(labelled("note", f"record {seq} {began} with other code than this", 2))
        elif self._crash is not None:
            for line in crash_lines(self._crash, self._state):
                say(line)
