"""`perdure ship RUN URL`: a copy of the journal elsewhere, kept up to date."""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from perdure.cli.options import json_option, name_of, run_argument
from perdure.cli.say import complain, labelled, note, say, write_answer
from perdure.cli.words import count, moment
from perdure.cli.working import working
from perdure.errors import NotShipped, UsageError
from perdure.ledger.segments import Segment
from perdure.ledger.whole import Tick
from perdure.runtime.home import find_run
from perdure.runtime.remote import Place
from perdure.runtime.shipping import Shipper, follow, only_shipper
from perdure.runtime.view import View


@click.command("ship")
@run_argument
@click.argument("url", metavar="URL")
@click.option("--follow", "going_on", is_flag=True, help="Go on until the run is over.")
@click.option(
    "--every",
    type=click.FloatRange(0.05, 86_400),
    default=1.0,
    show_default=True,
    metavar="SECONDS",
    help="How often --follow looks.",
)
@json_option
def command(run: str, url: str, going_on: bool, every: float, as_json: bool) -> None:
    """Bring the copy of RUN at URL up to date: file:///mnt/copies/run-1, s3://bucket/run-1, a path.

    RUN may be going on: its ledger is read in short pieces, and it never waits. What is there
    already is not sent again. `perdure unship URL TO` makes the run again. Needs perdure[ship].
    """
    if url.endswith("://") or url.startswith("memory:"):
        raise UsageError(
            f"{url} is no place that lasts. Write one like file:///mnt/copies/run-1, or a path."
        )
    if math.isnan(every):  # which is in every range, for click
        raise UsageError("--every is no number of seconds.")
    directory = find_run(run)
    name = name_of(directory)
    with View(directory) as view, only_shipper(directory, url), working(name) as tick:
        shipper = Shipper(view, Place(url), time.time_ns)
        before = shipper.manifest
        shipped = _told(tick)
        if going_on:
            with _stopped_by_signals() as stop:
                note(f"shipping {name} as it goes on, until it is over. Ctrl-C ends this.")
                follow(shipper, lambda: stop.wait(every), shipped, _failed)
        else:
            while (segment := shipper.step()) is not None:
                shipped(segment)
    done = shipper.manifest
    new, segments = done.records - before.records, done.segments - before.segments
    if as_json:
        about = {"run": name, "url": url, "run_id": done.run_id, "records": done.records}
        figures = {"hash": done.hash, "segments": done.segments}
        write_answer({**about, **figures, "new_records": new, "new_segments": segments})
        return
    up_to = f"up to record {done.records:,}"
    when = f", {moment(done.time_ns)}" if done.time_ns else ""
    say(labelled("shipped", f"{name} to {url}   {up_to}{when}"))
    say(labelled("new", f"{count(new, 'record')} in {count(segments, 'segment')}"))


def _told(tick: Tick) -> Callable[[Segment], None]:
    return lambda segment: tick(f"shipped up to record {segment.last:,}")


def _failed(error: NotShipped) -> None:
    complain(str(error))
    note("it is tried again.")


@contextmanager
def _stopped_by_signals() -> Iterator[threading.Event]:
    """An event that SIGINT and SIGTERM set: what is under way is shipped, and no more."""
    stop = threading.Event()

    def on_signal(*_: Any) -> None:
        stop.set()

    before = {each: signal.signal(each, on_signal) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
