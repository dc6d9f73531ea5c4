"""What an administrator decides reaches the pods of an operator; certificates and credentials change while they serve."""

from __future__ import annotations

import base64
import http.client
import http.server
import json
import shutil
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, NamedTuple
from urllib.parse import urlsplit

import pytest

from tests.apps.operator.conftest import SYSTEM
from tests.apps.operator.test_whole import READY, content, entry, registry, until
from tests.charts.conftest import helm, helm_program
from tests.charts.helm import Helm
from tests.control_plane.certificates import Authority, Certificate
from tests.control_plane.cluster import Cluster, Place
from tests.control_plane.fixtures import namespace_in
from tests.control_plane.plane import Json
from tests.metrics.prometheus import prometheus

__all__ = ["helm", "helm_program"]
pytestmark = pytest.mark.e2e

OPERATOR = "deployment/toolhive-registry-operator"
ORIGIN = "https://portal.example"
METRICS = 8081


class Places(NamedTuple):
    served: Place
    elsewhere: Place


class Spans(http.server.BaseHTTPRequestHandler):
    """A collector of OpenTelemetry."""

    taken: ClassVar[list[Json]] = []

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        for group in body["resourceSpans"]:
            for scope in group["scopeSpans"]:
                self.taken.extend(scope["spans"])
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextmanager
def listening(handler: type[http.server.BaseHTTPRequestHandler]) -> Iterator[str]:
    """The address of a server on loopback."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def collector() -> Iterator[str]:
    """Where traces go."""
    with listening(Spans) as address:
        yield address


@pytest.fixture(scope="module")
def places(operated: Cluster, collector: str) -> Iterator[Places]:
    """Two namespaces whose APIs speak HTTPS and are told what else an administrator may say."""
    with namespace_in(operated.plane) as one, namespace_in(operated.plane) as other:
        given = {
            "THV_API_TLS_SECRET": "api-tls",
            "THV_API_CORS_ORIGINS": ORIGIN,
            "THV_API_LOG_LEVEL": "DEBUG",
            "THV_TRACES": collector,
            "THV_TRACES_RATIO": "0",
            "THV_API_PODS": json.dumps({"podLabels": {"team": "platform"}}),
            "THV_NAMESPACES": f"{one},{other}",
            "THV_ALLOW": f"127.0.0.1:*,corp-api.{one}.svc:8080",
        }
        system = Place(operated, SYSTEM)
        tell(system, *(f"{variable}={value}" for variable, value in given.items()))
        try:
            yield Places(Place(operated, one), Place(operated, other))
        finally:
            tell(system, *(f"{variable}-" for variable in given))


@pytest.fixture(scope="module")
def place(places: Places) -> Place:
    found = places.served
    found.kubectl(
        "label", "namespace", found.namespace, "pod-security.kubernetes.io/enforce=restricted"
    )
    return found


def tell(system: Place, *words: str) -> None:
    """Sets variables of the operator, or with `-` at their end removes them."""
    system.kubectl("set", "env", OPERATOR, *words)
    system.kubectl("rollout", "status", OPERATOR, "--timeout=90s")


class Issuer(NamedTuple):
    """Makes certificates for the APIs of a namespace."""

    authority: Authority
    namespace: str

    def certificate(self, number: int) -> Certificate:
        return self.authority.server(f"number-{number}", f"DNS:*.{self.namespace}.svc")

    def secret(self, number: int) -> Json:
        """As cert-manager makes it."""
        made = self.certificate(number)
        files = {
            "tls.crt": made.certificate,
            "tls.key": made.key,
            "ca.crt": self.authority.files.certificate,
        }
        data = {name: base64.b64encode(file.read_bytes()).decode() for name, file in files.items()}
        head = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "api-tls"}}
        return {**head, "type": "kubernetes.io/tls", "data": data}

    @property
    def roots(self) -> str:
        return self.authority.files.certificate.read_text()


@pytest.fixture(scope="module")
def issuer(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Issuer:
    return Issuer(Authority(tmp_path_factory.mktemp("authority")), place.namespace)


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: str
    shown: str
    """The name that the certificate was made for."""


class Client:
    """Trusts an authority, and asks by the names that certificates hold."""

    def __init__(self, place: Place, issuer: Issuer) -> None:
        self._place = place
        self._context = ssl.create_default_context(cadata=issuer.roots)

    def ask(self, service: str, path: str, method: str = "GET", **headers: str) -> Answer:
        where = urlsplit(self._place.url(service))
        assert where.hostname is not None
        return self.ask_at((where.hostname, where.port or 443), service, path, method, **headers)

    def ask_at(
        self, at: tuple[str, int], service: str, path: str, method: str = "GET", **headers: str
    ) -> Answer:
        connection = _Connection(at, f"{service}.{self._place.namespace}.svc", self._context)
        try:
            connection.request(method, path, headers=headers)
            answer = connection.getresponse()
            return Answer(
                answer.status,
                dict(answer.headers.items()),
                answer.read().decode(),
                connection.shown,
            )
        finally:
            connection.close()

    def names(self, service: str) -> list[str]:
        servers: dict[str, Any] = json.loads(self.ask(service, "/api/v1/servers").body)
        return sorted(server["name"].rpartition("/")[2] for server in servers["servers"])


class _Connection(http.client.HTTPSConnection):
    """To an address, under a name."""

    def __init__(self, at: tuple[str, int], name: str, context: ssl.SSLContext) -> None:
        super().__init__(*at, timeout=30, context=context)
        self._name = name
        self._trusting = context

    def connect(self) -> None:
        http.client.HTTPConnection.connect(self)
        self.sock = self._trusting.wrap_socket(self.sock, server_hostname=self._name)

    @property
    def shown(self) -> str:
        assert isinstance(self.sock, ssl.SSLSocket)
        certificate = self.sock.getpeercert() or {}
        subject: Any = certificate["subject"]
        return str(dict(pair for (pair,) in subject)["commonName"])


@pytest.fixture(scope="module")
def client(place: Place, issuer: Issuer) -> Client:
    return Client(place, issuer)


@pytest.fixture(scope="module")
def served(place: Place, issuer: Issuer) -> Place:
    """A registry with pods of its own and one that shares them, both over HTTPS."""
    shared = {"mode": "shared", "anonymousRead": True}
    place.apply(
        *(content("corp-data", "osv"), registry("corp")),
        *(content("team-data", "fetch"), registry("team", api=shared)),
    )
    place.wait("jsonpath={.status.apiStatus.phase}=Deploying", "mcpreg/corp")
    awaited = 'a pod begins when its namespace has the Secret "api-tls"'
    until(
        "it says what it waits for",
        lambda: awaited in place.get("mcpreg", "corp")["status"]["apiStatus"].get("message", ""),
    )
    place.apply(issuer.secret(1))
    place.wait(READY, "mcpreg/corp", "mcpreg/team", seconds=60)
    return place


@pytest.mark.requirement("API-01")
def test_with_a_secret_apis_and_their_metrics_speak_https(served: Place, client: Client) -> None:
    status = served.get("mcpreg", "corp")["status"]["apiStatus"]
    assert status["endpoint"] == f"https://corp-api.{served.namespace}.svc:8080"
    (port,) = served.get("service", "corp-api")["spec"]["ports"]
    assert (port["port"], port["name"], port["appProtocol"]) == (8080, "https", "https")
    answer = client.ask("corp-api", "/api/v1/servers")
    assert answer.headers["strict-transport-security"]
    assert (client.names("corp-api"), client.names("team-api")) == (["osv"], ["fetch"])
    for app, service in (("registry-api", "corp-api"), ("registry-api-shared", "team-api")):
        (pod,) = pods(served, app)
        figures = client.ask_at((pod["status"]["podIP"], METRICS), service, "/metrics")
        assert "thv_http_requests_total" in figures.body


def pods(place: Place, app: str) -> list[Json]:
    selector = ("-l", f"app.kubernetes.io/name={app}", "-o", "json")
    items: list[Json] = json.loads(place.kubectl("get", "pods", *selector))["items"]
    return items


@pytest.mark.requirement("OPS-03")
def test_prometheus_reads_pods_over_https_through_the_monitor_of_the_chart(
    served: Place, client: Client, helm: Helm, tmp_path: Path
) -> None:
    program = shutil.which("prometheus")
    if program is None:
        pytest.skip("prometheus is not installed (Debian, Ubuntu: apt-get install prometheus)")
    client.ask("corp-api", "/api/v1/servers")
    words = ("metrics.podMonitor.enabled=true", "api.tls.secretName=api-tls")
    rendered = helm.template(*(part for word in words for part in ("--set", word)))
    (monitor,) = [
        obj
        for obj in rendered
        if (obj["kind"], obj["metadata"]["name"]) == ("PodMonitor", "toolhive-registry-api")
    ]
    with prometheus(program, tmp_path, served.cluster.plane, [monitor], {"groups": []}) as scraping:
        ((labels, _),) = scraping.until(
            f'thv_http_requests_total{{namespace="{served.namespace}",pod=~"corp-.*",'
            'route="/api/v1/servers",method="GET",code="200"} >= 1'
        )
    assert labels["pod"].startswith("corp-api-")


def test_what_else_an_administrator_says_reaches_the_pods(served: Place, client: Client) -> None:
    asked = {"Origin": ORIGIN, "Access-Control-Request-Method": "GET"}
    allowed = client.ask("corp-api", "/api/v1/servers", "OPTIONS", **asked)
    assert (allowed.status, allowed.headers["access-control-allow-origin"]) == (204, ORIGIN)
    refused = client.ask(
        "team-api", "/api/v1/servers", "OPTIONS", **{**asked, "Origin": "https://x"}
    )
    assert refused.status == 403
    for app in ("registry-api", "registry-api-shared"):
        (pod,) = pods(served, app)
        assert pod["metadata"]["labels"]["team"] == "platform"
        (container,) = pod["spec"]["containers"]
        assert {"name": "THV_LOG_LEVEL", "value": "DEBUG"} in container["env"]


@pytest.mark.requirement("OPS-03")
def test_syncs_and_requests_of_a_trace_are_told_to_a_collector(
    served: Place, client: Client
) -> None:
    trace, parent = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
    client.ask("corp-api", "/api/v1/servers", traceparent=f"00-{trace}-{parent}-01")

    def told() -> set[str]:
        return {span["name"] for span in Spans.taken if span.get("parentSpanId", parent) == parent}

    until("both are there", lambda: told() >= {"sync", "GET /api/v1/servers"})
    (asked,) = [span for span in Spans.taken if span["traceId"] == trace]
    assert asked["parentSpanId"] == parent
    assert [span for span in Spans.taken if span["name"].startswith("GET")] == [asked]


@pytest.mark.requirement("OPS-07")
def test_a_renewed_certificate_is_taken_up_and_no_read_fails(
    served: Place, client: Client, issuer: Issuer
) -> None:
    services = ("corp-api", "team-api")
    assert {client.ask(service, "/healthz").shown for service in services} == {"number-1"}
    before = [
        pod["metadata"]["uid"]
        for app in ("registry-api", "registry-api-shared")
        for pod in pods(served, app)
    ]
    with reading(client, *services) as read:
        served.apply(issuer.secret(2))
        for service in services:
            until(
                f"{service} shows the new one",
                lambda service=service: client.ask(service, "/healthz").shown == "number-2",
            )
    print(f"{read.count} reads")
    assert read.failures == []
    assert read.count > 10
    after = [pod for app in ("registry-api", "registry-api-shared") for pod in pods(served, app)]
    assert [pod["metadata"]["uid"] for pod in after] == before
    assert [
        each["restartCount"] for pod in after for each in pod["status"]["containerStatuses"]
    ] == [0, 0]


class Reads:
    def __init__(self) -> None:
        self.count = 0
        self.failures: list[str] = []


@contextmanager
def reading(client: Client, *services: str) -> Iterator[Reads]:
    """Reads on, each time over a new connection, while the block runs."""
    found, stop = Reads(), threading.Event()

    def read() -> None:
        while not stop.is_set():
            for service in services:
                try:
                    answer = client.ask(service, "/api/v1/servers")
                except (OSError, http.client.HTTPException) as error:
                    found.failures.append(repr(error))
                    continue
                found.count += 1
                found.failures += [str(answer.status)] if answer.status != 200 else []

    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield found
    finally:
        stop.set()
        thread.join()


@pytest.mark.requirement("REG-11")
def test_a_registry_over_one_elsewhere_trusts_the_authority_that_it_names(
    served: Place, places: Places, issuer: Issuer
) -> None:
    roots = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "authority"}}
    url = {"url": f"https://corp-api.{served.namespace}.svc:8080"}
    above, stranger = (registry(name, api={"enabled": False}) for name in ("above", "stranger"))
    trusting = {**url, "caConfigMap": {"name": "authority", "key": "ca.crt"}}
    above["spec"]["source"] = {"type": "registry", "registry": trusting}
    stranger["spec"]["source"] = {"type": "registry", "registry": url}
    places.elsewhere.apply({**roots, "data": {"ca.crt": issuer.roots}}, above, stranger)
    places.elsewhere.wait(READY, "mcpreg/above")
    assert places.elsewhere.get("mcpreg", "above")["status"]["serverCount"] == 1
    code = "jsonpath={.status.syncStatus.error.code}=TLS_VERIFICATION_FAILED"
    places.elsewhere.wait(code, "mcpreg/stranger")


class Guarded(http.server.BaseHTTPRequestHandler):
    """A document for those who have the token."""

    token = ""

    def do_GET(self) -> None:
        known = self.headers["Authorization"] == f"Bearer {self.token}"
        document = {"version": "1.0.0", "servers": {self.token: entry(self.token)}}
        body = json.dumps(document).encode() if known else b""
        self.send_response(200 if known else 401)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def upstream() -> Iterator[str]:
    """The address of a document behind a token."""
    with listening(Guarded) as address:
        yield f"{address}/servers.json"


@pytest.mark.requirement("OPS-07")
def test_the_next_sync_uses_the_secret_as_it_is_then(served: Place, upstream: str) -> None:
    subject = f"--serviceaccount={SYSTEM}:toolhive-registry-operator"
    role = "--clusterrole=toolhive-registry-source-reader"
    served.kubectl("create", "rolebinding", "source-reader", role, subject)
    private = registry("private", api={"enabled": False})
    source = {"url": upstream, "authSecret": {"name": "token"}}
    private["spec"]["source"] = {"type": "url", "url": source}
    Guarded.token = "first"
    served.apply(token("first"), private)
    served.wait(READY, "mcpreg/private")
    Guarded.token = "second"
    sync(served, "two")
    status = served.get("mcpreg", "private")["status"]["syncStatus"]
    assert status["error"]["code"] == "AUTHENTICATION_FAILED"
    served.apply(token("second"))
    sync(served, "three")
    status = served.get("mcpreg", "private")["status"]
    assert "error" not in status["syncStatus"]
    assert [server["name"] for server in status["servers"]] == ["io.github.stacklok/second"]


def token(value: str) -> Json:
    head = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "token"}}
    return {**head, "stringData": {"token": value}}


def sync(place: Place, name: str) -> None:
    """Asks for one and waits for it."""
    asked = f"toolhive.stacklok.io/sync-requested-at={name}"
    place.kubectl("annotate", "--overwrite", "mcpreg", "private", asked)
    place.wait(f"jsonpath={{.status.lastHandledSyncRequest}}={name}", "mcpreg/private")
