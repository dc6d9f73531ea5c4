"""The catalog on the command line: where registries are kept, and where only the address of a service is known."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import yaml

from tests.apps.cli.library import OFFICIAL
from tests.apps.cli.running import Cli, check_golden
from tests.apps.standalone.process import Process
from tests.builders import toolhive

pytestmark = pytest.mark.flows

PRODUCTION = toolhive(
    osv_scanner={
        "title": "OSV Vulnerability Scanner",
        "description": "Scans dependencies for known vulnerabilities",
        "image": "ghcr.io/stackloklabs/osv-mcp/server:0.1.3",
        "transport": "streamable-http",
        "tools": ["vulnerability-scan", "osv-query"],
        "tags": ["security", "osv"],
        "custom_metadata": {"category": "security"},
    },
    notes={"image": "ghcr.io/example/notes:1.0.0", "tools": ["read", "write"]},
)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Cli:
    """The user where two registries are kept."""
    cli = Cli(tmp_path_factory.mktemp("kept"))
    official = cli.file("official.json", json.dumps(OFFICIAL))
    production = cli.file("production.json", PRODUCTION)
    cli.ok("registry", "add", "official", "--file", str(official))
    cli.ok("registry", "add", "production-catalog", "--file", str(production), "--trust-level", "trusted", "--display-name", "Approved", "-n", "production")  # fmt: skip
    return cli


@pytest.fixture(scope="module")
def away(kept: Cli) -> Iterator[Cli]:
    """A user who knows the address of a `thv serve` alone."""
    argv = ("serve", "--listen", "127.0.0.1:0")
    with Process(kept.home, *argv, THV_DATA=str(kept.data)) as process:
        for path in ("default/official", "production/production-catalog"):
            process.until_served(f"/r/{path}/api/v1/info")
        process.until(
            lambda: json.loads(process.get("/api/v1/mcp_servers").body).get("servers", ())[5:]
        )
        yield replace(kept, environ={"THV_SERVER": f"http://127.0.0.1:{process.port}"})


LINES = """
catalog servers
catalog servers -o wide
catalog servers -o name
catalog servers production-catalog
catalog servers production/production-catalog -o json
catalog servers -n production -o name
catalog servers --category validated
catalog servers --search "osv scanner"
catalog servers --search "scan for vulnerabilities please"
catalog servers --tool vulnerability-scan --tag security -o name
catalog servers --functional-category security -o name
catalog servers --kind container --transport stdio --sort name -o name
catalog servers --reach named-hosts --reach undeclared -o name
catalog servers --trust raw --tier Official -l tier=Official -o name
catalog servers --all -o name
catalog servers --limit 1
catalog servers --search nothing-like-this
catalog categories
catalog categories -o json
catalog tools
catalog tools --search scan --category security
catalog tools --offered-by osv-scanner -o name
catalog tools --registry official --sort usage
catalog tools -o json
catalog show production-catalog -o name
catalog export osv-scanner
catalog export osv-scanner --image-registry internal-registry.company.com --tool osv-query --no-enforce-tools -o yaml
catalog generate --server osv-scanner --registry-name mine --enforce-servers
catalog generate --server osv-scanner --server notes@1.0.0 --registry-name mine -o json
catalog export nothing
catalog export osv-scanner --version 9
catalog generate --server osv-scaner
catalog servers nowhere
"""


@pytest.mark.requirement("CAT-01", "CAT-03", "CAT-04", "CAT-05")
@pytest.mark.parametrize("line", LINES.strip().splitlines())
def test_a_service_answers_what_the_place_answers(kept: Cli, away: Cli, line: str) -> None:
    here, there = kept(line), away(line)
    url = away.environ["THV_SERVER"]
    assert (there.code, there.out.replace(url, "")) == (here.code, here.out)
    assert there.err.replace(f"{url}: ", "").replace(f" --server {url}", "") == here.err


@pytest.mark.requirement("REG-11", "CAT-06")
def test_registries_of_every_namespace_are_listed(kept: Cli, away: Cli) -> None:
    for cli in (kept, away):
        titles, first, second = cli.ok("catalog list").out.splitlines()
        assert titles.split() == ["NAMESPACE", "NAME", "TYPE", "TRUST", "SERVERS", "READY", "LAST-SYNC"]  # fmt: skip
        assert first.split()[:6] == ["default", "official", "file", "raw", "4", "True"]
        assert second.split()[:6] == ["production", "production-catalog", "file", "trusted", "2", "True"]  # fmt: skip
        assert cli.ok("catalog list --trust trusted -n production -o name").out == "mcpregistry/production-catalog\n"  # fmt: skip
        assert "Title:     Approved" in cli.ok("catalog show production-catalog").out


def test_tables_are_for_people(kept: Cli) -> None:
    shown = [kept.ok(f"catalog {line}").out for line in ("servers", "categories", "tools")]
    check_golden("catalog", "\n".join(shown))


def test_a_name_in_two_namespaces_is_asked_for(cli: Cli) -> None:
    path = str(cli.file("registry.json", PRODUCTION))
    for namespace in ("a", "b"):
        cli.ok("registry", "add", "corp", "--file", path, "-n", namespace)
    refused = cli("catalog servers corp")
    assert (refused.code, "Did you mean: a/corp, b/corp?" in refused.err) == (2, True), refused.err
    assert cli.ok("catalog servers b/corp -o name").out == cli.ok("catalog servers corp -n a -o name").out  # fmt: skip
    for first in ("a/corp", "b/corp"):
        cli.environ["THV_REGISTRY_ORDER"] = first
        shown = cli.ok("catalog servers --tool osv-query -o json").json["items"]
        assert [f"{each['registry_info']['namespace']}/corp" for each in shown] == [first]


def test_a_folder_that_cannot_be_written_is_named(cli: Cli) -> None:
    path = str(cli.file("registry.json", PRODUCTION))
    cli.ok("registry", "add", "corp", "--file", path)
    (cli.data / "catalog").write_text("something else")
    refused = cli("catalog servers")
    assert (refused.code, "the catalog cannot be prepared in" in refused.err) == (10, True), refused.err  # fmt: skip
    assert cli.ok("catalog list -o name").out == "mcpregistry/corp\n"


def test_an_address_of_one_registry_is_no_catalog(away: Cli) -> None:
    url = away.environ["THV_SERVER"]
    refused = away("catalog", "list", "--server", f"{url}/r/default/official")
    assert (refused.code, "is not the address of a catalog" in refused.err) == (5, True)
    assert away("catalog list --server http://127.0.0.1:1").code == 10


@pytest.mark.requirement("CAT-03", "CAT-07", "CAT-11")
def test_an_export_is_edited_and_generated(kept: Cli, tmp_path: Path) -> None:
    request = tmp_path / "request.json"
    kept.ok("catalog", "export", "osv-scanner", "--output", str(request))
    body = json.loads(request.read_bytes())
    body["servers"][0]["configuration"]["tool_overrides"] = {"osv-query": {"name": "ask"}}
    body["servers"][0]["configuration"]["tools_filter"] = ["ask"]
    body["metadata"]["namespace"] = "customer"
    request.write_text(json.dumps(body))
    made = kept.ok("catalog", "generate", "-f", str(request)).out
    assert "namespace: other" in kept.ok("catalog", "generate", "-f", str(request), "-n", "other").out  # fmt: skip
    config_map, tool_config, registry = yaml.safe_load_all(made)
    (entry,) = json.loads(config_map["data"]["registry.json"])["servers"].values()
    assert entry["tools"] == ["ask"]
    assert tool_config["spec"]["toolsFilter"] == ["ask"]
    assert (registry["metadata"]["name"], registry["metadata"]["namespace"]) == (
        "osv-scanner-registry",
        "customer",
    )


@pytest.mark.requirement("CAT-07")
def test_generating_again_shows_what_is_different(kept: Cli, tmp_path: Path) -> None:
    words = ("catalog", "generate", "--registry-name", "mine", "--output", str(tmp_path / "out"))
    first = kept.ok(*words, "--server", "osv-scanner", "--server", "notes")
    assert first.out == f"{tmp_path}/out/mine.yaml\n"
    before = (tmp_path / "out" / "mine.yaml").read_bytes()
    kept.ok(*words, "--server", "osv-scanner", "--server", "notes")
    assert (tmp_path / "out" / "mine.yaml").read_bytes() == before
    again = kept.ok(*words, "--server", "osv-scanner")
    check_golden("catalog_generate_again", again.err.replace(str(tmp_path), ""))
    assert (tmp_path / "out" / "mine.images.txt").read_text() == "ghcr.io/stackloklabs/osv-mcp/server:0.1.3\n"  # fmt: skip
    copies = tmp_path / "out" / "mine.images-to-copy.txt"
    kept.ok(*words, "--server", "osv-scanner", "--image-registry", "mirror.corp/mcp")
    assert copies.read_text() == "ghcr.io/stackloklabs/osv-mcp/server:0.1.3 mirror.corp/mcp/stackloklabs/osv-mcp/server:0.1.3\n"  # fmt: skip
    kept.ok(*words, "--server", "osv-scanner")
    assert not copies.exists()


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("catalog generate", 2, "nothing is chosen"),
        ("catalog generate --server notes --server osv-scanner", 2, "a registry of several servers needs a name"),
        ("catalog generate -f nowhere.json", 5, "nowhere.json"),
        ("catalog generate --server notes --image-registry https://x", 2, "is no registry such as"),
        ("catalog export notes --output /nowhere/x", 5, "there is no folder"),
        ("catalog generate --server notes --registry-name ../x --output out", 2, ""),
        ("catalog export notes --tool nope", 2, "must be a tool of the server: read, write"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_says_what_to_do(kept: Cli, line: str, code: int, said: str) -> None:
    ran = kept(line)
    assert (ran.code, said in ran.err) == (code, True), ran.err


@pytest.mark.parametrize("content", ["", "[]", "servers: 1", "{", "a: &a [*a]"])
def test_a_file_that_is_no_request_is_said_to_be_none(kept: Cli, content: str) -> None:
    ran = kept("catalog generate -f -", stdin=content)
    assert (ran.code, "is no request for a registry" in ran.err) == (1, True), ran.err


@pytest.mark.requirement("OPS-01")
def test_a_service_that_asks_nobody_who_they_are_synchronizes_for_nobody(away: Cli) -> None:
    path = "/api/v1/registries/production/sync"
    request = urllib.request.Request(away.environ["THV_SERVER"] + path, method="POST")
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=30)
    with caught.value as refused:
        assert (refused.code, json.load(refused)["error"]["code"]) == (401, "UNAUTHENTICATED")


class _Stranger(BaseHTTPRequestHandler):
    """A service that answers as it likes."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        answer = {
            "registry": {"name": "../../evil"},
            "manifests": [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}}],
            "images": [
                {"image": "ghcr.io/a/b:1", "source": "x\nevil.example/x registry.corp/y"},
                {"image": "a\nevil.example/x registry.corp/y", "source": "ghcr.io/a/b:1"},
            ],
            "warnings": [],
        }
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    def log_message(self, *_: object) -> None:
        pass


def test_a_service_decides_neither_where_files_are_written_nor_what_is_copied(
    kept: Cli, tmp_path: Path
) -> None:
    folder = tmp_path / "deep" / "er" / "out"
    with HTTPServer(("127.0.0.1", 0), _Stranger) as stranger:
        thread = threading.Thread(target=stranger.handle_request)
        thread.start()
        user = replace(kept, environ={"THV_SERVER": f"http://127.0.0.1:{stranger.server_port}"})
        user.ok("catalog", "generate", "--server", "x", "--registry-name", "mine", "--output", str(folder))  # fmt: skip
        thread.join()
    assert {path for path in tmp_path.rglob("*") if path.is_file()} == {
        folder / "mine.yaml",
        folder / "mine.images.txt",
    }
    assert (folder / "mine.images.txt").read_text() == "ghcr.io/a/b:1\n"
