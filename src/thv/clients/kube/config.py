"""Which cluster, as whom: from a kubeconfig or from the pod that we run in.

In the flow: called once by each door. In this order: the named kubeconfig, those of `KUBECONFIG` (several, joined
as kubectl joins them), the service account of the pod, `~/.kube/config`. Of the environment nothing else counts,
no proxies either.
"""

from __future__ import annotations

import os
import socket
import ssl
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2
import msgspec
import yaml

from thv.clients.kube.client import KubeClient, Limits, Warned, unheard
from thv.clients.kube.credentials import (
    EXEC_VERSIONS,
    Command,
    CommandAuth,
    TokenAuth,
    TokenFileAuth,
)
from thv.clients.kube.errors import KubeConfigError
from thv.clients.kube.trust import ClientCertificate, ClusterTrust, tls_of

AGENT = "toolhive-registry"
SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")

JsonObject = dict[str, Any]

_FILES = {
    "cluster": ("certificate-authority",),
    "user": ("client-certificate", "client-key", "tokenFile"),
}


class Acting(msgspec.Struct, frozen=True, kw_only=True):
    """As whom a request is to count, who asks being allowed to say so (`impersonate`)."""

    user: str = ""
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: Mapping[str, tuple[str, ...]] = msgspec.field(default_factory=dict)

    def headers(self) -> list[tuple[str, str]]:
        """As every request carries them."""
        found = [("Impersonate-User", self.user)] if self.user else []
        found += [("Impersonate-Group", group) for group in self.groups]
        found += [("Impersonate-Uid", self.uid)] if self.uid else []
        return found + [
            (f"Impersonate-Extra-{quote(key, safe='')}", value)
            for key, values in self.extra.items()
            for value in values
        ]


NOBODY_ELSE = Acting()


class Access(msgspec.Struct, frozen=True):
    """A cluster, and who we are there; the parts are those of a kubeconfig, their files named absolutely."""

    cluster: JsonObject
    user: JsonObject
    namespace: str = "default"
    origin: str = ""
    """Where this was found, for messages."""


def from_environment(
    environ: Mapping[str, str],
    *,
    kubeconfig: str = "",
    context: str = "",
    acting: Acting = NOBODY_ELSE,
    limits: Limits = Limits(),  # noqa: B008 # a frozen value
    warned: Warned = unheard,
) -> KubeClient:
    """A client of the cluster that the environment names; raises KubeConfigError when there is none.

    `acting` takes the place of what the kubeconfig says of impersonation.
    """
    access = find_access(environ, kubeconfig=kubeconfig, context=context)
    return connect(access, environ, limits, acting=acting, warned=warned)


def find_access(
    environ: Mapping[str, str],
    *,
    kubeconfig: str = "",
    context: str = "",
    service_account: Path = SERVICE_ACCOUNT,
) -> Access:
    """The cluster that the environment names; raises KubeConfigError when there is none."""
    named = kubeconfig or environ.get("KUBECONFIG", "")
    if named:
        return _from_files(_paths(named, kubeconfig), context)
    inside = None if context else _from_pod(environ, service_account)
    if inside is not None:
        return inside
    usual = Path(environ.get("HOME", "~")).expanduser() / ".kube" / "config"
    if usual.is_file():
        return _from_files([usual], context)
    raise KubeConfigError(
        f"no cluster is configured: KUBECONFIG is not set, {usual} does not exist, and this is no pod"
    )


def connect(
    access: Access,
    environ: Mapping[str, str],
    limits: Limits = Limits(),  # noqa: B008 # a frozen value
    *,
    acting: Acting = NOBODY_ELSE,
    warned: Warned = unheard,
) -> KubeClient:
    """A client with the TLS and the credentials of this access; `environ` is for credential commands."""
    cluster = _parsed(access.cluster, ClusterTrust, access)
    certificate = _parsed(access.user, ClientCertificate, access)
    auth = _auth(_parsed(access.user, _Login, access), access, environ)
    try:
        trust = tls_of(cluster, certificate)
    except (OSError, ValueError) as error:
        raise KubeConfigError(f"{access.origin}: cannot use its certificates: {error}") from error
    http = httpx2.AsyncClient(
        base_url=cluster.server,
        auth=auth,
        headers=[("User-Agent", AGENT), *_acting(access, acting).headers()],
        transport=_transport(trust, str(access.cluster.get("proxy-url") or "")),
        trust_env=False,
    )
    sni = str(access.cluster.get("tls-server-name") or "")
    return KubeClient(http, namespace=access.namespace, sni=sni, limits=limits, warned=warned)


