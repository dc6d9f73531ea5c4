from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.clients.http.places import CA, serving
from tests.sources.web import Clock, web
from tests.upstream import Upstream
from thv.clients.http import errors
from thv.clients.http.client import HttpClient
from thv.clients.http.response import Limits
from thv.domain.errors import Code, Next, ThvError
from thv.domain.fields import ConfigMapKey, Reference
from thv.domain.registry import AuthSecret, UrlSource
from thv.sources.base import SecretData
from thv.sources.web import origin_of, parse_retry_after, translated

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def denied(message: str, *, openable: bool = True) -> errors.HttpError:
    return errors.AddressDeniedError(message, host="a.test", port=80, openable=openable)


def answered(status: int, retry_after: str = "") -> errors.HttpError:
    return errors.StatusError("x", status=status, retry_after=retry_after)


@pytest.mark.parametrize(
    ("error", "code", "following"),
    [
        (denied("x"), Code.ADDRESS_DENIED, Next.NEVER),
        (errors.RedirectRefusedError("x"), Code.ADDRESS_DENIED, Next.NEVER),
        (errors.TooManyRedirectsError("x"), Code.SOURCE_UNREACHABLE, Next.BACKOFF),
        (errors.UrlInvalidError("x"), Code.INVALID, Next.NEVER),
        (errors.HeaderInvalidError("x"), Code.INVALID, Next.NEVER),
        (errors.NameUnknownError("x"), Code.SOURCE_UNREACHABLE, Next.BACKOFF),
        (errors.ConnectError("x"), Code.SOURCE_UNREACHABLE, Next.BACKOFF),
        (errors.BrokenError("x"), Code.SOURCE_UNREACHABLE, Next.BACKOFF),
        (errors.ProxyFailedError("x"), Code.SOURCE_UNREACHABLE, Next.BACKOFF),
        (errors.TlsError("x"), Code.TLS_VERIFICATION_FAILED, Next.NEVER),
        (errors.TimedOutError("x"), Code.SOURCE_TIMEOUT, Next.BACKOFF),
        (errors.TooLargeError("x", limit=5), Code.SIZE_LIMIT_EXCEEDED, Next.NEVER),
        (errors.DecodingError("x"), Code.FORMAT_INVALID, Next.NEVER),
        (answered(400), Code.SOURCE_UNREACHABLE, Next.BACKOFF),
        (answered(401), Code.AUTHENTICATION_FAILED, Next.NEVER),
        (answered(403), Code.AUTHENTICATION_FAILED, Next.NEVER),
        (answered(404), Code.SOURCE_NOT_FOUND, Next.NEVER),
        (answered(410), Code.SOURCE_NOT_FOUND, Next.NEVER),
        (answered(429), Code.RATE_LIMITED, Next.BACKOFF),
        (answered(429, "7"), Code.RATE_LIMITED, Next.WAIT),
        (answered(500, "7"), Code.SOURCE_UNREACHABLE, Next.BACKOFF),
        (answered(503, "7"), Code.SOURCE_UNREACHABLE, Next.WAIT),
        (answered(504), Code.SOURCE_TIMEOUT, Next.BACKOFF),
    ],
)
def test_each_error_has_one_code(error: errors.HttpError, code: Code, following: Next) -> None:
    found = translated(error, denied_hint="open it", now=NOW)
    assert (found.code, found.next, found.message) == (code, following, "x")


def test_every_error_of_the_client_is_translated() -> None:
    special = {
        errors.AddressDeniedError: denied("x"),
        errors.TooLargeError: errors.TooLargeError("x", limit=1),
        errors.StatusError: answered(418),
    }
    plain = {kind("x") for kind in _below(errors.HttpError) - set(special)}
    for error in (errors.HttpError("x"), *plain, *special.values()):
        assert isinstance(translated(error, denied_hint="", now=NOW), ThvError)


def _below(kind: type[errors.HttpError]) -> set[type[errors.HttpError]]:
    return {kind for child in kind.__subclasses__() for kind in (child, *_below(child))}


