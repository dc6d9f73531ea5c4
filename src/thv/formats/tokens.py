"""The access file of one machine: whose tokens are good, and which roles they hold.

In the flow: `thv auth token` writes it, a serving process reads it whenever it changes. It holds no token, only what
tells one: SHA-256 is enough for that, as tokens are random and long.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from thv.domain.access import Grant
from thv.domain.errors import Code, ThvError
from thv.domain.roles import PEOPLE_ROLES, Role

ROLES: dict[str, Role] = {role.name: role for role in PEOPLE_ROLES}
"""The shipped roles that a caller may hold, by name."""
MOST = 10_000
"""Tokens of one file."""

_Text = Annotated[str, Meta(min_length=1, max_length=253)]
_SHA256 = re.compile(r"[0-9a-f]{64}")
_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


class Given(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A role, in one namespace or in all."""

    role: str
    namespace: str = ""

    @property
    def grant(self) -> Grant:
        """What it allows."""
        return Grant(rights=ROLES[self.role].rights, namespace=self.namespace)


class Token(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is known of a token."""

    sha256: str
    user: _Text
    groups: tuple[_Text, ...] = ()
    roles: tuple[Given, ...] = ()
    expires: datetime | None = None


class Binding(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A role for a user or a group, whoever says that a caller is one."""

    user: str = ""
    group: str = ""
    role: str
    namespace: str = ""

    @property
    def given(self) -> Given:
        """The role."""
        return Given(role=self.role, namespace=self.namespace)

    def names(self, user: str, groups: tuple[str, ...]) -> bool:
        """Whether it is for this caller."""
        return self.user == user if self.user else self.group in groups


class Issuer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who else may say who somebody is: an OpenID provider, whose signed tokens are checked here."""

    url: _Text
    audiences: Annotated[tuple[_Text, ...], Meta(min_length=1)]
    subjects: tuple[_Text, ...] = ("*",)
    """Patterns; a token whose subject matches none is refused."""
    algorithms: tuple[str, ...] = ("RS256", "ES256")
    user_claim: _Text = "sub"
    groups_claim: _Text = "groups"
    prefix: str = "oidc:"
    """Before its users and groups, so that they are nobody else's."""
    leeway: Annotated[int, Meta(ge=0, le=120)] = 30
    """Seconds that clocks may differ."""


ALGORITHMS = (
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
)  # fmt: skip
"""Those that an issuer may use: none in which whoever checks could sign as well."""


class AccessFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of it."""

    tokens: tuple[Token, ...] = ()
    bindings: tuple[Binding, ...] = ()
    issuers: tuple[Issuer, ...] = ()

    def grants(self, user: str, groups: tuple[str, ...]) -> tuple[Grant, ...]:
        """What the bindings give a caller."""
        return tuple(each.given.grant for each in self.bindings if each.names(user, groups))


def load_access(content: bytes) -> AccessFile:
    """Raises INVALID, naming the field, for what it cannot mean."""
    try:
        said = msgspec.yaml.decode(content)
        found = msgspec.convert({} if said is None else said, AccessFile, str_keys=True)
    except msgspec.ValidationError as error:
        raise _wrong(str(error).replace("`$", "`").replace("`.", "`")) from error
    except msgspec.DecodeError as error:
        raise _wrong(f"it is no YAML: {' '.join(str(error).split())[:160]}") from error
    for problem in _problems(found):
        raise _wrong(problem)
    return found


def render_access(file: AccessFile) -> bytes:
    """As YAML, without what is as it would be anyway."""
    made: dict[str, Any] = msgspec.to_builtins(file, str_keys=True)
    return msgspec.yaml.encode(_lean(made))


def _lean(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: _lean(inner) for key, inner in value.items() if inner not in ((), [], "", None)
        }
    if isinstance(value, list | tuple):
        return [_lean(inner) for inner in value]
    return value


def _problems(file: AccessFile) -> Iterator[str]:
    seen: dict[str, int] = {}
    if len(file.tokens) > MOST:
        yield f"tokens: there are {len(file.tokens)}; at most {MOST} can be"
    for place, token in enumerate(file.tokens):
        path = f"tokens[{place}]"
        if not _SHA256.fullmatch(token.sha256):
            yield f"{path}.sha256 must be 64 hexadecimal digits in lower case"
        if token.sha256 in seen:
            yield f"{path}.sha256 is that of tokens[{seen[token.sha256]}]"
        seen[token.sha256] = place
        if token.expires is not None and token.expires.tzinfo is None:
            yield f"{path}.expires needs a zone, such as 2027-01-31T12:00:00Z"
        for index, given in enumerate(token.roles):
            yield from _given(f"{path}.roles[{index}]", given)
    for place, binding in enumerate(file.bindings):
        path = f"bindings[{place}]"
        if bool(binding.user) == bool(binding.group):
            yield f"{path} needs either user or group"
        yield from _given(path, binding.given)
    for place, issuer in enumerate(file.issuers):
        yield from _issuer(f"issuers[{place}]", issuer, [each.url for each in file.issuers[:place]])


def _given(path: str, given: Given) -> Iterator[str]:
    if given.role not in ROLES:
        yield f'{path}.role: there is no role "{given.role}"; there are {", ".join(ROLES)}'
    if given.namespace and not _NAMESPACE.fullmatch(given.namespace):
        yield f'{path}.namespace: "{given.namespace}" can be no namespace'


def _issuer(path: str, issuer: Issuer, before: list[str]) -> Iterator[str]:
    if not issuer.url.startswith(("https://", "http://")):
        yield f"{path}.url must begin with https://"
    if issuer.url in before:
        yield f"{path}.url is named twice"
    for algorithm in issuer.algorithms or ("",):
        if algorithm not in ALGORITHMS:
            yield f'{path}.algorithms: "{algorithm}" is none of {", ".join(ALGORITHMS)}'


def _wrong(problem: str) -> ThvError:
    return ThvError(
        Code.INVALID,
        f"the access file is unusable: {problem}",
        hint="docs/how-to/callers.md shows one.",
    )
