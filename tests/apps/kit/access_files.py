"""Access files, and time that passes when a test says so."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import msgspec

from thv.apps.kit.tokens import Issuers, TokenReviews
from thv.formats.tokens import AccessFile, Binding, Given, Issuer, Token, render_access

USER = "toolhive-registry-user"
ADMIN = "toolhive-registry-admin"


def sha256(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def a_token(token: str, user: str, *roles: str, **more: object) -> Token:
    """The entry of a token; a role is `ROLE` or `ROLE@NAMESPACE`."""
    given = tuple(Given(role=r.partition("@")[0], namespace=r.partition("@")[2]) for r in roles)
    return Token(sha256=sha256(token), user=user, roles=given, **more)  # type: ignore[arg-type]


class Written:
    """An access file, who answers from it, and a clock."""

    def __init__(
        self,
        path: Path,
        *tokens: Token,
        bindings: tuple[Binding, ...] = (),
        issuers: tuple[Issuer, ...] = (),
        open_issuers: Callable[[], Issuers] | None = None,
    ) -> None:
        self.path = path
        self.now = 1_790_000_000.0
        self.file = AccessFile(tokens=tokens, bindings=bindings, issuers=issuers)
        self.write(self.file)
        self.reviews = TokenReviews(path, open_issuers, now=lambda: self.now)

    def write(self, file: AccessFile) -> None:
        """As an editor does: another file in its place."""
        self.put(render_access(file))

    def put(self, content: bytes, mode: int = 0o600) -> None:
        draft = self.path.with_suffix(".draft")
        draft.write_bytes(content)
        os.chmod(draft, mode)
        draft.replace(self.path)

    def without(self, token: str) -> AccessFile:
        kept = tuple(each for each in self.file.tokens if each.sha256 != sha256(token))
        return msgspec.structs.replace(self.file, tokens=kept)
