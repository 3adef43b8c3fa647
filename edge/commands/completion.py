"""`sorter completion`: the Tab key for bash, zsh and fish."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from edge.errors import UnavailableError

VARIABLE = "_SORTER_COMPLETE"


@click.command(short_help="Let the Tab key complete sorter's words.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print what lets SHELL complete commands, options and files.

    \b
    bash: mkdir -p ~/.local/share/bash-completion/completions
          sorter completion bash > ~/.local/share/bash-completion/completions/sorter
    zsh:  sorter completion zsh > a folder of $fpath, as _sorter
    fish: mkdir -p ~/.config/fish/completions
          sorter completion fish > ~/.config/fish/completions/sorter.fish
    """  # noqa: D301 - click knows the backspace, not its name
    found = get_completion_class(shell)
    if found is None:
        raise UnavailableError(f"this version of click knows no completion for {shell}")
    click.echo(found(context.find_root().command, {}, "sorter", VARIABLE).source())
