"""`reconcile completion`."""

import click
from click.shell_completion import get_completion_class

from reconciler.cli.place import show

_SHELLS = ("bash", "zsh", "fish")


@click.command(
    epilog="Examples:\n\n\b\n"
    "  reconcile completion bash > ~/.local/share/bash-completion/completions/reconcile\n"
    "  reconcile completion zsh > ~/.zfunc/_reconcile\n"
    "  reconcile completion fish > ~/.config/fish/completions/reconcile.fish"
)
@click.argument("shell", type=click.Choice(_SHELLS))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print the completion script of a shell; targets and addresses are completed, too."""
    script = get_completion_class(shell)
    assert script is not None
    root = ctx.find_root().command
    show(script(root, {}, "reconcile", "_RECONCILE_COMPLETE").source() + "\n")
