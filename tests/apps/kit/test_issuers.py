"""Tokens that an OpenID issuer signed, checked here by its published keys: an issuer on loopback with real keys."""

from __future__ import annotations

import base64
import hmac
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest

from tests.apps.kit.access_files import USER, Written, a_token
from tests.apps.kit.issuer import AUDIENCE, LocalIssuer, a_key, an_issuer, published
from tests.apps.kit.memory_reviews import settled
from thv.apps.kit.authorization import Authorization
from thv.apps.kit.http.dispatch import Access
from thv.apps.kit.http.message import Request
from thv.apps.kit.http.problems import Word
from thv.apps.kit.issuers import SigningIssuers
from thv.apps.kit.reviews import ReviewFailedError
from thv.apps.kit.tokens import Somebody
from thv.clients.oidc.keys import FRESH, LEAST, STALE
from thv.formats.tokens import Binding, Issuer

pytestmark = [pytest.mark.anyio, pytest.mark.flows]


@pytest.fixture
def issuer() -> Iterator[LocalIssuer]:
    with an_issuer() as made:
        yield made


class Checker:
    """Checks tokens of one issuer; time passes when a test says so."""

    def __init__(self, issuer: LocalIssuer, **settings: Any) -> None:
        self.now = 0.0
        self._trusted = [Issuer(url=issuer.url, audiences=(AUDIENCE,), **settings)]
        self._issuers = SigningIssuers(lambda: self.now)

    async def __call__(self, token: str) -> Somebody | None:
        return await self._issuers.identity(token, self._trusted)


async def test_a_token_of_the_issuer_tells_who_somebody_is(issuer: LocalIssuer) -> None:
    who = await Checker(issuer)(issuer.token(groups=["devs", "ops"], exp=2_000_000_000))
    assert who == Somebody("oidc:alice", ("oidc:devs", "oidc:ops"), 2_000_000_030.0)


async def test_which_claims_name_a_user_and_groups_is_a_setting(issuer: LocalIssuer) -> None:
    check = Checker(issuer, user_claim="email", groups_claim="roles", prefix="corp/")
    who = await check(issuer.token(email="al@example.com", roles="devs", groups=["no"]))
    assert who is not None
    assert (who.user, who.groups) == ("corp/al@example.com", ("corp/devs",))
    assert await check(issuer.token()) is None


@pytest.mark.parametrize("algorithm", ["RS256", "RS512", "PS256", "ES256", "ES384", "EdDSA"])
async def test_every_algorithm_that_is_allowed_is_checked(
    issuer: LocalIssuer, algorithm: str
) -> None:
    issuer.keys.clear()
    issuer.publish(algorithm)
    token = issuer.token(algorithm)
    assert await Checker(issuer, algorithms=(algorithm,))(token) is not None
    other = "ES256" if algorithm != "ES256" else "RS256"
    assert await Checker(issuer, algorithms=(other,))(token) is None


NOW = int(time.time())
BAD: dict[str, dict[str, Any]] = {
    "ended": {"exp": NOW - 3600},
    "ended a little more than clocks differ": {"exp": NOW - 31},
    "not begun": {"nbf": NOW + 3600},
    "made in the future": {"iat": NOW + 3600},
    "without an end": {"exp": None},
    "for somebody else": {"aud": "other"},
    "for nobody": {"aud": None},
    "of nobody": {"sub": None},
    "of an empty name": {"sub": ""},
    "of a number": {"sub": 7},
    "of a name with a line break": {"sub": "al\nice"},
    "of a name without end": {"sub": "a" * 300},
    "of another issuer": {"iss": "http://127.0.0.1:1"},
    "of an issuer with a slash": {"iss": "SAME/"},
    "of no issuer": {"iss": None},
    "of no time": {"exp": "soon"},
    "without end": {"exp": float("inf")},
    "with a number of no size": {"nbf": float("inf")},
    "with a key that is none": {"head": {"kid": "other"}},
    "with a demand": {"head": {"crit": ["x"], "x": 1}},
}


@pytest.mark.parametrize("case", BAD)
async def test_a_token_that_is_not_good_is_refused(issuer: LocalIssuer, case: str) -> None:
    changes = BAD[case]
    if changes.get("iss") == "SAME/":
        changes = {"iss": issuer.url + "/"}
    assert await Checker(issuer)(issuer.token(**changes)) is None