# ---------------------------------------------------------------- a pod


def _from_pod(environ: Mapping[str, str], folder: Path) -> Access | None:
    host, port = (environ.get(f"KUBERNETES_SERVICE_{part}", "") for part in ("HOST", "PORT"))
    token = folder / "token"
    if not host or not port or not token.is_file():
        return None
    name = f"[{host}]" if ":" in host else host
    space = folder / "namespace"
    return Access(
        cluster={
            "server": f"https://{name}:{port}",
            "certificate-authority": str(folder / "ca.crt"),
        },
        user={"tokenFile": str(token)},
        namespace=space.read_text().strip() if space.is_file() else "default",
        origin=f"the service account at {folder}",
    )


# ---------------------------------------------------------------- kubeconfigs


def _paths(named: str, explicit: str) -> list[Path]:
    """A file that was named by itself must exist; of a list only some need to."""
    paths = [Path(part).expanduser() for part in named.split(os.pathsep) if part]
    found = [path for path in paths if path.is_file()]
    if not found or (explicit and len(found) < len(paths)):
        raise KubeConfigError(f"kubeconfig {named} does not exist")
    return found


def _from_files(paths: list[Path], context: str) -> Access:
    origin = os.pathsep.join(map(str, paths))
    files = [_read(path) for path in paths]
    wanted = context or next((f["current-context"] for f in files if f.get("current-context")), "")
    if not wanted:
        raise KubeConfigError(f"{origin}: no context is current; name one with --context")
    chosen = _entry(files, "context", wanted, origin)
    user_name = chosen.get("user")
    space = chosen.get("namespace")
    return Access(
        cluster=_entry(files, "cluster", chosen.get("cluster"), origin),
        user=_entry(files, "user", user_name, origin) if user_name else {},
        namespace=space if isinstance(space, str) and space else "default",
        origin=f'context "{wanted}" of {origin}',
    )


def _read(path: Path) -> JsonObject:
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise KubeConfigError(f"cannot read kubeconfig {path}: {error}") from error
    if not isinstance(content, dict):
        raise KubeConfigError(f"{path} is no kubeconfig")
    found = {word: _entries(content, word, path.parent) for word in ("cluster", "context", "user")}
    return {**found, "current-context": content.get("current-context")}


def _entries(content: JsonObject, word: str, folder: Path) -> dict[str, JsonObject]:
    listed = content.get(f"{word}s")
    named = (each for each in listed if isinstance(each, dict)) if isinstance(listed, list) else ()
    return {
        str(each.get("name")): _absolute(each[word], word, folder)
        for each in named
        if isinstance(each.get(word), dict)
    }


def _absolute(entry: JsonObject, word: str, folder: Path) -> JsonObject:
    """The entry with the files that it names found from the folder of its kubeconfig."""
    files: JsonObject = {
        key: str(folder / entry[key]) for key in _FILES.get(word, ()) if entry.get(key)
    }
    command = entry.get("exec")
    if isinstance(command, dict) and os.sep in str(command.get("command", "")):
        files["exec"] = {**command, "command": str(folder / command["command"])}
    return {**entry, **files}


def _entry(files: list[JsonObject], word: str, name: object, origin: str) -> JsonObject:
    """The first of this name, as kubectl joins kubeconfigs."""
    for file in files:
        if name in file[word]:
            found: JsonObject = file[word][name]
            return found
    known = ", ".join(sorted({each for file in files for each in file[word]})) or "none"
    raise KubeConfigError(f'{origin}: no {word} "{name}"; there is: {known}')


# ---------------------------------------------------------------- the connection


