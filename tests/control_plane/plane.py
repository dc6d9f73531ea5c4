"""A real Kubernetes control plane for tests: etcd, kube-apiserver and kube-controller-manager on loopback.

Nothing is simulated: authentication, RBAC, admission, garbage collection and Deployments are Kubernetes' own. Nodes are
missing; `tests.control_plane.kubelet` stands in for one.
"""

from __future__ import annotations

import http.client
import itertools
import os
import shutil
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec

from tests.control_plane.binaries import Binaries
from tests.control_plane.certificates import Authority, Certificate, signing_key

START = 60.0
"""Seconds that a part has to answer."""

Part = Literal["etcd", "kube-apiserver", "kube-controller-manager"]
Done = subprocess.CompletedProcess[str]
Json = dict[str, Any]

_CONTROLLERS = (
    "garbage-collector-controller",
    "namespace-controller",
    "serviceaccount-controller",
    "root-ca-certificate-publisher-controller",
    "deployment-controller",
    "replicaset-controller",
    "job-controller",
    "disruption-controller",
    "resourcequota-controller",
    "clusterrole-aggregation-controller",
)
_ISSUER = "https://kubernetes.default.svc"
_API, _ETCD = 6443, 2379
_LOCK = 32768
_ENVIRONMENT = {**os.environ, "GOGC": "400"}
"""Memory for time: a tenth of what these programs do is to look for memory that they need no more."""
_WIDTH = 4096
"""Addresses of Services, and of pods, that one control plane has."""


class Range(NamedTuple):
    """The addresses that a control plane has for itself; others run on this machine at the same time."""

    number: int
    lock: socket.socket

    @property
    def services(self) -> str:
        return f"{_address(96, self.number * _WIDTH)}/20"

    @property
    def own(self) -> str:
        """Where the control plane itself listens; no Service ever has this one."""
        return _address(96, self.number * _WIDTH)

    @property
    def first_service(self) -> str:
        """The address of the Service `kubernetes`."""
        return _address(96, self.number * _WIDTH + 1)

    def pod(self, number: int) -> str:
        """The address of the n-th pod."""
        return _address(97, self.number * _WIDTH + 1 + number % (_WIDTH - 2))


class PlaneError(Exception):
    """A part of the control plane does not do what it should."""