async def test_clocks_may_differ_by_the_leeway(issuer: LocalIssuer) -> None:
    late = issuer.token(exp=int(time.time()) - 5)
    assert await Checker(issuer)(late) is not None
    assert await Checker(issuer, leeway=0)(late) is None


async def test_only_subjects_that_match_are_let_in(issuer: LocalIssuer) -> None:
    check = Checker(issuer, subjects=("repo:corp/*", "carol"))
    for subject, allowed in (("repo:corp/x", True), ("carol", True), ("repo:evil/corp/x", False)):
        assert (await check(issuer.token(sub=subject)) is not None) is allowed


def signed_with(secret: bytes, token: str) -> str:
    """The token with a signature that whoever knows the secret can make and check alike."""
    head = base64.urlsafe_b64encode(b'{"alg":"HS256","kid":"RS256-0"}').rstrip(b"=").decode()
    whole = f"{head}.{token.split('.')[1]}"
    signature = hmac.digest(secret, whole.encode(), "sha256")
    return f"{whole}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def packed(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def forged(token: str, head: dict[str, Any], signature: str = "") -> str:
    return ".".join((packed(json.dumps(head).encode()), token.split(".")[1], signature))


async def test_what_was_not_signed_by_the_issuer_is_refused(issuer: LocalIssuer) -> None:
    check = Checker(issuer, algorithms=("RS256", "ES256"))
    good = issuer.token()
    head, payload, signature = good.split(".")
    changed = base64.urlsafe_b64encode(json.dumps({"iss": issuer.url, "sub": "root"}).encode())
    claims = jwt.decode(good, options={"verify_signature": False})
    named = {"kid": "RS256-0"}
    for token in (
        f"{head}.{changed.decode().rstrip('=')}.{signature}",
        f"{head}.{payload}.",
        f"{head}.{payload}.{'A' * 342}",
        forged(good, {"alg": "none", "kid": "RS256-0"}),
        forged(good, {"alg": "RS256", "kid": "RS256-0"}, "AAAA"),
        signed_with(json.dumps(issuer.keys[0]).encode(), good),  # what everybody knows
        signed_with(issuer.keys[0]["n"].encode(), good),
        jwt.encode(claims, a_key("RS256", 9), "RS256", headers=named),
        jwt.encode(claims, a_key("ES256"), "ES256", headers=named),  # names a key of another kind
        jwt.encode(claims, a_key("RS256", 9), "RS256", headers={**named, "jwk": published(a_key("RS256", 9), "RS256")}),
        forged(good, {"alg": "A" * 100 + "\n"}), forged(good, {"alg": 7}), forged(good, {"alg": "RS256", "kid": 7}),
        ".".join((packed(b"[" * 9000), payload, signature)), ".".join((head, packed(b"[" * 9000), signature)),
        "a.b.c", "..", "opaque", head, "",
    ):  # fmt: skip
        assert await check(token) is None, token
    assert await check(good) is not None


async def test_keys_that_are_not_for_this_are_none(issuer: LocalIssuer) -> None:
    issuer.keys.clear()
    issuer.publish("RS256", use="enc")
    issuer.publish("ES256", alg="ES384")
    issuer.keys.append({"kty": "oct", "kid": "HS", "k": "c2VjcmV0"})
    issuer.keys.append({"kty": "RSA", "kid": "short", "n": "AQAB" * 20, "e": "AQAB"})
    issuer.keys.append({"kty": "RSA", "kid": "broken", "n": "!" * 400, "e": "AQAB"})
    issuer.keys.append("no key")  # type: ignore[arg-type] # as somebody may send it
    check = Checker(issuer)
    for token in (
        issuer.token(),
        issuer.token("ES256"),
        issuer.token(head={"kid": "short"}),
        issuer.token(head={"kid": "broken"}),
    ):
        assert await check(token) is None


async def test_a_token_without_the_name_of_a_key_means_the_only_one(issuer: LocalIssuer) -> None:
    nameless = issuer.token(head={"kid": None})
    check = Checker(issuer)
    assert await check(nameless) is not None
    issuer.publish("RS256", 1)
    check.now += FRESH
    assert await check(nameless) is None


