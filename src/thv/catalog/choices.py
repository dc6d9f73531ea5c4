"""What a user chooses when a server is installed, and which choice is to be made again.

In the flow: from the options of a command, or the fields of a request, to `install`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum

import msgspec

from thv.domain.canonical import JsonObject
from thv.domain.errors import Code, ThvError
from thv.domain.mcpserver import PermissionProfile


class Choice(StrEnum):
    """What a user chooses, and can choose wrongly."""

    NAME = "name"
    ENV = "env"
    SECRET = "secret"  # noqa: S105 # the word for one
    TWICE = "twice"
    """A value and a Secret for the same variable."""
    ARGS = "args"
    TOOLS = "tools"
    DIGEST = "digest"


class ChoiceError(ThvError):
    """A choice that is missing or that the entry does not allow."""

    def __init__(
        self,
        choice: Choice,
        message: str,
        names: Sequence[str] = (),
        *,
        secrets: Sequence[str] = (),
        meant: Sequence[str] = (),
    ) -> None:
        """`names` are what it is about, `secrets` the variables of a Secret among them, `meant` what perhaps was."""
        concerned = [*secrets, *names]
        super().__init__(Code.INVALID, message, details={"choice": choice, "names": concerned})
        self.choice = choice
        self.names = tuple(names)
        self.secrets = tuple(secrets)
        self.meant = tuple(meant)


class FromSecret(msgspec.Struct, frozen=True):
    """Values that a Secret holds: of one variable, or, without key and target, of every secret one by its name."""

    secret: str
    key: str = ""
    target: str = ""


class Choices(msgspec.Struct, frozen=True, kw_only=True):
    """What a user says beside which server; `""`, None and empty leave it to the entry."""

    namespace: str
    name: str = ""
    env: Mapping[str, str] = {}
    secrets: tuple[FromSecret, ...] = ()
    args: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    profile: PermissionProfile | None = None
    image_digest: str = ""
    port: int | None = None
    """Of the proxy."""
    target_port: int | None = None
    """Of the server."""
    resources: JsonObject = {}
