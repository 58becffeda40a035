"""`perdure tree RUN`: who supervises whom, and how each is."""

from __future__ import annotations

import click

from perdure.cli.branches import node_form, tree_lines
from perdure.cli.options import json_option, name_of, run_argument, view_of
from perdure.cli.say import fitted, say, write_answer


@click.command("tree")
@run_argument
@click.option("--all", "whole", is_flag=True, help="Each sibling on a line, and who has ended.")
@click.option("--watch", is_flag=True, help="Draw it anew as it changes, until the run ends.")
@json_option
def command(run: str, whole: bool, watch: bool, as_json: bool) -> None:
    """Show the actors of RUN: class or strategy, turns, restarts, and what waits for them.

    Many siblings that are alike become one line. The run may be going on: --watch shows that, and
    with --json it writes a line for each change.
    """
    with view_of(run) as view:
        if watch:
            from perdure.cli.treewatch import watch as watch_tree

            watch_tree(view, view.directory, whole=whole, as_json=as_json)
            return
        roots, now_ns = view.tree(), view.head.time_ns
        if as_json:
            form = [node_form(root, now_ns) for root in roots]
            write_answer({"run": name_of(view.directory), "tree": form})
            return
        for line in tree_lines(roots, now_ns, whole=whole):
            say(fitted(line))
