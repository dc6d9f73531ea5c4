from __future__ import annotations

import pytest

from thv.clients.git.address import checked_commit, checked_ref, parse_address, path_steps
from thv.clients.git.errors import AddressInvalidError

SHA1, SHA256 = "a" * 40, "b" * 64


@pytest.mark.requirement("REG-04")
@pytest.mark.parametrize(
    ("text", "scheme", "host", "port", "user"),
    [
        ("https://git.corp.example/mcp/registry.git", "https", "git.corp.example", 443, ""),
        ("http://git.corp.example:3000/mcp/registry.git", "http", "git.corp.example", 3000, ""),
        ("https://GIT.corp.example./r", "https", "git.corp.example", 443, ""),
        ("https://[2606:4700::1]:8443/r.git", "https", "2606:4700::1", 8443, ""),
        ("ssh://git@git.corp.example:2222/r.git", "ssh", "git.corp.example", 2222, "git"),
        ("ssh://git.corp.example/~me/r.git", "ssh", "git.corp.example", 22, ""),
        ("ssh://git@[2606:4700::1]/r.git", "ssh", "2606:4700::1", 22, "git"),
        ("git@github.com:corp/registry.git", "ssh", "github.com", 22, "git"),
    ],
)
def test_usual_addresses_are_understood(
    text: str, scheme: str, host: str, port: int, user: str
) -> None:
    address = parse_address(text)
    assert (address.scheme, address.host, address.port, address.user) == (scheme, host, port, user)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-uupload-pack",
        "--upload-pack=touch /tmp/x",
        "ext::sh -c touch% /tmp/x",
        "file:///etc/passwd",
        "/srv/repository.git",
        "../repository.git",
        "git://host/r.git",
        "ftp://host/r.git",
        "fd::7",
        "https::https://host/r",
        "https://user:password@host/r.git",
        "https://user@host/r.git",
        "https://host/a b",
        "https://host/r\n",
        "https://host/r\x00",
        "https://host\\@evil.example/r",
        "https://127%2e0%2e0%2e1/r",
        "https://2130706433/r",
        "https://0x7f.1/r",
        "https://0177.0.0.1/r",
        "https://ⓔvil.example/r",
        "https:///r",
        "https://host:0/r",
        "https://host:65536/r",
        "ssh://-oProxyCommand=touch/r",
        "ssh://user@-oProxyCommand=touch/r",
        "ssh://-oProxyCommand=x@host/r",
        "ssh://user:password@host/r",
        "ssh://host:99999/r",
        "ssh://host",
        "ssh://ho%00st/r",
        "ssh://[::1%25eth0]/r",
        "ssh://0x7f.1/r",
        "-oProxyCommand=x@host:r",
        "user@host:-r",
        "user@host: r",
        "user@-host:r",
        "host:r",
        "a@b@host:r",
    ],
)
def test_everything_that_git_could_take_for_something_else_is_refused(text: str) -> None:
    with pytest.raises(AddressInvalidError):
        parse_address(text)


def test_nothing_of_a_refused_address_is_repeated() -> None:
    with pytest.raises(AddressInvalidError) as caught:
        parse_address("https://reader:canary-secret@host/r.git")
    assert "canary" not in str(caught.value)


def test_people_see_an_address_without_user_name_and_query() -> None:
    assert parse_address("https://host/r.git?key=canary").shown == "https://host/r.git"
    assert parse_address("ssh://me@host/r.git").shown == "ssh://host/r.git"
    assert parse_address("me@host:r.git").shown == "host:r.git"


@pytest.mark.parametrize("name", ["main", "release/1.2", "v1.0.0+build", "feature_x", "a@b", "9"])
def test_usual_references_are_taken(name: str) -> None:
    assert checked_ref(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "-h",
        "--upload-pack=x",
        "a..b",
        "a b",
        "a\n",
        "a~1",
        "a^",
        "a:b",
        "a?",
        "a*",
        "a[b",
        "a\\b",
        "/a",
        "a/",
        "a//b",
        "a/.b",
        ".a",
        "a.",
        "a.lock",
        "a.lock/b",
        "a@{1}",
        "ä",
        "a" * 256,
    ],
)
def test_references_with_a_meaning_of_their_own_are_refused(name: str) -> None:
    with pytest.raises(AddressInvalidError):
        checked_ref(name)


def test_a_commit_is_a_whole_id() -> None:
    assert (checked_commit(SHA1), checked_commit(SHA256)) == (SHA1, SHA256)
    for text in ("", "HEAD", SHA1[:39], SHA1 + "a", SHA1.upper(), f"-{SHA1[1:]}", SHA1 + "\n"):
        with pytest.raises(AddressInvalidError):
            checked_commit(text)


def test_paths_are_cut_into_steps() -> None:
    assert path_steps("registry/registry.json") == ("registry", "registry.json")
    assert path_steps("./registry//") == ("registry",)
    assert path_steps(".") == path_steps("") == ()


@pytest.mark.parametrize("path", ["/etc/passwd", "../x", "a/../../x", "a/..", "a\nb", "a\x00b"])
def test_paths_that_lead_out_are_refused(path: str) -> None:
    with pytest.raises(AddressInvalidError):
        path_steps(path)