@pytest.mark.requirement("SYN-04")
def test_the_hint_names_what_opens_an_address_and_nothing_opens_metadata() -> None:
    opens = translated(denied("x"), denied_hint="use --allow-private-ip", now=NOW)
    never = translated(denied("x", openable=False), denied_hint="use --allow-private-ip", now=NOW)
    assert (opens.hint, opens.details) == ("use --allow-private-ip", {"host": "a.test", "port": 80})
    assert never.hint == "no setting opens this address"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        (" 120 ", 120.0),
        ("999999999999", 3600.0),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
        ("Sat, 21 Nov 2026 12:00:30 GMT", 30.0),
        ("Sat, 21 Nov 2026 11:00:00 GMT", 0.0),
        ("Sat, 21 Nov 2037 12:00:00 GMT", 3600.0),
        ("Sat, 21 Nov 2026 12:01:00", 60.0),
        ("Sat, 32 Nov 2026 12:00:30 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(text: str, seconds: float | None) -> None:
    assert parse_retry_after(text, NOW) == seconds


def test_an_origin_tells_specs_apart_and_nothing_else() -> None:
    assert origin_of("url", "u", {"a": "1", "b": "2"}) == origin_of(
        "url", "u", {"b": "2", "a": "1"}
    )
    assert origin_of("url", "u") != origin_of("url", "v") != origin_of("registry", "v")
    assert "token" not in origin_of("url", "https://a.test/?token=x")


# A session


pytestmark = pytest.mark.anyio


async def seen_by(
    up: Upstream, client: HttpClient, spec: UrlSource, **given: object
) -> dict[str, str]:
    session = await web(client, [up.place], **given).session(spec, Limits())  # type: ignore[arg-type]
    async with session.get(session.url):
        pass
    return up.requests[-1].headers


@pytest.mark.requirement("REG-03")
async def test_headers_and_secrets_are_sent(up: Upstream, client: HttpClient) -> None:
    spec = UrlSource(
        url=up.url + "/x",
        headers={"X-Team": "mcp", "X-Key": "plain"},
        headers_secret=Reference(name="keys"),
        auth_secret=AuthSecret(name="read"),
    )
    secrets = {"keys": SecretData({"x-key": b"secret"}), "read": SecretData({"token": b"t"})}
    sent = await seen_by(up, client, spec, secrets=secrets)
    assert (sent["x-team"], sent["x-key"], sent["authorization"]) == ("mcp", "secret", "Bearer t")


@pytest.mark.requirement("SYN-04")
@pytest.mark.parametrize("field", ["headers_secret", "auth_secret"])
async def test_a_secret_bound_elsewhere_is_not_sent(
    up: Upstream, client: HttpClient, field: str
) -> None:
    reference = {"headers_secret": Reference(name="s"), "auth_secret": AuthSecret(name="s")}[field]
    spec = UrlSource(url=up.url, **{field: reference})  # type: ignore[arg-type]
    with pytest.raises(ThvError) as caught:
        await seen_by(up, client, spec, secrets={"s": SecretData({"token": b"x"}, ("corp.test",))})
    assert caught.value.code is Code.HOST_NOT_ALLOWED
    assert up.requests == []


async def test_a_missing_secret_is_the_readers_word(up: Upstream, client: HttpClient) -> None:
    spec = UrlSource(url=up.url, auth_secret=AuthSecret(name="gone"))
    with pytest.raises(ThvError) as caught:
        await seen_by(up, client, spec)
    assert caught.value.code is Code.SECRET_NOT_FOUND


async def test_trust_roots_come_from_a_config_map(client: HttpClient) -> None:
    with Upstream(tls=serving("good.pem")) as up:
        spec = UrlSource(url=up.url, ca_config_map=ConfigMapKey(name="ca", key="root.pem"))
        await seen_by(up, client, spec, config_maps={"ca": {"root.pem": CA}})
        with pytest.raises(ThvError, match=r'the ConfigMap "ca" has no key "root\.pem"') as caught:
            await seen_by(up, client, spec, config_maps={"ca": {"ca.crt": CA}})
        assert caught.value.code is Code.PATH_NOT_FOUND
        with pytest.raises(ThvError) as caught:
            await seen_by(up, client, UrlSource(url=up.url))
        assert caught.value.code is Code.TLS_VERIFICATION_FAILED
        assert "caConfigMap" in caught.value.hint


async def test_a_url_that_is_none_is_invalid(client: HttpClient) -> None:
    with pytest.raises(ThvError) as caught:
        await web(client).session(UrlSource(url="https://u:canary@a.test/"), Limits())
    assert (caught.value.code, "canary" in str(caught.value)) == (Code.INVALID, False)


async def test_a_session_stays_at_its_origin(client: HttpClient) -> None:
    session = await web(client).session(UrlSource(url="https://a.test/"), Limits())
    other = await web(client).session(UrlSource(url="https://b.test/"), Limits())
    with pytest.raises(ValueError, match="not of the origin"):
        async with session.get(other.url):
            pass


def test_the_clock_of_the_tests_moves_on_request() -> None:
    clock = Clock()
    clock.pass_(hours=1)
    assert clock() - NOW == timedelta(hours=1)
