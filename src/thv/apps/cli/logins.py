"""The services that somebody has logged in to: their addresses and tokens, in a file of that person alone.

In the flow: `thv auth login` writes it; whoever asks a service takes the token from here.
"""

from __future__ import annotations

import stat
from collections.abc import Mapping
from pathlib import Path

import msgspec

from thv.apps.cli.exits import CommandError
from thv.apps.cli.settings import Settings
from thv.apps.cli.writing import write_file
from thv.domain.errors import Code, ThvError


class Logins(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens by the address of their service."""

    current: str = ""
    """The service that is meant when none is named."""
    tokens: Mapping[str, str] = {}

    def with_token(self, url: str, token: str) -> Logins:
        """With one more, which is meant from now on."""
        return Logins(current=url, tokens={**self.tokens, url: token})

    def without(self, url: str) -> Logins:
        """With one less; another one is meant where only one is left."""
        left = {each: token for each, token in self.tokens.items() if each != url}
        only = next(iter(left)) if len(left) == 1 else ""
        return Logins(current=only if self.current == url else self.current, tokens=left)


def place_of(settings: Settings) -> Path:
    """The file, beside that of the settings."""
    return settings.config.parent / "logins.yaml"


def read_logins(settings: Settings) -> Logins:
    """What the file says; raises INVALID when it cannot be used."""
    path = place_of(settings)
    try:
        with path.open("rb") as file:
            content, mode = file.read(), stat.S_IMODE(path.stat().st_mode)
    except FileNotFoundError:
        return Logins()
    except OSError as error:
        raise _unusable(path, error.strerror or str(error), "thv auth login URL") from error
    if mode & 0o077:
        raise _unusable(path, f"its mode is {mode:04o}; others may use it", f"chmod 600 {path}")
    try:
        return msgspec.yaml.decode(content, type=Logins)
    except msgspec.MsgspecError as error:
        again = f"rm {path}, then thv auth login URL"
        raise _unusable(path, "it holds no logins", again) from error


def write_logins(settings: Settings, logins: Logins) -> Path:
    """Keeps them where nobody else reads them."""
    path = place_of(settings)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        message = f"cannot make the folder {path.parent}: {error.strerror or error}"
        raise ThvError(Code.FORBIDDEN, message) from error
    write_file(path, [msgspec.yaml.encode(msgspec.to_builtins(logins))], mode=0o600)
    return path


def _unusable(path: Path, why: str, then: str) -> CommandError:
    message = f"the file of logins {path} cannot be used: {why}"
    return CommandError(Code.INVALID, message, tries=[then])
