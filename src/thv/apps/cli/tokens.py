"""New tokens for the service of this machine, written into its access file as their hash.

In the flow: behind `thv auth token`. The token itself is shown once and kept nowhere.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import msgspec

from thv.apps.cli.exits import CommandError
from thv.apps.cli.writing import write_file
from thv.apps.kit.tokens import read_access
from thv.domain.errors import Code
from thv.formats.tokens import ROLES, AccessFile, Given, Token, load_access, render_access

PREFIX = "thv_"
"""Scanners of repositories know a token by it."""
_BYTES = 32


def add_token(
    path: Path, user: str, groups: Sequence[str], roles: Sequence[str], expires: datetime
) -> str:
    """A new token that is good as soon as this returns; a role is `ROLE` or `ROLE@NAMESPACE`."""
    file = read_access(path) if path.exists() else AccessFile()
    token = PREFIX + secrets.token_urlsafe(_BYTES)
    entry = Token(
        sha256=hashlib.sha256(token.encode()).hexdigest(),
        user=user,
        groups=tuple(groups),
        roles=tuple(_given(role) for role in roles),
        expires=expires,
    )
    content = render_access(msgspec.structs.replace(file, tokens=(*file.tokens, entry)))
    load_access(content)  # what a service would refuse is not written
    write_file(path, [content], mode=0o600)
    return token


def _given(text: str) -> Given:
    role, _, namespace = text.partition("@")
    if role not in ROLES:
        raise CommandError(
            Code.INVALID,
            f'there is no role "{role}"',
            tries=[f"--role {name}" for name in ROLES],
        )
    return Given(role=role, namespace=namespace)
