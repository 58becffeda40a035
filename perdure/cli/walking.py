"""`perdure replay --step`: a walk through the turns of a run, one at a time."""

from __future__ import annotations

import sys

from perdure.actors.replay.scene import Scene
from perdure.cli.lastscene import Last
from perdure.cli.say import complain, paint, say
from perdure.cli.scenes import step_lines
from perdure.runtime.replay import Replay

KEYS = "Enter next · c continue · s SEQ skip to · q quit"


def walk(replay: Replay) -> None:
    """Show each turn and wait for a line of standard input; the end of it quits."""
    policy, address = replay.view.run.policy, lambda id: replay.view.actor(id).address if id else ""
    wanted, last = 0, Last(replay)
    for scene in replay.scenes():
        last.see(scene)
        if scene.seq < wanted and not scene.differences:
            continue
        for line in step_lines(scene, address, policy):
            say(line)
        if scene.differences:
            break
        answer = _asked(scene)
        if answer is None:
            return
        wanted = answer
    last.tell()


def _asked(scene: Scene) -> int | None:
    """The record to go on to; None to stop."""
    while True:
        if sys.stdin.isatty():
            sys.stdout.write(f"{paint(KEYS, dim=True)} > ")
            sys.stdout.flush()
        line = sys.stdin.readline()
        words = line.split()
        if not line or words == ["q"]:
            say(f"stopped after record {scene.seq}")
            return None
        if words in ([], ["n"]):
            return 0
        if words == ["c"]:
            return sys.maxsize
        if len(words) == 2 and words[0] == "s" and words[1].isdecimal() and len(line) < 20:
            return int(words[1])
        complain(f"{line.strip()!r} is none of: {KEYS}.")