# ---------------------------------------------------------------- rotation


async def test_a_new_key_is_found_and_an_old_one_ends(issuer: LocalIssuer) -> None:
    check = Checker(issuer)
    assert await check(issuer.token()) is not None
    issuer.keys.clear()
    issuer.publish("RS256", 1)
    check.now += LEAST
    assert await check(issuer.token(number=1)) is not None
    assert await check(issuer.token()) is None


async def test_a_withdrawn_key_ends_though_nobody_uses_a_new_one(issuer: LocalIssuer) -> None:
    check = Checker(issuer)
    assert await check(issuer.token()) is not None
    issuer.keys.clear()
    issuer.publish("RS256", 1)
    check.now += FRESH - 1
    assert await check(issuer.token()) is not None
    check.now += 1
    assert await check(issuer.token()) is None


async def test_an_issuer_is_not_asked_for_each_token_nor_for_each_made_up_key(
    issuer: LocalIssuer,
) -> None:
    check = Checker(issuer)
    for number in range(50):
        assert await check(issuer.token()) is not None
        assert await check(issuer.token(head={"kid": f"made-up-{number}"})) is None
    assert issuer.asked == ["/.well-known/openid-configuration", "/keys"]
    check.now += LEAST
    assert await check(issuer.token(head={"kid": "made-up"})) is None
    assert len(issuer.asked) == 4


async def test_while_the_issuer_is_away_its_keys_are_good_for_a_while(
    issuer: LocalIssuer,
) -> None:
    check = Checker(issuer)
    assert await check(issuer.token()) is not None
    issuer.is_away = True
    check.now += STALE - 1
    assert await check(issuer.token()) is not None
    check.now += LEAST
    with pytest.raises(ReviewFailedError, match="the keys of http"):
        await check(issuer.token())
    issuer.is_away = False
    check.now += LEAST
    assert await check(issuer.token()) is not None


@pytest.mark.parametrize(
    "about",
    [
        {"issuer": "https://other.example", "jwks_uri": "SAME/keys"},
        {"issuer": "SAME"},
        {"issuer": "SAME", "jwks_uri": 7},
        {"issuer": "SAME", "jwks_uri": "SAME/none"},
        {"issuer": "SAME", "jwks_uri": "http://169.254.169.254/keys"},
        {"issuer": "SAME", "jwks_uri": "SAME/.well-known/openid-configuration"},
    ],
)
async def test_without_keys_nobody_can_say(issuer: LocalIssuer, about: dict[str, Any]) -> None:
    """Neither a document about somebody else nor an address that nobody's URL may reach gives any."""
    issuer.about = json.loads(json.dumps(about).replace("SAME", issuer.url))
    with pytest.raises(ReviewFailedError):
        await Checker(issuer)(issuer.token())


# ---------------------------------------------------------------- behind a door


async def test_bindings_of_the_access_file_say_what_its_users_may(
    issuer: LocalIssuer, tmp_path: Path
) -> None:
    written = Written(
        tmp_path / "tokens.yaml",
        a_token("of-bob", "bob"),
        bindings=(Binding(group="oidc:devs", role=USER, namespace="team"),),
        issuers=(Issuer(url=issuer.url, audiences=(AUDIENCE,)),),
        open_issuers=SigningIssuers,
    )
    authorization = Authorization(written.reviews)

    async def word(token: str, namespace: str = "team") -> Word | None:
        headers = {b"authorization": f"Bearer {token}".encode()}
        request = Request(method="GET", path=b"/", headers=headers)
        problem = await settled(authorization.authorize(request, Access(namespace, "corp")))
        return problem.word if problem else None

    assert await word(issuer.token(groups=["devs"])) is None
    assert await word(issuer.token(groups=["devs"]), "other") is Word.NAMESPACE_ACCESS_DENIED
    assert await word(issuer.token(groups=["oidc:devs"])) is Word.NAMESPACE_ACCESS_DENIED
    assert await word(issuer.token()) is Word.NAMESPACE_ACCESS_DENIED
    assert await word(issuer.token(aud="other", groups=["devs"])) is Word.INVALID_TOKEN
    assert await word("of-bob") is Word.NAMESPACE_ACCESS_DENIED
