from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from thv.clients.git.address import parse_address
from thv.clients.git.credentials import Basic, Bearer, SshKey
from thv.clients.git.environment import Files, local_environment, remote_environment
from thv.clients.git.errors import AuthenticationFailedError

HOME = Path("/scratch/home")
FILES = Files(HOME, key=HOME / "a key", known_hosts=HOME / "known%hosts")
KEY = SshKey(b"private-canary", b"known")


def settings(environment: dict[str, str]) -> dict[str, str]:
    count = int(environment["GIT_CONFIG_COUNT"])
    return {
        environment[f"GIT_CONFIG_KEY_{n}"]: environment[f"GIT_CONFIG_VALUE_{n}"]
        for n in range(count)
    }


def environment_for(url: str, credentials: Basic | Bearer | SshKey | None = None) -> dict[str, str]:
    return remote_environment("/bin", parse_address(url), ("93.184.1.1",), credentials, FILES)


def test_only_the_scheme_of_the_repository_may_be_spoken() -> None:
    assert environment_for("https://host/r")["GIT_ALLOW_PROTOCOL"] == "https"
    assert environment_for("ssh://host/r", KEY)["GIT_ALLOW_PROTOCOL"] == "ssh"
    assert local_environment("/bin", HOME)["GIT_ALLOW_PROTOCOL"] == ""


def test_nothing_of_this_machine_reaches_git() -> None:
    environment = environment_for("https://host/r")
    assert environment["GIT_CONFIG_NOSYSTEM"] == "1"
    assert environment["GIT_CONFIG_GLOBAL"] == "/dev/null"
    assert environment["HOME"] == str(HOME)
    assert environment["GIT_TERMINAL_PROMPT"] == "0"
    assert not {name for name in environment if "proxy" in name.lower()}


def test_http_goes_to_the_checked_addresses_for_good() -> None:
    address = parse_address("https://git.test:8443/r")
    environment = remote_environment("/bin", address, ("93.184.1.1", "2606::1"), None, FILES)
    # A pin that begins with "+" would expire after a minute, and the name would be resolved again.
    assert settings(environment)["http.curloptResolve"] == "git.test:8443:93.184.1.1,[2606::1]"


def test_redirects_hooks_filters_and_submodules_are_off() -> None:
    found = settings(environment_for("https://host/r"))
    assert found["http.followRedirects"] == "false"
    assert found["core.hooksPath"] == "/dev/null"
    assert found["filter.lfs.smudge"] == ""
    assert found["submodule.recurse"] == "false"
    assert found["transfer.fsckObjects"] == "true"
    assert found["gc.auto"] == "0"


@pytest.mark.parametrize(
    ("credentials", "value"),
    [
        (Basic("me", "pass"), "Authorization: Basic bWU6cGFzcw=="),
        (Bearer("t0ken"), "Authorization: Bearer t0ken"),
    ],
)
def test_credentials_are_bound_to_the_origin(credentials: Basic | Bearer, value: str) -> None:
    found = settings(environment_for("https://git.test:8443/r", credentials))
    assert found["http.https://git.test:8443/.extraHeader"] == value


def test_ssh_is_held_to_address_key_and_known_hosts() -> None:
    environment = environment_for("ssh://me@git.test:2222/r", KEY)
    command = shlex.split(environment["GIT_SSH_COMMAND"])
    options = dict(option.split("=", 1) for option in command if "=" in option)
    assert command[:3] == ["ssh", "-F", "/dev/null"]
    assert options["HostName"] == "93.184.1.1"
    assert options["HostKeyAlias"] == "[git.test]:2222"
    assert options["StrictHostKeyChecking"] == "yes"
    assert options["BatchMode"] == "yes"
    assert options["IdentitiesOnly"] == "yes"
    assert options["IdentityFile"] == '"/scratch/home/a key"'
    assert options["UserKnownHostsFile"] == '"/scratch/home/known%%hosts"'
    assert "canary" not in str(environment)


def test_the_key_of_the_usual_port_is_known_by_the_bare_name() -> None:
    command = environment_for("git@git.test:r", KEY)["GIT_SSH_COMMAND"]
    assert "HostKeyAlias=git.test " in command


def test_credentials_for_another_kind_of_host_are_refused() -> None:
    with pytest.raises(AuthenticationFailedError):
        environment_for("https://host/r", KEY)
    for wrong in (None, Basic("a", "b"), Bearer("c"), SshKey(b"k", b"h", user="-oProxy")):
        with pytest.raises(AuthenticationFailedError):
            environment_for("ssh://host/r", wrong)


def test_a_token_cannot_smuggle_a_second_header() -> None:
    for token in ("a\r\nHost: evil", "a b", "ä"):
        with pytest.raises(AuthenticationFailedError):
            Bearer(token)


def test_credentials_do_not_print_themselves() -> None:
    shown = repr((Basic("me", "canary"), Bearer("canary"), SshKey(b"canary", b"canary")))
    assert "canary" not in shown
