from __future__ import annotations

import pytest

from thv.clients.git import errors
from thv.clients.git.errors import diagnosed

URL = "https://git.test/r.git"


@pytest.mark.parametrize(
    ("stderr", "kind"),
    [
        (f"fatal: could not read Username for '{URL}': terminal prompts disabled", "AuthenticationFailedError"),
        (f"remote: Invalid username or password.\nfatal: Authentication failed for '{URL}/'", "AuthenticationFailedError"),
        (f"fatal: unable to access '{URL}/': The requested URL returned error: 403", "AuthenticationFailedError"),
        ("git@git.test: Permission denied (publickey).\r\nfatal: Could not read from remote repository.", "AuthenticationFailedError"),
        ("Load key \"/x/key\": error in libcrypto\r\ngit@git.test: Permission denied (publickey).", "AuthenticationFailedError"),
        (f"fatal: repository '{URL}/' not found", "RepositoryNotFoundError"),
        ("fatal: '/srv/r.git' does not appear to be a git repository\nfatal: Could not read from remote repository.", "RepositoryNotFoundError"),
        ("ERROR: Repository not found.\nfatal: Could not read from remote repository.", "RepositoryNotFoundError"),
        (f"fatal: unable to update url base from redirection:\n  asked for: {URL}\n   redirect: https://other.test", "RedirectRefusedError"),
        (f"fatal: unable to access '{URL}/': The requested URL returned error: 301", "RedirectRefusedError"),
        (f"fatal: unable to access '{URL}/': The requested URL returned error: 429", "RateLimitedError"),
        (f"fatal: unable to access '{URL}/': The requested URL returned error: 503", "HostUnreachableError"),
        (f"fatal: unable to access '{URL}/': Could not resolve host: git.test", "HostUnreachableError"),
        (f"fatal: unable to access '{URL}/': Failed to connect to git.test port 443 after 1 ms: Couldn't connect to server", "HostUnreachableError"),
        ("ssh: connect to host 127.0.0.2 port 22: Connection refused\r\nfatal: Could not read from remote repository.", "HostUnreachableError"),
        ("error: RPC failed; curl 18 transfer closed with outstanding read data remaining\nfatal: early EOF", "HostUnreachableError"),
        (f"fatal: unable to access '{URL}/': server certificate verification failed. CAfile: none CRLfile: none", "TlsFailedError"),
        (f"fatal: unable to access '{URL}/': SSL certificate problem: self-signed certificate", "TlsFailedError"),
        ("@@@@\n@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\nHost key verification failed.", "HostKeyChangedError"),
        ("No ED25519 host key is known for [git.test]:22 and you have requested strict checking.\r\nHost key verification failed.", "HostKeyUnknownError"),
        ("fatal: couldn't find remote ref refs/heads/nope", "RefNotFoundError"),
        ("fatal: remote error: upload-pack: not our ref " + "a" * 40, "RefNotFoundError"),
        ("error: Server does not allow request for unadvertised object " + "a" * 40, "RefNotFoundError"),
        ("fatal: dumb http transport does not support shallow capabilities", "CapabilityMissingError"),
        ("fatal: Server does not support shallow clients\nServer does not support shallow requests", "CapabilityMissingError"),
        ("fatal: Out of memory, malloc failed (tried to allocate 4294967296 bytes)", "TooLargeError"),
        ("fatal: write error: No space left on device", "TooLargeError"),
        ("warning: filtering not recognized\nfatal: fetch-pack: invalid index-pack output", "TooLargeError"),
        ("error: object 12: treeNotSorted\nfatal: fsck error in packed object\nfatal: fetch-pack: invalid index-pack output", "DamagedError"),
        (f"fatal: unable to access '{URL}/': Received HTTP code 407 from proxy after CONNECT", "ProxyFailedError"),
        (f"fatal: unable to access '{URL}/': CONNECT tunnel failed, response 403", "ProxyFailedError"),
        (f"fatal: unable to access '{URL}/': Could not resolve proxy: proxy.test", "ProxyFailedError"),
        ("fatal: something that nobody foresaw", "GitError"),
    ],
)  # fmt: skip
def test_what_git_says_becomes_a_precise_error(stderr: str, kind: str) -> None:
    assert type(diagnosed(stderr, 128, about=URL)).__name__ == kind


def test_the_name_of_a_repository_is_not_taken_for_a_message() -> None:
    url = "https://git.test/certificate/Permission denied"
    error = diagnosed(f"fatal: repository '{url}/' not found", 128, about=URL)
    assert type(error) is errors.RepositoryNotFoundError


@pytest.mark.parametrize(
    "stderr",
    [
        "remote: you sent canary\nfatal: x",
        "fatal: remote error: you sent canary",
        "fatal: cannot use https://reader:canary@git.test/r",
        "canary\nanything that is no message of git",
    ],
)
def test_what_the_host_wrote_and_user_names_stay_out_of_messages(stderr: str) -> None:
    assert "canary" not in str(diagnosed(stderr, 128, about=URL))


def test_messages_are_short_and_printable() -> None:
    text = str(diagnosed("fatal: \x1b[31mred\x07" + "x" * 5000, 128, about=URL))
    assert text.isprintable()
    assert len(text) < 250


def test_the_kernels_bound_of_a_file_is_a_size_error() -> None:
    assert type(diagnosed("", 153, about=URL)) is errors.TooLargeError
