"""`thv serve` as a process: one file, a data folder, and what may go wrong."""

from __future__ import annotations

import json
import re
import signal
import socket
import ssl
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.apps.kit.access_files import a_token
from tests.apps.kit.issuer import AUDIENCE, an_issuer
from tests.apps.standalone.process import Process, names, run
from tests.git_server import certificate_for
from thv.apps.kit.home import Home, LoopLock
from thv.formats.tokens import AccessFile, Binding, Issuer, Token, render_access

pytestmark = pytest.mark.e2e


def document(*servers: str) -> str:
    entries = {
        name: {
            "image": f"ghcr.io/example/{name}:1.0.0",
            "description": f"Does {name}.",
            "transport": "stdio",
            "tier": "Community",
            "status": "Active",
            "tools": ["run"],
        }
        for name in servers
    }
    return json.dumps({"version": "1.0.0", "last_updated": "", "servers": entries})


def manifest(name: str, path: Path, *, namespace: str = "default", **api: Any) -> str:
    spec = {"source": {"type": "file", "file": {"path": str(path)}}, "api": api}
    return json.dumps(
        {
            "apiVersion": "toolhive.stacklok.io/v1alpha1",
            "kind": "MCPRegistry",
            "metadata": {"name": name, "namespace": namespace},
            "spec": spec,
        }
    )


@pytest.mark.requirement("API-02", "REG-06")
def test_one_file_is_served_at_the_root(tmp_path: Path) -> None:
    (tmp_path / "mine.json").write_text(document("alpha", "beta"))
    with Process(tmp_path, "serve", "--registry-file", "mine.json", "--port", "0") as server:
        assert names(server.until_served("/api/v1/servers")) == ["alpha", "beta"]
        official = server.get("/v0.1/servers").json
        assert [item["server"]["version"] for item in official["servers"]] == ["1.0.0", "1.0.0"]
        assert server.get("/r/default/mine/api/v1/servers").status == 404
        assert server.end(signal.SIGTERM) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["mine.json"]


def test_with_a_certificate_it_speaks_https(tmp_path: Path) -> None:
    (tmp_path / "mine.json").write_text(document("alpha"))
    certificate, key = certificate_for(tmp_path / "tls", "localhost")
    files = ("--tls-cert", str(certificate), "--tls-key", str(key))
    with Process(
        tmp_path, "serve", "--registry-file", "mine.json", "--port", "0", *files
    ) as server:
        found = server.until(lambda: re.search(r"https://127\.0\.0\.1(:\d+)", server.said))
        context = ssl.create_default_context(cafile=str(certificate))
        url = f"https://localhost{found[1]}/healthz"
        with urllib.request.urlopen(url, context=context, timeout=30) as answer:
            assert answer.status == 200
            assert answer.headers["strict-transport-security"]
        assert server.end(signal.SIGTERM) == 0


@pytest.mark.requirement("SYN-02")
def test_an_edit_of_the_file_is_served_and_a_broken_one_is_not(tmp_path: Path) -> None:
    file = tmp_path / "mine.json"
    file.write_text(document("alpha"))
    with Process(tmp_path, "serve", "--registry-file", "mine.json", "--port", "0") as server:
        server.until_served("/api/v1/servers/alpha")
        file.write_text("{")
        server.until(lambda: "the document is not valid JSON" in server.said)
        assert names(server.get("/api/v1/servers")) == ["alpha"]
        file.write_text(document("alpha", "beta"))
        server.until_served("/api/v1/servers/beta")
        assert "+1 ~0 -0" in server.said


@pytest.mark.requirement("OPS-05")
def test_a_killed_server_answers_again_at_once(tmp_path: Path) -> None:
    file, data = tmp_path / "mine.json", ("--data", "data")
    file.write_text(document("alpha"))
    (tmp_path / "r.json").write_text(manifest("mine", file))
    assert run(tmp_path, *data, "apply", "-f", "r.json").returncode == 0
    with Process(tmp_path, "serve", *data, "--port", "0") as server:
        first = server.until_served("/r/default/mine/api/v1/servers")
        server.end(signal.SIGKILL)
    file.unlink()
    with Process(tmp_path, "serve", *data, "--port", "0") as server:
        again = server.until_served("/r/default/mine/api/v1/servers")
        assert again.headers["etag"] == first.headers["etag"]
        server.until(lambda: "default/mine: " in server.said)
        assert names(server.get("/r/default/mine/api/v1/servers")) == ["alpha"]


