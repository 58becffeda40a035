"""`perdure`: the command line. A verb's module is imported when the verb is used."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from importlib import import_module
from typing import Any

import click

from perdure.cli.say import complain
from perdure.errors import PerdureError

EXIT_BUG = 70  # sysexits.h: internal software error
EXIT_SIGINT = 130
EXIT_USAGE = 2
EXIT_SIGPIPE = 141

VERBS = {
    "run": ("perdure.cli.run", "Start a run of a scenario."),
    "resume": ("perdure.cli.resume", "Take a run up where its last process left it."),
    "fork": ("perdure.cli.fork", "Make a new run of the first records of another."),
    "restore": ("perdure.cli.restore", "Set an actor, and all below it, back to a mark."),
    "runs": ("perdure.cli.runs", "List the runs there are."),
    "show": ("perdure.cli.show", "Show what a run is and how it stands."),
    "tree": ("perdure.cli.tree", "Show a run's actors, and who supervises whom."),
    "ps": ("perdure.cli.ps", "List a run's actors, and what each is doing now."),
    "trace": ("perdure.cli.trace", "Show what happened, record by record."),
    "state": ("perdure.cli.state", "Show the committed state of one actor."),
    "diff": ("perdure.cli.diff", "Show what changed between two points of a run."),
    "why": ("perdure.cli.why", "Show why a record is there, back to the first message."),
    "replay": ("perdure.cli.replay", "Run the recorded turns again, and compare."),
    "tell": ("perdure.cli.tell", "Send a message to an actor of a run, or ask it."),
    "reload": ("perdure.cli.reload", "Have a live run go on with its code as it is now."),
    "dead": ("perdure.cli.dead", "List dead letters, or send one again."),
    "doubt": ("perdure.cli.doubt", "List steps in doubt, or say what became of one."),
    "suspend": ("perdure.cli.suspend", "Have an actor take no messages, or take them again."),
    "clear": ("perdure.cli.clear", "Repair a stalled actor."),
    "cancel": ("perdure.cli.cancel", "End an actor and all below it."),
    "verify": ("perdure.cli.verify", "Check all of a ledger."),
    "simulate": ("perdure.cli.simulate", "Run perdure itself in a world that attacks it."),
    "new": ("perdure.cli.new", "Write a small project to start from."),
}
"""Verb -> (module, what --help says). Each module has its verb as `command`."""


class Verbs(click.Group):
    """The group of all verbs: it knows their names without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        command: click.Command = import_module(VERBS[cmd_name][0]).command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in VERBS:
            guess = get_close_matches(args[0], VERBS, n=1)
            hint = f" Did you mean {guess[0]!r}?" if guess else ""
            ctx.fail(f"there is no verb {args[0]!r}.{hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl([(name, text) for name, (_, text) in VERBS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # click itself would exit 1, which means a failed run
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what is buffered
            ctx.exit(EXIT_SIGPIPE)

    def main(self, args: Sequence[str] | None = None, *others: Any, **extra: Any) -> Any:
        """Run, and end the process with the exit code of DESIGN section 12."""
        extra["standalone_mode"] = False
        sys.exit(_guarded(lambda: super(Verbs, self).main(args, *others, **extra)))


def _guarded(run: Any) -> int:
    """Run a verb; whatever it raises becomes one sentence and an exit code."""
    try:
        code = run()
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except PerdureError as error:
        complain(str(error))
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return EXIT_SIGINT
    except OSError as error:
        complain(f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}.")
        return EXIT_USAGE
    except Exception as error:  # noqa: BLE001 - nobody else is left to say what happened
        return _bug(error)
    return code if isinstance(code, int) else 0


def _bug(error: Exception) -> int:
    if os.environ.get("PERDURE_DEBUG"):
        import traceback

        traceback.print_exception(error)
        return EXIT_BUG
    at = error.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    where = f" at {at.tb_frame.f_code.co_filename}:{at.tb_lineno}" if at else ""
    complain(
        f"this is a bug in perdure: {type(error).__name__}: {error}{where}. "
        "What was durable is safe. PERDURE_DEBUG=1 shows more."
    )
    return EXIT_BUG


def _show_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        click.echo(f"perdure {version('perdure')}")
        ctx.exit()


@click.group(
    cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]}, subcommand_metavar="VERB …"
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_version,
    help="Show the version and exit.",
)
def main() -> None:
    """An Erlang-style supervision runtime for agents, durable to the last message.

    RUN is a run's directory, its name (survey-1), or `last`. Each verb has --help and --json.
    """
