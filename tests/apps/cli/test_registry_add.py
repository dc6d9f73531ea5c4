from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest
import yaml

from tests.apps.cli.running import Cli, Ran, check_golden
from tests.builders import array, server, toolhive
from tests.git_server import GitHost, host
from tests.upstream import Upstream, stall, status

pytestmark = pytest.mark.flows
__all__ = ["host"]

OPEN = ("--allow-private-ip", "--allow-http")


def spec_of(cli: Cli, name: str) -> dict[str, object]:
    spec: dict[str, object] = cli.ok("registry", "show", name, "-o", "json").json["spec"]
    return spec


def dry(cli: Cli, *words: str) -> dict[str, object]:
    ran = cli.ok("registry", "add", "corp", *words, "--dry-run", "-o", "yaml")
    spec: dict[str, object] = yaml.safe_load(ran.out)["spec"]
    return spec


@pytest.fixture
def document(cli: Cli) -> Path:
    return cli.file("servers.json", array(server("io.example/a"), server("io.example/b", "2.0.0")))


# ---------------------------------------------------------------- each kind of source


@pytest.mark.requirement("CLI-01", "REG-07")
def test_a_file_is_added_synchronized_and_listed(cli: Cli, document: Path) -> None:
    added = cli.ok("registry", "add", "local", "--file", str(document))
    assert added.out == "mcpregistry/local added\n"
    check_golden("registry_add_file", cli.settled(added.err))
    check_golden("registry_list_one", cli.ok("registry list").out)
    assert cli.ok("search a -o name").out == "io.example/a\n"


