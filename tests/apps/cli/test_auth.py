"""`thv auth` where there is no cluster: tokens of an access file, and a service that is asked with them."""

from __future__ import annotations

import json
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.apps.cli.library import TOOLHIVE
from tests.apps.cli.running import Cli
from tests.apps.standalone.process import Process
from thv.formats.tokens import load_access

READER = "toolhive-registry-user"


def added(cli: Cli) -> None:
    path = cli.file("tools.json", json.dumps(TOOLHIVE))
    cli.ok("registry", "add", "tools", "--file", str(path))


@pytest.mark.e2e
@pytest.mark.requirement("API-05", "OPS-01")
def test_a_token_is_made_used_and_taken_away(cli: Cli, tmp_path: Path) -> None:
    cli.now = datetime.now(UTC)  # that of the service
    added(cli)
    made = cli.ok(f"auth token --user alice --group devs --role {READER}@default")
    token = made.out.strip()
    with Process(tmp_path, "serve", "--data", str(cli.data), "--port", "0") as server:
        url = f"http://127.0.0.1:{server.port}"
        server.until_served("/v0.1/servers", Authorization=f"Bearer {token}")
        nobody = cli(f"auth whoami --server {url}")
        assert (nobody.code, "wants to know who asks" in nobody.err) == (4, True)
        refused = cli(f"auth login {url} --token-stdin", stdin="thv_other")
        assert (refused.code, "does not take this token" in refused.err) == (4, True)
        assert cli.ok(f"auth login {url} --token-stdin", stdin=f"{token}\n").err == (
            f"✔ logged in to {url} as alice\n"
        )
        assert cli.ok("auth whoami -o name").out == "alice\n"
        shown = cli.ok("auth whoami").out
        assert "devs" in shown
        assert "get, list, watch in default" in shown
        said = cli.ok("auth whoami -o json").json
        assert (said["username"], said["server"]) == ("alice", url)
        assert said["method"] == "token-file"
        assert cli.ok("auth can-i list mcpregistries").out == "yes\n"
        assert cli.ok("auth can-i get mcpreg anything").out == "yes\n"
        kept = cli.file("token", token)
        for named in (f"--server {url}", f"--server {url}/r/default/tools --token-file {kept}"):
            assert cli.ok(f"auth whoami -o name {named}").out == "alice\n"
            assert cli.ok(f"auth can-i get mcpregistries {named}").out == "yes\n"
        for line in ("list mcpregistries -n other", "list mcpreg -A", "create mcpregistries/sync"):
            assert (cli(f"auth can-i {line}").out, cli(f"auth can-i {line}").code) == ("no\n", 1)
        (cli.data / "tokens.yaml").write_text("tokens: []\n")
        server.until(
            lambda: server.get("/api/v1/me", Authorization=f"Bearer {token}").status == 401
        )
        ended = cli("auth whoami")
        assert (ended.code, f"thv auth login {url}" in ended.err) == (4, True)
    away = cli("auth can-i list mcpregistries")
    assert (away.code, "gives no answer" in away.err) == (10, True)
    assert cli.ok("auth logout").err == f"✔ logged out of {url}\n"
    assert not (cli.home / ".config" / "toolhive-registry" / "logins.yaml").exists()


def test_a_token_is_kept_as_its_hash_alone_where_nobody_else_reads_it(cli: Cli) -> None:
    token = cli.ok(f"auth token --user alice --role {READER}").out.strip()
    path = cli.data / "tokens.yaml"
    assert token.startswith("thv_")
    assert token not in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    cli.ok(f"auth token --user bob --role toolhive-registry-admin@team --duration 1h --file {path}")
    alice, bob = load_access(path.read_bytes()).tokens
    assert (alice.user, bob.user, bob.roles[0].namespace) == ("alice", "bob", "team")
    assert alice.expires is not None
    assert bob.expires is not None
    assert (alice.expires - bob.expires).days == 89


@pytest.mark.parametrize(
    ("line", "code", "words"),
    [
        ("auth token", 2, "whose token?"),
        ("auth token --user a --role admin", 2, f"Try:   --role {READER}"),
        (f"auth token --user a --role {READER}@Team", 2, '"Team" can be no namespace'),
        ("auth token corp --service-account a", 2, "have no service accounts"),
        ("auth whoami", 2, "Try:   thv auth login URL"),
        ("auth can-i get mcpregistries", 2, "you are logged in to no service"),
        ("auth logout", 5, "you are logged in nowhere"),
        ("auth logout https://one.example", 5, "you are not logged in to https://one.example"),
        ("auth login https://one.example", 2, "nobody is there to be asked"),
        ("auth login http://one.example --token-stdin", 2, "by plain http"),
        ("auth login ftp://one.example --token-stdin", 2, "thv auth login https://HOST"),
        ("auth login http://127.0.0.1:1 --token-stdin", 2, "this is no token"),
    ],
)
def test_what_cannot_be_done_is_said_with_what_can(
    cli: Cli, line: str, code: int, words: str
) -> None:
    ran = cli(line)
    assert (ran.code, words in ran.err) == (code, True), ran.err
    assert "Try:" in ran.err


def test_an_access_file_that_others_may_read_is_not_added_to(cli: Cli) -> None:
    path = cli.file("tokens.yaml", "tokens: []\n")
    path.chmod(0o644)
    ran = cli(f"auth token --user a --role {READER} --file {path}")
    assert (ran.code, f"chmod 600 {path}" in ran.err) == (2, True)
    assert path.read_text() == "tokens: []\n"


def test_logins_that_others_may_read_are_not_used(cli: Cli) -> None:
    path = cli.file(".config/toolhive-registry/logins.yaml", "current: https://one.example\n")
    path.chmod(0o644)
    ran = cli("auth whoami")
    assert (ran.code, f"chmod 600 {path}" in ran.err) == (2, True)
    path.chmod(0o600)
    path.write_text("[]")
    assert "it holds no logins" in cli("auth whoami").err


@pytest.mark.flows
def test_a_backup_holds_the_access_file(cli: Cli, tmp_path: Path) -> None:
    added(cli)
    cli.ok(f"auth token --user alice --role {READER}")
    path = cli.data / "tokens.yaml"
    before = path.read_bytes()
    cli.ok(f"backup --output {tmp_path}/all.tar.gz")
    cli.ok("auth token --user mallory")
    cli.ok(f"restore {tmp_path}/all.tar.gz --yes")
    assert path.read_bytes() == before
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
