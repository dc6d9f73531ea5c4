"""The access file: what it may say, and what is said of what it may not."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from thv.domain.errors import Code, ThvError
from thv.domain.roles import CLUSTER_ROLES, PEOPLE_ROLES
from thv.formats.tokens import (
    ROLES,
    AccessFile,
    Binding,
    Given,
    Issuer,
    Token,
    load_access,
    render_access,
)

ALICE = "ab" * 32
_YAML = re.compile(r"```yaml\n(.*?)```", re.DOTALL)
WHOLE = AccessFile(
    tokens=(
        Token(
            sha256=ALICE,
            user="alice",
            groups=("devs",),
            roles=(
                Given(role="toolhive-registry-user"),
                Given(role="toolhive-registry-admin", namespace="team"),
            ),
            expires=datetime(2027, 1, 31, 12, tzinfo=UTC),
        ),
        Token(sha256="cd" * 32, user="bob"),
    ),
    bindings=(Binding(group="devs", role="toolhive-registry-deployer", namespace="team"),),
    issuers=(Issuer(url="https://login.example.com", audiences=("registry",)),),
)


def test_it_is_read_as_it_is_written() -> None:
    text = render_access(WHOLE)
    assert load_access(text) == WHOLE
    assert render_access(load_access(text)) == text


def test_nothing_is_written_that_goes_without_saying() -> None:
    text = render_access(AccessFile(tokens=(Token(sha256=ALICE, user="bob"),))).decode()
    assert text == f"tokens:\n- sha256: {ALICE}\n  user: bob\n"


@pytest.mark.parametrize("text", ["", "{}", "tokens: []"])
def test_it_may_be_empty(text: str) -> None:
    assert load_access(text.encode()) == AccessFile()


def test_the_files_of_the_how_to_can_be_used() -> None:
    page = Path(__file__).parents[2] / "docs" / "how-to" / "callers.md"
    shown = [load_access(text.encode()) for text in _YAML.findall(page.read_text())]
    assert [bool(file.tokens) for file in shown] == [True, False]
    assert [len(file.issuers) for file in shown] == [0, 2]
    fields = re.findall(r"^\| (`.+?`) \|", page.read_text().partition("| Field |")[2], re.MULTILINE)
    named = {name for cell in fields for name in re.findall(r"`(\w+)`", cell)}
    assert named == set(Issuer.__struct_fields__)


def test_a_caller_may_hold_the_roles_of_people_alone() -> None:
    assert set(ROLES) == {role.name for role in PEOPLE_ROLES} < {r.name for r in CLUSTER_ROLES}


def test_bindings_are_for_a_user_or_for_a_group() -> None:
    file = AccessFile(
        bindings=(
            Binding(user="devs", role="toolhive-registry-admin"),
            Binding(group="devs", role="toolhive-registry-user", namespace="team"),
        )
    )
    (by_user,) = file.grants("devs", ())
    (by_group,) = file.grants("alice", ("devs",))
    assert (by_user.namespace, by_group.namespace) == ("", "team")
    assert file.grants("alice", ()) == ()
    assert file.grants("", ("",)) == ()


_TOKEN = f"tokens: [{{sha256: {ALICE}, user: a"
_ISSUER = "issuers: [{url: https://x, audiences: [a]"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[]", "Expected `object`"),
        ("a: [", "it is no YAML"),
        ("tokns: []", "unknown field `tokns`"),
        ("tokens: [{user: a}]", "missing required field `sha256` - at `tokens[0]"),
        (f"tokens: [{{sha256: {ALICE}, user: ''}}]", "tokens[0].user"),
        (f"tokens: [{{sha256: {ALICE.upper()}, user: a}}]", "tokens[0].sha256 must be 64 hexadecimal digits"),
        ("tokens: [{sha256: secret, user: a}]", "tokens[0].sha256 must be 64 hexadecimal digits"),
        (f"{_TOKEN}}}, {{sha256: {ALICE}, user: b}}]", "tokens[1].sha256 is that of tokens[0]"),
        (f"{_TOKEN}, expires: 2027-01-01T00:00:00}}]", "tokens[0].expires needs a zone"),
        (f"{_TOKEN}, expires: never}}]", "tokens[0].expires"),
        (f"{_TOKEN}, roles: [{{role: admin}}]}}]", 'tokens[0].roles[0].role: there is no role "admin"; there are toolhive-registry-user'),
        (f"{_TOKEN}, roles: [{{role: toolhive-registry-operator}}]}}]", "there is no role"),
        (f"{_TOKEN}, roles: [{{role: toolhive-registry-user, namespace: Team}}]}}]", '"Team" can be no namespace'),
        (f"{_TOKEN}, token: abc}}]", "unknown field `token`"),
        ("bindings: [{role: toolhive-registry-user}]", "bindings[0] needs either user or group"),
        ("bindings: [{user: a, group: b, role: toolhive-registry-user}]", "bindings[0] needs either"),
        ("issuers: [{url: https://x}]", "missing required field `audiences`"),
        ("issuers: [{url: https://x, audiences: []}]", "issuers[0].audiences"),
        ("issuers: [{url: x, audiences: [a]}]", "issuers[0].url must begin with https://"),
        (f"{_ISSUER}, algorithms: [HS256]}}]", '"HS256" is none of RS256'),
        (f"{_ISSUER}, algorithms: [none]}}]", '"none" is none of RS256'),
        (f"{_ISSUER}, algorithms: []}}]", '"" is none of RS256'),
        (f"{_ISSUER}, leeway: 121}}]", "issuers[0].leeway"),
        (f"{_ISSUER}}}, {{url: https://x, audiences: [b]}}]", "issuers[1].url is named twice"),
    ],
)  # fmt: skip
def test_what_it_may_not_say_is_named_with_its_place(text: str, words: str) -> None:
    with pytest.raises(ThvError) as refused:
        load_access(text.encode())
    assert refused.value.code is Code.INVALID
    assert words in refused.value.message
    assert "$" not in refused.value.message