def test_the_path_of_a_file_is_stored_absolute(
    cli: Cli, document: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(document.parent)
    cli.ok("registry add local --file servers.json")
    assert spec_of(cli, "local")["source"] == {"type": "file", "file": {"path": str(document)}}


@pytest.mark.requirement("CLI-01", "REG-04")
def test_a_url_on_loopback_is_added_when_it_is_allowed_and_says_what_it_opened(
    cli: Cli, upstream: Upstream
) -> None:
    upstream.file("/servers.json", toolhive(one={}, two={}))
    added = cli.ok("registry", "add", "lab", "--url", f"{upstream.url}/servers.json", *OPEN)
    check_golden("registry_add_url", cli.settled(added.err))
    assert (cli.data / "allowed-hosts").read_text() == f"{upstream.place}\n"
    again = cli.ok("registry", "add", "lab2", "--url", f"{upstream.url}/servers.json")
    assert "may be reached" not in again.err


def test_a_host_that_was_opened_in_a_wrong_form_is_named(cli: Cli, upstream: Upstream) -> None:
    upstream.file("/servers.json", toolhive(one={}))
    url = f"{upstream.url}/servers.json"
    cli.ok("registry", "add", "lab", "--url", url, *OPEN)
    (cli.data / "allowed-hosts").write_text("no port\n")
    ran = cli("registry sync lab")
    assert ran.code == 10
    assert '"no" is no entry of the form host:port or host:*' in ran.err
    assert str(cli.data / "allowed-hosts") in ran.err
    (cli.data / "allowed-hosts").unlink()
    cli.environ["THV_ALLOW"] = "127.0.0.1:port"
    for line in ("registry sync lab", f"registry add other --url {url}"):
        ran = cli(line)
        assert ran.code == 2
        assert '"127.0.0.1:port" is no entry of the form host:port or host:*' in ran.err
        assert "THV_ALLOW" in ran.err


@pytest.mark.requirement("SYN-04")
def test_sources_go_through_the_proxy_that_is_named(cli: Cli, upstream: Upstream) -> None:
    cli.ok("registry", "add", "lab", "--url", f"{upstream.url}/servers.json", *OPEN)
    with socket.create_server(("127.0.0.1", 0)) as closed:
        nobody = f"http://127.0.0.1:{closed.getsockname()[1]}"
    cli.environ |= {"THV_PROXY": nobody, "THV_PROXY_USERNAME": "me", "THV_PROXY_PASSWORD": "canary"}
    ran = cli("registry sync lab")
    assert ran.code == 10
    assert "canary" not in ran.err
    cli.environ["THV_NO_PROXY"] = "127.0.0.0/8"
    cli.ok("registry", "sync", "lab")
    cli.environ["THV_PROXY"] = "http://me:canary@proxy"
    ran = cli("registry sync lab")
    assert (ran.code, "THV_PROXY" in ran.err, "canary" in ran.err) == (2, True, False)


@pytest.mark.requirement("CLI-01", "REG-06")
def test_a_registry_api_gives_its_latest_versions_or_all(cli: Cli, upstream: Upstream) -> None:
    upstream.corpus.publish("io.example/a", "1.0.0")
    upstream.corpus.publish("io.example/a", "2.0.0")
    url = ("--registry-url", upstream.url, *OPEN)
    cli.ok("registry", "add", "some", *url)
    cli.ok("registry", "add", "every", *url, "--versions", "all")
    counts = [
        cli.ok("registry", "show", name, "-o", "json").json["status"]["versionCount"]
        for name in ("some", "every")
    ]
    assert counts == [1, 2]


@pytest.mark.requirement("CLI-01", "REG-05")
def test_a_git_repository_is_read_at_its_path_and_tag(cli: Cli, host: GitHost) -> None:
    bare = host.repository(f"cli-{cli.home.parent.name}")
    commit = bare.commit({"here/registry.json": toolhive(one={})})
    bare.tag("v1", commit, annotated=False)
    url = host.url(f"cli-{cli.home.parent.name}")
    cli.ok(
        "registry", "add", "corp", "--git-repo", url, "--git-path", "here/registry.json",
        "--git-tag", "v1", *OPEN,
    )  # fmt: skip
    status_ = cli.ok("registry status corp -o json").json["status"]
    assert (status_["serverCount"], status_["syncStatus"]["revision"]) == (1, commit)


def test_another_registry_of_the_namespace_is_a_source(cli: Cli, document: Path) -> None:
    cli.ok("registry", "add", "raw", "--file", str(document), "--no-sync")
    cli.ok("registry add tested --registry-ref mcpregistry/raw --trust tested --no-sync")
    ran = cli.ok("registry sync tested raw -o json")
    assert [item["name"] for item in ran.json["items"]] == ["raw", "tested"]
    assert [item["servers"] for item in ran.json["items"]] == [2, 2]


def test_a_config_map_is_a_source(cli: Cli) -> None:
    spec = dry(cli, "--configmap", "servers/all.json")
    assert spec["source"] == {
        "type": "configmap",
        "configMap": {"name": "servers", "key": "all.json"},
    }


# ---------------------------------------------------------------- options


@pytest.mark.requirement("REG-09")
def test_filters_decide_what_is_taken(cli: Cli, document: Path) -> None:
    ran = cli.ok(
        "registry", "add", "local", "--file", str(document), "--include-name", "io.example/*",
        "--exclude-name", "*/b",
    )  # fmt: skip
    assert "+1 added  ~0 changed  -0 removed  1 filtered out  0 invalid" in ran.err


@pytest.mark.requirement("CLI-01")
def test_every_option_ends_in_the_manifest(cli: Cli) -> None:
    ran = cli.ok(
        "registry add corp --git-repo https://192.30.255.112/mcp.git --git-branch dev --git-path all/"
        " --auth-secret git-read --ca-configmap roots/corp.crt --format toolhive --display-name 'Corp servers'"
        " --description 'Ours' --label team=search --trust-level tested --interval 30m --on-update recreate"
        " --max-retries 0 --retry-interval 5s --sync-timeout 1m --suspended --enforce-servers --enforce-tools"
        " --include-name 'io.example/*,io.corp/*' --include-tag a --include-tag b --include-tier Official"
        " --include-transport stdio --include-category database --exclude-name x --exclude-tag c"
        " --exclude-tier Community --exclude-transport sse --exclude-category web --allow-tier Official"
        " --block '*-alpha' --dry-run -o yaml"
    )
    check_golden("registry_add_dry_run", ran.out)
    assert cli.ok("registry list -o name").out == ""


def test_the_dry_run_prints_a_manifest_that_can_be_applied(cli: Cli, document: Path) -> None:
    ran = cli.ok("registry", "add", "corp", "--file", str(document), "--dry-run", "-o", "yaml")
    path = cli.file("corp.yaml", ran.out)
    cli.ok("apply", "-f", str(path))
    assert cli.ok("registry list -o name").out == "mcpregistry/corp\n"


@pytest.mark.parametrize(
    ("words", "out"),
    [("", "mcpregistry/corp added (dry run)\n"), ("-o name", "mcpregistry/corp\n")],
)
def test_a_dry_run_says_what_it_would_do(cli: Cli, document: Path, words: str, out: str) -> None:
    assert cli.ok(f"registry add corp --file {document} --dry-run {words}").out == out


def test_headers_and_secrets_belong_to_the_source(cli: Cli) -> None:
    spec = dry(
        cli, "--url", "https://192.30.255.112/s.json", "--header", "X-Team: mcp",
        "--header-secret", "keys", "--auth-secret", "token", "--format", "auto",
    )  # fmt: skip
    assert spec["source"] == {
        "type": "url",
        "url": {
            "url": "https://192.30.255.112/s.json",
            "headers": {"X-Team": "mcp"},
            "headersSecret": {"name": "keys"},
            "authSecret": {"name": "token"},
        },
    }
    assert "format" not in spec


def test_without_a_sync_the_registry_is_only_stored(cli: Cli, document: Path) -> None:
    ran = cli.ok("registry", "add", "local", "--file", str(document), "--no-sync", "-o", "json")
    assert (ran.json["metadata"]["name"], "snapshot" in ran.json.get("status", {})) == (
        "local",
        False,
    )
    assert "managedFields" not in ran.json["metadata"]


def test_without_waiting_the_sync_is_requested_and_somebody_is_named_who_does_it(
    cli: Cli, document: Path
) -> None:
    ran = cli.ok("registry", "add", "local", "--file", str(document), "--no-wait")
    assert "nobody keeps this data folder in sync" in ran.err


def test_a_quiet_add_prints_its_result_only(cli: Cli, document: Path) -> None:
    ran = cli.ok("registry", "add", "local", "--file", str(document), "-q", "-o", "name")
    assert (ran.out, ran.err) == ("mcpregistry/local\n", "")


@pytest.mark.requirement("REG-11")
def test_a_name_is_free_in_each_namespace(cli: Cli, document: Path) -> None:
    for namespace in ("one", "two"):
        cli.ok("registry", "add", "local", "--file", str(document), "-n", namespace)
    assert cli("registry", "add", "local", "--file", str(document), "-n", "two").code == 6
    assert len(cli.ok("registry list -A -o json").json["items"]) == 2


# ---------------------------------------------------------------- what is wrong


def refused(ran: Ran, cli: Cli, golden: str, code: int) -> None:
    assert (ran.code, ran.out) == (code, ""), ran.err
    check_golden(golden, cli.settled(ran.err))


@pytest.mark.requirement("SYN-04")
@pytest.mark.parametrize(
    ("case", "source"),
    [
        ("private", "--url http://10.0.0.5/servers.json"),
        ("private_https", "--url https://10.0.0.5/servers.json"),
        ("loopback", "--registry-url https://127.0.0.1:8443"),
        ("localhost", "--url http://localhost:8000/servers.json"),
        ("metadata", "--url http://169.254.169.254/x --allow-private-ip --allow-http"),
        ("plain_http", "--url http://192.30.255.112/servers.json"),
        ("half_allowed", "--url http://10.0.0.5/servers.json --allow-private-ip"),
        ("git", "--git-repo http://192.168.0.7/mcp.git"),
    ],
)
def test_an_address_that_is_not_public_is_refused_before_anything_is_stored(
    cli: Cli, case: str, source: str
) -> None:
    refused(cli(f"registry add corp {source}"), cli, f"registry_add_denied_{case}", 2)
    assert not (cli.data / "allowed-hosts").exists()
    assert cli.ok("registry list -o name").out == ""


def test_a_dry_run_opens_nothing(cli: Cli, upstream: Upstream) -> None:
    cli.ok("registry", "add", "lab", "--url", upstream.url, *OPEN, "--dry-run")
    assert not (cli.data / "allowed-hosts").exists()


@pytest.mark.parametrize(
    ("case", "words", "code"),
    [
        ("no_source", "corp", 2),
        ("two_sources", "corp --url https://a.example/ --file x.json", 2),
        ("stray_option", "corp --file x.json --git-tag v1", 2),
        ("no_file", "corp --file /nowhere/x.json", 5),
        ("file_is_url", "corp --file https://a.example/x.json", 2),
        ("url_is_file", "corp --url file:///tmp/x.json", 2),
        ("no_url", "corp --url a.example", 2),
        ("password", "corp --url https://user:secret@a.example/", 2),
        ("git_address", "corp --git-repo nonsense", 2),
        ("name", "Corp_Servers --url https://192.30.255.112/", 2),
        ("interval", "corp --url https://192.30.255.112/ --interval soon", 2),
        ("interval_short", "corp --url https://192.30.255.112/ --interval 5s", 2),
        ("header", "corp --url https://192.30.255.112/ --header X-Team", 2),
        ("label", "corp --url https://192.30.255.112/ --label team", 2),
        ("tag_and_commit", f"corp --git-repo https://192.30.255.112/a.git --git-tag v1 --git-commit {'a' * 40}", 2),
    ],
)  # fmt: skip
def test_a_wrong_command_line_says_what_is_wrong_and_what_to_type(
    cli: Cli, case: str, words: str, code: int
) -> None:
    ran = cli(f"registry add {words}")
    refused(ran, cli, f"registry_add_wrong_{case}", code)
    assert "secret@" not in ran.err


def test_a_name_that_is_taken_is_a_conflict(cli: Cli, document: Path) -> None:
    cli.ok("registry", "add", "local", "--file", str(document))
    ran = cli("registry", "add", "local", "--file", str(document))
    refused(ran, cli, "registry_add_exists", 6)


@pytest.mark.requirement("SYN-02")
@pytest.mark.parametrize(
    ("case", "content", "code"),
    [("html", b"<html><body>Not found</body></html>", 1), ("empty", b"", 1), ("text", b"hello", 1)],
)
def test_a_file_that_is_no_registry_is_kept_as_a_registry_and_says_so(
    cli: Cli, case: str, content: bytes, code: int
) -> None:
    path = cli.file("x.json", content)
    ran = cli("registry", "add", "corp", "--file", str(path))
    refused(ran, cli, f"registry_add_failed_{case}", code)
    assert cli.ok("registry list -o name").out == "mcpregistry/corp\n"


@pytest.mark.parametrize(
    ("case", "code", "exit_code"), [("missing", 404, 5), ("forbidden", 401, 4), ("broken", 500, 10)]
)
def test_a_server_that_does_not_answer_well_gives_its_own_exit_code(
    cli: Cli, upstream: Upstream, case: str, code: int, exit_code: int
) -> None:
    upstream.fault(status(code), times=-1)
    cli.environ["THV_FETCH_BACKOFF"] = "1ms"
    ran = cli("registry", "add", "lab", "--url", f"{upstream.url}/x.json", *OPEN)
    refused(ran, cli, f"registry_add_failed_{case}", exit_code)


@pytest.mark.requirement("SYN-04")
def test_a_redirect_to_a_private_address_is_denied_and_says_how_to_open_it(
    cli: Cli, upstream: Upstream
) -> None:
    upstream.redirect("/x.json", "http://10.1.2.3:8000/x.json")
    ran = cli("registry", "add", "lab", "--url", f"{upstream.url}/x.json", *OPEN)
    refused(ran, cli, "registry_add_failed_redirect", 2)


def test_a_closed_port_is_unreachable(cli: Cli) -> None:
    cli.environ["THV_FETCH_BACKOFF"] = "1ms"
    ran = cli("registry", "add", "lab", "--url", "http://127.0.0.1:1/x.json", *OPEN, "-o", "json")
    assert (ran.code, ran.error["code"]) == (10, "SOURCE_UNREACHABLE")
    assert "thv registry remove lab --yes" in ran.error["hint"]


def test_a_first_sync_that_takes_too_long_is_still_pending(cli: Cli, upstream: Upstream) -> None:
    upstream.fault(stall(), times=-1)
    ran = cli("registry", "add", "lab", "--url", f"{upstream.url}/x.json", *OPEN, "--timeout", "1s")
    refused(ran, cli, "registry_add_too_slow", 8)


@pytest.mark.requirement("CLI-01")
def test_the_error_of_an_invalid_command_is_json_when_that_was_asked_for(cli: Cli) -> None:
    error = cli("registry add corp -o json").error
    assert (error["code"], "--file registry.json" in error["hint"]) == ("INVALID", True)


# ---------------------------------------------------------------- real registries


@pytest.mark.requirement("CLI-01", "FMT-02")
@pytest.mark.parametrize("format_", [(), ("--format", "upstream")])
def test_a_real_dump_is_taken_whole(cli: Cli, real_data: Path, format_: tuple[str, ...]) -> None:
    dump = real_data / "upstream-official-dumps" / "2025-12-18.wrapped.json"
    ran = cli.ok("registry", "add", "official", "--file", str(dump), *format_)
    assert "1,108 servers, 2,794 versions" in ran.err
    status_ = cli.ok("registry show official -o json").json["status"]
    assert (status_["serverCount"], status_["versionCount"]) == (1108, 2794)
    assert json.dumps(status_["syncStatus"]["conversion"]["skipped"]) == "0"


@pytest.mark.parametrize(
    "revisions", ["--git-tag v1 --git-branch main", "--git-branch main --git-commit " + "a" * 40]
)
def test_two_revisions_of_a_repository_exclude_each_other(cli: Cli, revisions: str) -> None:
    ran = cli(f"registry add corp --git-repo https://192.30.255.112/a.git {revisions} --dry-run")
    assert ran.code == 2
    assert "exclude each other" in ran.err


@pytest.mark.parametrize("place", ["/srv/mcp", "file:///srv/mcp"])
def test_a_repository_of_this_machine_is_answered_with_a_file(cli: Cli, place: str) -> None:
    ran = cli(f"registry add corp --git-repo {place} --git-path all/")
    assert ran.code == 2
    assert "--file /srv/mcp/all" in ran.err