class ControlPlane:
    """A running control plane; made by `control_plane_in`."""

    def __init__(self, binaries: Binaries, folder: Path, addresses: Range) -> None:
        self.binaries = binaries
        self.folder = folder
        self.addresses = addresses
        self.host = addresses.own
        self.port = _API
        self.url = f"https://{self.host}:{self.port}"
        self._etcd = f"http://{self.host}:{_ETCD}"
        self.authority = Authority(folder / "certificates")
        self.ca_file = self.authority.files.certificate
        self._processes: dict[Part, subprocess.Popen[bytes]] = {}
        self._numbers = itertools.count(1)
        self._write_certificates()
        self._admin = self._client("admin", "admin", "system:masters")
        self.kubeconfig = self._kubeconfig("admin", self._admin)
        self.tls = ssl.create_default_context(cafile=str(self.ca_file))
        self.tls.load_cert_chain(self._admin.certificate, self._admin.key)

    # ------------------------------------------------------------ for tests
    def kubectl(
        self, *arguments: str, stdin: str | bytes = "", kubeconfig: Path | None = None
    ) -> Done:
        """What the command says, whether it succeeds or not."""
        caller = kubeconfig or self.kubeconfig
        options = ("--kubeconfig", str(caller), "--cache-dir", str(self.folder / "discovery"))
        return subprocess.run(
            [self.binaries.path("kubectl"), *options, *arguments],
            env=_ENVIRONMENT,
            input=stdin.decode() if isinstance(stdin, bytes) else stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def await_kinds(self, *named: str) -> None:
        """Until kinds that were just applied are served; `-f FOLDER` or names, as kubectl takes them.

        kubectl itself fails, instead of waiting, on a kind that is so new that it has no conditions yet.
        """
        for _ in range(10):
            done = self.kubectl("wait", "--for=condition=Established", "--timeout=60s", *named)
            if done.returncode == 0:
                return
        raise PlaneError(done.stderr)

    def request(self, method: str, path: str, body: Json | None = None) -> Json:
        """One request as cluster admin, without the cost of a process; fails unless it succeeds."""
        status, said = self._request(method, path, body)
        if status >= 400:
            raise PlaneError(f"{method} {path}: {status} {said[:500].decode()}")
        parsed: Json = msgspec.json.decode(said)
        return parsed

    def user(self, name: str, groups: Sequence[str] = ()) -> Path:
        """A kubeconfig of a person who has a client certificate and no rights of their own."""
        file = f"user-{next(self._numbers)}"
        return self._kubeconfig(file, self._client(file, name, *groups))

    def service_account(
        self, namespace: str, name: str, *, audiences: Sequence[str] = (), seconds: int = 7200
    ) -> Path:
        """A kubeconfig of a ServiceAccount that exists, with a token of its own."""
        token = self.token(namespace, name, audiences=audiences, seconds=seconds)
        return self._write_kubeconfig(f"account-{next(self._numbers)}", {"token": token})

    def token(
        self, namespace: str, name: str, *, audiences: Sequence[str] = (), seconds: int = 7200
    ) -> str:
        """A token of a ServiceAccount; without audiences it is one for the API server."""
        spec: Json = {"expirationSeconds": seconds, "audiences": list(audiences)}
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
        made = self.request("POST", path, {"spec": spec})
        return str(made["status"]["token"])

    def trust_issuers(self, *issuers: Json) -> None:
        """Whose tokens are taken beside its own: entries of `jwt`, as an AuthenticationConfiguration has them.

        The API server reads them again by itself, which takes a moment.
        """
        document = {
            "apiVersion": "apiserver.config.k8s.io/v1beta1",
            "kind": "AuthenticationConfiguration",
            "jwt": list(issuers),
        }
        draft = self._authentication.with_suffix(".draft")
        draft.write_bytes(msgspec.json.encode(document))
        draft.replace(self._authentication)

    @property
    def _authentication(self) -> Path:
        return self.folder / "authentication.json"

    def service_url(self, namespace: str, name: str) -> str:
        """Where the first port of a Service is reached: `http://127.96.4.2:8080`."""
        spec = self.request("GET", f"/api/v1/namespaces/{namespace}/services/{name}")["spec"]
        return f"http://{spec['clusterIP']}:{spec['ports'][0]['port']}"

    def await_path(self, path: str) -> None:
        """Until an object is there that a controller makes; there is none without controllers."""
        if self.binaries.has_manager:
            self._await(path, lambda: self._request("GET", path)[0] == 200)

    def log(self, part: Part) -> str:
        """What a part has written so far."""
        return self._log(part).read_text(errors="replace")

    # ------------------------------------------------------------ faults
    def stop_api(self) -> None:
        """The API server is gone at once, as if its machine lost power; connections are refused.

        The controllers go with it: left alone they would back off, and sleep for minutes once it is back.
        """
        self._kill("kube-controller-manager")
        self._kill("kube-apiserver")

    def start_api(self) -> None:
        """Comes back at the same address once it answers."""
        self._start("kube-apiserver", *self._api_options())
        self._await_ready()
        if self.binaries.has_manager:
            self._start("kube-controller-manager", *self._manager_options())

    def pause(self, part: Part) -> None:
        """The part keeps its connections and answers nobody."""
        self._processes[part].send_signal(signal.SIGSTOP)

    def resume(self, part: Part) -> None:
        self._processes[part].send_signal(signal.SIGCONT)

    # ------------------------------------------------------------ life
    def start(self) -> None:
        self._start("etcd", *self._etcd_options())
        self.start_api()
        if self.binaries.has_manager:
            self.await_path("/api/v1/namespaces/default/serviceaccounts/default")

    def end(self) -> None:
        for part in reversed(list(self._processes)):
            self._kill(part)

    def _write_certificates(self) -> None:
        service = f"IP:{self.addresses.first_service}"
        names = ("DNS:kubernetes.default.svc", "DNS:kubernetes.default", "DNS:localhost")
        self._server = self.authority.server("kube-apiserver", f"IP:{self.host}", service, *names)
        self._tokens = signing_key(self.folder / "certificates")
        self.trust_issuers()
        manager = self._client("manager", "system:kube-controller-manager")
        self._manager = self._kubeconfig("manager", manager)

    def _client(self, file: str, name: str, *groups: str) -> Certificate:
        return self.authority.client(file, name, *groups)

    def _kubeconfig(self, file: str, client: Certificate) -> Path:
        files = {"client-certificate": str(client.certificate), "client-key": str(client.key)}
        return self._write_kubeconfig(file, files)

    def _write_kubeconfig(self, name: str, credential: Json) -> Path:
        cluster = {"server": self.url, "certificate-authority": str(self.ca_file)}
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": cluster}],
            "users": [{"name": name, "user": credential}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": name}}],
            "current-context": "test",
        }
        path = self.folder / f"{name}.kubeconfig"
        path.write_bytes(msgspec.json.encode(document))
        path.chmod(0o600)
        return path

    def _etcd_options(self) -> tuple[str, ...]:
        peer = f"http://{self.host}:{_ETCD + 1}"
        return (
            f"--data-dir={self.folder / 'etcd'}",
            f"--listen-client-urls={self._etcd}",
            f"--advertise-client-urls={self._etcd}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            "--unsafe-no-fsync",
        )

    def _api_options(self) -> tuple[str, ...]:
        return (
            f"--etcd-servers={self._etcd}",
            f"--bind-address={self.host}",
            f"--external-hostname={self.host}",
            f"--advertise-address={self.host}",
            f"--secure-port={self.port}",
            f"--tls-cert-file={self._server.certificate}",
            f"--tls-private-key-file={self._server.key}",
            f"--client-ca-file={self.ca_file}",
            f"--authentication-config={self._authentication}",
            "--authorization-mode=RBAC",
            f"--service-account-issuer={_ISSUER}",
            f"--service-account-key-file={self._tokens.certificate}",
            f"--service-account-signing-key-file={self._tokens.key}",
            f"--service-cluster-ip-range={self.addresses.services}",
            "--endpoint-reconciler-type=none",  # loopback is no address of an endpoint
            "--allow-privileged=false",
        )

    def _manager_options(self) -> tuple[str, ...]:
        return (
            f"--kubeconfig={self._manager}",
            "--use-service-account-credentials",
            f"--service-account-private-key-file={self._tokens.key}",
            f"--root-ca-file={self.ca_file}",
            "--kube-api-qps=500",
            "--kube-api-burst=1000",
            "--leader-elect=false",
            f"--controllers={','.join(_CONTROLLERS)}",
            "--secure-port=0",
        )

    def _start(self, part: Part, *options: str) -> None:
        # Whatever happens to the tests, nothing of this outlives them.
        command = ["setpriv", "--pdeathsig", "KILL", "--", self.binaries.path(part), *options]
        with self._log(part).open("ab") as log:
            self._processes[part] = subprocess.Popen(
                command,
                env=_ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _kill(self, part: Part) -> None:
        process = self._processes.pop(part, None)
        if process is not None:
            process.kill()
            process.wait()

    def _log(self, part: Part) -> Path:
        return self.folder / f"{part}.log"

    def _await_ready(self) -> None:
        self._await("kube-apiserver to be ready", lambda: self._request("GET", "/readyz")[0] == 200)

    def _await(self, what: str, holds: Callable[[], bool]) -> None:
        until = time.monotonic() + START
        while time.monotonic() < until:
            for part, process in self._processes.items():
                if process.poll() is not None:
                    raise PlaneError(f"{part} ended:\n{self.log(part)[-2000:]}")
            try:
                if holds():
                    return
            except OSError:
                pass  # it does not listen yet
            time.sleep(0.02)
        raise PlaneError(f"waited {START:.0f} s for {what}:\n{self.log('kube-apiserver')[-2000:]}")

    def _request(self, method: str, path: str, body: Json | None = None) -> tuple[int, bytes]:
        connection = http.client.HTTPSConnection(self.host, self.port, context=self.tls, timeout=30)
        try:
            content = None if body is None else msgspec.json.encode(body)
            connection.request(method, path, content, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()


@contextmanager
def control_plane_in(folder: Path, binaries: Binaries) -> Iterator[ControlPlane]:
    """A control plane that keeps everything in a folder; it is gone when the block ends."""
    with _addresses() as addresses:
        plane = ControlPlane(binaries, folder, addresses)
        try:
            plane.start()
            yield plane
        finally:
            plane.end()
            shutil.rmtree(folder / "etcd", ignore_errors=True)


@contextmanager
def _addresses() -> Iterator[Range]:
    """Holds a socket of the range as long as it is used: the end of a process gives it free."""
    for number in range(65536 // _WIDTH):
        with socket.socket() as lock:
            try:
                lock.bind((_address(96, number * _WIDTH), _LOCK))
            except OSError:
                continue
            yield Range(number, lock)
            return
    raise PlaneError("every range of Service addresses is taken by another control plane")


def _address(second: int, number: int) -> str:
    return f"127.{second}.{number >> 8}.{number & 255}"
