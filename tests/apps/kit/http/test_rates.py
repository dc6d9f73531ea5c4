"""How much callers may have."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import msgspec
import pytest

from thv.apps.kit.http.message import Request
from thv.apps.kit.http.problems import ProblemError, Word
from thv.apps.kit.http.rates import Account, Limiter, Rate, Rates, charged


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def made(**rates: Any) -> tuple[Limiter, Clock]:
    clock = Clock()
    return Limiter(Rates(**rates), clock), clock


def asking(client: str = "10.0.0.7", query: bytes = b"") -> Request:
    return Request(method="GET", path=b"/api/v1/servers", query=query, client=client)


def trying(client: str = "10.0.0.7") -> Request:
    headers = {b"authorization": b"Bearer x"}
    return Request(method="GET", path=b"/api/v1/servers", headers=headers, client=client)


def admitted(limiter: Limiter, request: Request, user: str = "") -> Account:
    account = limiter.admit(request, user)
    assert account is not None
    return account


def test_rows_are_what_counts() -> None:
    limiter, clock = made(reads=Rate(1, 10))
    for _ in range(100):
        charged(admitted(limiter, asking()), 1)
    assert dict(charged(admitted(limiter, asking()), 300))[b"ratelimit"] == b'"reads";r=0;t=10'
    charged(admitted(limiter, asking()), 200)
    with pytest.raises(ProblemError) as refused:
        limiter.admit(asking(), "")
    assert (refused.value.status, refused.value.retry_after) == (429, 2)
    assert dict(refused.value.headers) == {
        b"ratelimit-policy": b'"reads";q=10;w=10',
        b"ratelimit": b'"reads";r=0;t=12',
    }
    clock.now += 2
    assert limiter.admit(asking(), "") is not None


def test_searches_are_counted_apart() -> None:
    limiter, _ = made(searches=Rate(1, 2))
    for _ in range(2):
        charged(admitted(limiter, asking(query=b"search=a")), 1000)
    with pytest.raises(ProblemError):
        limiter.admit(asking(query=b"limit=1&search=b"), "")
    assert admitted(limiter, asking()).name == "reads"


def test_each_user_and_each_address_has_an_account() -> None:
    limiter, _ = made(reads=Rate(1, 1))
    charged(admitted(limiter, asking(), "ada"), 100)
    for client, user in (("10.0.0.7", "ada"), ("10.0.0.8", "ada")):
        with pytest.raises(ProblemError):
            limiter.admit(asking(client), user)
    assert limiter.admit(asking(), "") is not None
    assert limiter.admit(asking(), "bea") is not None
    assert limiter.admit(asking(), "10.0.0.7") is not None


def test_who_tries_tokens_must_wait() -> None:
    limiter, clock = made()
    for _ in range(10):
        limiter.check_address(trying())
        limiter.failed(trying())
    with pytest.raises(ProblemError) as refused:
        limiter.check_address(trying())
    assert refused.value.retry_after == 6
    limiter.check_address(trying("10.0.0.8"))
    limiter.check_address(asking())
    clock.now += 6.1
    limiter.check_address(trying())


def test_many_tries_at_once_are_no_more_than_one_after_another() -> None:
    limiter, clock = made()
    with ExitStack() as under_way:
        for _ in range(10):
            under_way.enter_context(limiter.trying(asking()))
        with pytest.raises(ProblemError) as refused, limiter.trying(asking()):
            raise AssertionError
        assert (refused.value.status, refused.value.retry_after) == (429, 6)
    with limiter.trying(asking()):
        pass
    for _ in range(8):
        with limiter.trying(asking()) as attempt:
            attempt.is_wrong = True
    with pytest.raises(ProblemError, match="links"), limiter.trying(asking()):
        raise AssertionError
    with limiter.trying(asking("10.0.0.8")):
        pass
    clock.now += 6
    with limiter.trying(asking()):
        pass


def test_what_breaks_off_is_not_wrong() -> None:
    limiter, _ = made(failures=Rate(0.01, 2))
    for word in (Word.AUTHORIZER_UNAVAILABLE, Word.INVALID_TOKEN):
        with pytest.raises(ProblemError, match="so it is"), limiter.trying(asking()):
            raise ProblemError(word, "so it is")
    with pytest.raises(ProblemError, match="come again"), limiter.trying(asking()):
        raise AssertionError


@pytest.mark.parametrize("client", ["127.0.0.1", "::1", ""])
def test_the_same_machine_may_have_anything(client: str) -> None:
    limiter, _ = made(reads=Rate(1, 0), failures=Rate(1, 0))
    assert limiter.admit(asking(client), "") is None
    limiter.failed(trying(client))
    limiter.check_address(trying(client))
    for _ in range(3):
        with limiter.trying(asking(client)) as attempt:
            attempt.is_wrong = True


def test_behind_the_proxy_of_a_mesh_bad_tokens_of_one_keep_out_nobody() -> None:
    """Whom it forwards seems to call from the pod itself, by whatever address of it."""
    limiter, _ = made(reads=Rate(1, 0), failures=Rate(1, 0))
    for client in ("10.0.0.9", "127.0.0.6"):
        forwarded = msgspec.structs.replace(trying(client), here="10.0.0.9")
        limiter.failed(forwarded)
        limiter.check_address(forwarded)
        assert limiter.admit(forwarded, "") is None


def test_the_same_machine_is_held_to_it_on_request() -> None:
    limiter = Limiter(Rates(reads=Rate(1, 0), loopback=True))
    for near in (asking("127.0.0.1"), msgspec.structs.replace(asking(), here="10.0.0.7")):
        with pytest.raises(ProblemError):
            limiter.admit(near, "")


def test_callers_without_end_are_forgotten() -> None:
    limiter, _ = made(reads=Rate(1, 1))
    charged(admitted(limiter, asking()), 100)
    for number in range(10_000):
        limiter.admit(asking(f"10.1.{number // 250}.{number % 250}"), "")
    assert limiter.admit(asking(), "") is not None