def test_a_port_that_is_taken_is_named_with_its_holder(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = run(tmp_path, "serve", "--port", str(port))
    assert done.returncode == 6
    assert f"port {port} of 127.0.0.1 is taken by " in done.stderr
    assert f"thv serve --port {port + 1}" in done.stderr


def test_two_processes_do_not_synchronize_one_folder(tmp_path: Path) -> None:
    with Process(tmp_path, "serve", "--data", "data", "--port", "0") as first:
        port = first.port
        second = run(tmp_path, "serve", "--data", "data", "--port", "0")
        assert second.returncode == 6
        assert f"thv (pid {first.pid}) on port {port} already synchronizes" in second.stderr
        with Process(tmp_path, "serve", "--data", "data", "--port", "0", "--read-only") as reader:
            assert reader.until_served("/v0.1/servers").json["servers"] == []


def test_a_server_serves_while_a_command_synchronizes_and_takes_over_afterwards(
    tmp_path: Path,
) -> None:
    file = tmp_path / "mine.json"
    file.write_text(document("alpha"))
    data = tmp_path / "data"
    assert (
        run(tmp_path, "--data", "data", "registry", "add", "mine", "--file", "mine.json").returncode
        == 0
    )
    lock = LoopLock(Home(data))
    assert lock.acquire("thv registry sync (pid 1)")
    with Process(tmp_path, "serve", "--data", "data", "--port", "0") as server:
        assert names(server.until_served("/r/default/mine/api/v1/servers")) == ["alpha"]
        lock.release()
        file.write_text(document("alpha", "beta"))
        server.until_served("/r/default/mine/api/v1/servers/beta")


@pytest.mark.requirement("OPS-06")
def test_beyond_this_machine_only_what_is_open_to_everybody_is_read(tmp_path: Path) -> None:
    file = tmp_path / "mine.json"
    file.write_text(document("alpha"))
    apis: dict[str, dict[str, Any]] = {"open": {"anonymousRead": True}, "closed": {}}
    for name, api in apis.items():
        (tmp_path / f"{name}.json").write_text(manifest(name, file, **api))
        assert run(tmp_path, "--data", "data", "apply", "-f", f"{name}.json").returncode == 0
    listen = ("--data", "data", "--listen", "0.0.0.0:0")
    with Process(tmp_path, "serve", *listen) as server:
        server.until_served("/r/default/open/api/v1/servers")
        closed = server.get("/r/default/closed/api/v1/servers")
        unknown = server.get("/r/default/unknown/api/v1/servers")
        assert (closed.status, unknown.status) == (401, 401)
        assert closed.json["error"]["message"] == unknown.json["error"]["message"]
        assert [i["_meta"] for i in server.get("/v0.1/servers").json["servers"]] != []
    with Process(tmp_path, "serve", *listen, "--anonymous-read") as server:
        server.until_served("/r/default/closed/api/v1/servers")


@pytest.mark.requirement("API-05", "OPS-01")
def test_an_access_file_tells_who_reads_what_and_counts_as_soon_as_it_changes(
    tmp_path: Path,
) -> None:
    file = tmp_path / "mine.json"
    file.write_text(document("alpha"))
    for space in ("blue", "red"):
        (tmp_path / "r.json").write_text(manifest("mine", file, namespace=space))
        assert run(tmp_path, "--data", "data", "apply", "-f", "r.json").returncode == 0
    access = tmp_path / "data" / "tokens.yaml"
    write_access(access, a_token("of-bea", "bea", "toolhive-registry-user@blue"))
    blue, red = "/r/blue/mine/api/v1/servers", "/r/red/mine/api/v1/servers"
    bea = {"Authorization": "Bearer of-bea"}
    with Process(tmp_path, "serve", "--data", "data", "--port", "0") as server:
        assert names(server.until_served(blue, **bea)) == ["alpha"]
        assert "as data/tokens.yaml says" in server.said
        assert server.get(blue).status == 401
        refused = server.get(red, **bea)
        assert (refused.status, refused.json["error"]["code"]) == (403, "NAMESPACE_ACCESS_DENIED")
        write_access(access, a_token("of-bea", "bea", "toolhive-registry-user@red"))
        server.until_served(red, **bea)
        assert server.get(blue, **bea).status == 403
        about = "/.well-known/oauth-protected-resource"
        assert server.get(about).status == 404
        with an_issuer() as issuer:
            binding = Binding(user="oidc:ida", role="toolhive-registry-user", namespace="blue")
            trusted = Issuer(url=issuer.url, audiences=(AUDIENCE,))
            put_access(access, AccessFile(issuers=(trusted,), bindings=(binding,)))
            ida = {"Authorization": f"Bearer {issuer.token(sub='ida')}"}
            server.until_served(blue, **ida)
            assert server.get("/api/v1/me", **ida).json["user"] == "oidc:ida"
            assert (server.get(red, **ida).status, server.get(red, **bea).status) == (403, 401)
            assert server.get(about).json == {
                "resource": f"http://127.0.0.1:{server.port}",
                "bearer_methods_supported": ["header"],
                "scopes_supported": ["mcp-registry:read"],
                "authorization_servers": [issuer.url],
            }
        write_access(access, a_token("of-bea", "bea", "toolhive-registry-user@red"))
        server.until_served(red, **bea)
        access.chmod(0o644)
        server.until(lambda: server.get(red, **bea).status == 503)
        assert "its mode is 0644; others may use it" in server.said
    refused_start = run(tmp_path, "serve", "--data", "data", "--port", "0")
    assert refused_start.returncode == 2
    assert "chmod 600 data/tokens.yaml" in refused_start.stderr


def write_access(path: Path, *tokens: Token) -> None:
    put_access(path, AccessFile(tokens=tokens))


def put_access(path: Path, file: AccessFile) -> None:
    draft = path.with_suffix(".draft")
    draft.touch(mode=0o600)
    draft.write_bytes(render_access(file))
    draft.replace(path)


@pytest.mark.parametrize(
    ("flags", "code", "words"),
    [
        (("--registry-file", "gone.json"), 5, "there is no file gone.json"),
        (("--registry", "gone"), 5, 'there is no registry "gone"'),
        (("--registry", "a", "--registry-file", "b"), 2, "exclude each other"),
        (("--listen", "here"), 2, '"here" is no address to listen on'),
        (("--listen", "192.0.2.1:8080"), 2, "cannot listen on 192.0.2.1:8080"),
        (
            ("--token-file", "gone.yaml"),
            2,
            "the access file gone.yaml cannot be used: there is none",
        ),
        (("--token-file", "x", "--anonymous-read"), 2, "exclude each other"),
        (("--tls-cert", "x"), 2, "only one of --tls-cert and --tls-key is set"),
        (("--tls-cert", "x", "--tls-key", "y"), 2, "the certificate x with the key y cannot be"),
        (("--fetch-backoff", "soon"), 2, '"soon" is no duration'),
        (("--allow", "a:b:c"), 2, '"a:b:c" is no entry of the form host:port'),
    ],
)
def test_wrong_flags_are_refused(
    tmp_path: Path, flags: tuple[str, ...], code: int, words: str
) -> None:
    done = run(tmp_path, "serve", "--port", "0", *flags)
    if "--listen" in flags:
        done = run(tmp_path, "serve", *flags)
    assert done.returncode == code
    assert words in done.stderr
    assert "Try:" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_environment_is_read(tmp_path: Path) -> None:
    assert "THV_PORT" in run(tmp_path, "serve", THV_PORT="many").stderr