def _parsed(part: JsonObject, shape: type[Any], access: Access) -> Any:
    try:
        return msgspec.convert(part, shape)
    except msgspec.ValidationError as error:
        raise KubeConfigError(f"{access.origin}: {error}") from error


class _Said(msgspec.Struct, frozen=True):
    """What a user of a kubeconfig says of impersonation."""

    user: str = msgspec.field(name="as", default="")
    uid: str = msgspec.field(name="as-uid", default="")
    groups: tuple[str, ...] = msgspec.field(name="as-groups", default=())
    extra: dict[str, tuple[str, ...]] = msgspec.field(name="as-user-extra", default_factory=dict)


def _acting(access: Access, asked: Acting) -> Acting:
    """Raises KubeConfigError for groups of nobody, which servers refuse."""
    said = _parsed(access.user, _Said, access)
    found = (
        asked
        if asked.user or asked.groups
        else Acting(user=said.user, groups=said.groups, uid=said.uid, extra=said.extra)
    )
    if not found.user and found.headers():
        raise KubeConfigError(f"{access.origin}: whoever acts as a group or uid must name a user")
    return found


class _Login(msgspec.Struct, frozen=True):
    """What a user of a kubeconfig shows besides a certificate."""

    token: str | None = ""
    token_file: str | None = msgspec.field(name="tokenFile", default="")
    username: str | None = ""
    password: str | None = ""
    exec: JsonObject | None = None
    provider: JsonObject | None = msgspec.field(name="auth-provider", default=None)


def _auth(login: _Login, access: Access, environ: Mapping[str, str]) -> httpx2.Auth | None:
    """In the order in which kubectl takes them."""
    if login.token_file:
        return TokenFileAuth(Path(login.token_file))
    if login.token:
        return TokenAuth(login.token)
    if login.exec:
        return _command_auth(access, environ)
    if login.username and login.password:
        return httpx2.BasicAuth(login.username, login.password)
    if login.provider:
        raise KubeConfigError(f"{access.origin}: auth-provider not supported; use exec")
    return None


def _command_auth(access: Access, environ: Mapping[str, str]) -> CommandAuth:
    command = _parsed(access.user["exec"], Command, access)
    if command.api_version not in EXEC_VERSIONS:
        known = " or ".join(EXEC_VERSIONS)
        raise KubeConfigError(
            f"{access.origin}: exec has apiVersion {command.api_version}, known is {known}"
        )
    told = _told(access.cluster) if command.provide_cluster_info else {}
    return CommandAuth(command, told, environ)


def _told(cluster: JsonObject) -> JsonObject:
    """The cluster as a credential command is told of it."""
    told = {key: cluster[key] for key in _TOLD if key in cluster}
    authority = cluster.get("certificate-authority")
    if authority:
        told["certificate-authority-data"] = b64encode(Path(authority).read_bytes()).decode()
    for each in cluster.get("extensions") or ():
        if each.get("name") == "client.authentication.k8s.io/exec":
            told["config"] = each.get("extension")
    return told


_TOLD = (
    "server",
    "tls-server-name",
    "insecure-skip-tls-verify",
    "certificate-authority-data",
    "proxy-url",
)


def _transport(trust: ssl.SSLContext, proxy: str) -> httpx2.AsyncHTTPTransport:
    return httpx2.AsyncHTTPTransport(
        verify=trust,
        trust_env=False,
        proxy=proxy or None,
        # Open watches count as connections, so these have no bound here; the client bounds its requests.
        limits=httpx2.Limits(max_keepalive_connections=16, keepalive_expiry=30.0),
        socket_options=_KEEP_ALIVE,
    )


_KEEP_ALIVE = [
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    *(
        (socket.IPPROTO_TCP, getattr(socket, name), value)
        for name, value in (
            ("TCP_KEEPIDLE", 15),
            ("TCP_KEEPINTVL", 5),
            ("TCP_KEEPCNT", 3),
            ("TCP_USER_TIMEOUT", 30_000),
        )
        if hasattr(socket, name)
    ),
]
"""A peer that vanished without a word is noticed after half a minute."""
