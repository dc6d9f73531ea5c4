"""What proves who we are to a git host; values that never print themselves.

In the flow: given by the caller for one host, put into the environment or into files of mode 0600, never into
arguments.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import TypeAlias

from thv.clients.git.errors import AuthenticationFailedError


@dataclass(frozen=True)
class Basic:
    """A user and a password, or a token in the password's place."""

    user: str
    password: str = field(repr=False)

    @property
    def header(self) -> str:
        """The value of `Authorization`."""
        return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()


@dataclass(frozen=True)
class Bearer:
    """A token of its own."""

    token: str = field(repr=False)

    def __post_init__(self) -> None:
        if not self.token.isascii() or not self.token.isprintable() or " " in self.token:
            raise AuthenticationFailedError("the token has characters that no header may hold")

    @property
    def header(self) -> str:
        """The value of `Authorization`."""
        return f"Bearer {self.token}"


@dataclass(frozen=True)
class SshKey:
    """A private key without a passphrase, and the keys that the host may show."""

    private_key: bytes = field(repr=False)
    known_hosts: bytes = field(repr=False)
    user: str = ""
    """Used when the URL names no user; `""` means `git`."""


Credentials: TypeAlias = Basic | Bearer | SshKey
