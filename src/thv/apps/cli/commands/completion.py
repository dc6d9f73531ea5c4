"""`thv completion`."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from thv.apps.cli.command import command
from thv.apps.cli.loader import load
from thv.apps.cli.session import Session

SHELLS = ("bash", "zsh", "fish", "powershell")
_LOAD = {
    "bash": 'add to ~/.bashrc:  eval "$(thv completion bash)"',
    "zsh": 'add to ~/.zshrc:  eval "$(thv completion zsh)"',
    "fish": "thv completion fish > ~/.config/fish/completions/thv.fish",
    "powershell": "add to $PROFILE:  thv completion powershell | Out-String | Invoke-Expression",
}
# Bash asks click by its own variable; PowerShell uses the answers that click gives to fish.
_POWERSHELL = """\
Register-ArgumentCompleter -Native -CommandName thv -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $line = $commandAst.ToString()
    if ($line.Length -gt $cursorPosition) { $line = $line.Substring(0, $cursorPosition) }
    $env:_THV_COMPLETE = 'fish_complete'
    $env:COMP_WORDS = $line
    $env:COMP_CWORD = $wordToComplete
    try {
        thv | ForEach-Object {
            $kind, $rest = $_ -split ',', 2
            $value, $help = $rest -split "`t", 2
            if (-not $help) { $help = $value }
            if ($value) {
                [System.Management.Automation.CompletionResult]::new($value, $value, 'ParameterValue', $help)
            }
        }
    } finally {
        Remove-Item Env:_THV_COMPLETE, Env:COMP_WORDS, Env:COMP_CWORD -ErrorAction SilentlyContinue
    }
}
"""


@command(
    "completion",
    examples=(
        'eval "$(thv completion bash)"',
        "thv completion fish > ~/.config/fish/completions/thv.fish",
    ),
)
@click.argument("shell", type=click.Choice(SHELLS))
async def completion(session: Session, *, shell: str) -> None:
    """Print the completion script of a shell: commands, options, names of registries and servers."""
    session.console.data(_script(shell))
    session.console.hint(_LOAD[shell])


def _script(shell: str) -> str:
    if shell == "powershell":
        return _POWERSHELL
    made = get_completion_class(shell)
    assert made is not None  # noqa: S101 # click knows these shells
    return made(load("thv.apps.cli.main:cli"), {}, "thv", "_THV_COMPLETE").source()
