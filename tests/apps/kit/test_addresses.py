from __future__ import annotations

import pytest

from thv.apps.kit.addresses import is_loopback, is_wildcard, listen_address
from thv.domain.errors import ThvError


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:8080", ("127.0.0.1", 8080)), ("[::1]:8080", ("::1", 8080)), (":8080", ("0.0.0.0", 8080)),
        ("8080", ("127.0.0.1", 8080)), ("fd00:10::5:8080", ("fd00:10::5", 8080)), ("[::]:0", ("::", 0)),
        ("::1:8080", ("::1", 8080)), ("[10.0.0.7]:8080", ("10.0.0.7", 8080)),
    ],
)  # fmt: skip
def test_where_a_process_listens(text: str, address: tuple[str, int]) -> None:
    assert listen_address(text) == address


@pytest.mark.parametrize("text", ["here", "", "1:2:3", "host:65536", "host:", "a:b:8080", "[::1]"])
def test_what_is_no_address_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ThvError, match=r"is no address to listen on") as refused:
        listen_address(text)
    assert "127.0.0.1:8080" in refused.value.hint


def test_which_addresses_stand_for_this_machine_alone_and_which_for_all() -> None:
    assert [is_loopback(host) for host in ("::1", "127.97.0.1", "10.0.0.1", "0.0.0.0")] == [
        True, True, False, False,
    ]  # fmt: skip
    assert [is_wildcard(host) for host in ("0.0.0.0", "::", "10.0.0.1")] == [True, True, False]
