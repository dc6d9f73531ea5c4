"""Reads the way to a cluster: kubeconfig, address, connection, identity.

In the flow: the reader under the verdicts of `reach`. What each step found the later ones use.
"""

from __future__ import annotations

import asyncio
import base64
import ipaddress
import os
import socket
import ssl
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Literal, TypeAlias
from urllib.parse import urlsplit

import msgspec

from thv.apps.cli.doctor.expiry import certificate_validity, token_expiry
from thv.apps.cli.doctor.plan import aside
from thv.apps.cli.doctor.reach import (
    READING,
    WRITING,
    Address,
    ConfigFile,
    Connection,
    Credentials,
    Kubeconfig,
    Rights,
)
from thv.clients.kube.client import KubeClient, Limits
from thv.clients.kube.config import Access, Acting, connect, find_access
from thv.clients.kube.errors import UNREADABLE, KubeConfigError, KubeError, KubeUnreachableError
from thv.domain.canonical import JsonObject

_UNAUTHORIZED, _FORBIDDEN = 401, 403
_LONGEST = 1 << 20
_AUTHORIZATION = "/apis/authorization.k8s.io/v1"
_LATE = ("exec", "tokenFile")
"""What a user of a kubeconfig proves itself with only when it asks, and may fail to."""

Kind: TypeAlias = Literal["certificate", "token", "token file", "command", "password", "nothing"]


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """Which cluster, and as whom."""

    environ: Mapping[str, str]
    kubeconfig: str = ""
    context: str = ""
    acting: Acting = Acting()


class Way:
    """The steps, to be asked in their order; close it at the end."""

    def __init__(self, chosen: Chosen, clock: Callable[[], datetime], *, patience: float) -> None:
        """`patience` is for one answer, in seconds."""
        self._chosen = chosen
        self._clock = clock
        self.patience = patience
        self._limits = Limits(connect=0.6 * patience, retries=1)
        self._clients: list[KubeClient] = []
        self._access = Access({}, {})
        self._names: Mapping[str, str] = {}
        self.version = ""
        """Of the API server, as it writes it; `""` where it does not tell."""
        self.skew = 0.0
        """Seconds by which our clock is ahead."""
        self.user = ""

    @property
    def client(self) -> KubeClient:
        """Once there is a kubeconfig."""
        return self._clients[0]

    @property
    def origin(self) -> str:
        """Where the cluster was found, `""` where it was not."""
        return self._access.origin

    def now(self) -> datetime:
        """By the clock of the cluster."""
        return self._clock() - timedelta(seconds=self.skew)

    async def close(self) -> None:
        """Closes the connections."""
        for client in self._clients:
            await client.close()

    # ------------------------------------------------------------ kubeconfig

    async def kubeconfig(self) -> Kubeconfig:
        """What the files say, and whether a client can be made of it."""
        chosen = self._chosen
        paths = _paths(chosen)
        files = tuple([await aside(_file, path) for path in paths])
        try:
            client = await aside(self._connected)
        except KubeConfigError as error:
            return Kubeconfig(files=files, wanted=chosen.context, problem=error.message)
        self._clients.append(client)
        self._names = await aside(_entries, paths, chosen.context)
        return Kubeconfig(files=files, server=client.server, origin=self._access.origin)

    def _connected(self) -> KubeClient:
        chosen = self._chosen
        self._access = find_access(
            chosen.environ, kubeconfig=chosen.kubeconfig, context=chosen.context
        )
        return connect(self._access, chosen.environ, self._limits, acting=chosen.acting)

    # ------------------------------------------------------------ connection

    async def address(self) -> Address:
        """Whether the name has an address, asked where nobody waits for the resolver."""
        cluster = self._access.cluster
        proxy = str(cluster.get("proxy-url") or "")
        host = urlsplit(proxy or str(cluster.get("server"))).hostname or ""
        known = await aside(_addresses, host)
        name = self._names.get("cluster", "")
        return Address(host=host, cluster=name, addresses=known, proxy=bool(proxy))

    async def connection(self) -> Connection:
        """Asks for the version, as nobody where it takes a command to be somebody."""
        client = self._asking()
        before, problem, untrusted = self._clock(), "", False
        try:
            told = await client.request("GET", "/version", timeout=self.patience)
            self.version = str(told.get("gitVersion") or "")
        except KubeError as error:
            if error.reason == UNREADABLE:
                problem = f"{client.server} is no API server: {error.message}"
        except KubeUnreachableError as error:
            problem, untrusted = error.message, _is_about_certificates(error)
        self.skew = _skew(before + (self._clock() - before) / 2, client.date)
        return Connection(
            server=client.server,
            cluster=self._names.get("cluster", ""),
            problem=problem,
            untrusted=untrusted,
        )

    def _asking(self) -> KubeClient:
        access = self._access
        if not any(key in access.user for key in _LATE):
            return self.client
        nobody = Access(access.cluster, {}, access.namespace, access.origin)
        self._clients.append(connect(nobody, self._chosen.environ, self._limits))
        return self._clients[-1]

    # ------------------------------------------------------------ identity

    async def credentials(self) -> Credentials:
        """What proves who we are, and what the API server says to it."""
        found = await aside(self._shown)
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        try:
            answer = await self.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", review)
        except KubeUnreachableError as error:
            if isinstance(error.__cause__, KubeConfigError):
                return msgspec.structs.replace(found, problem=error.message)
            if found.kind == "command" and isinstance(error.__cause__, TimeoutError):
                problem = f"{found.command[0]} gave no token within {self.patience:g} s"
                return msgspec.structs.replace(found, problem=problem)
            raise
        except KubeError as error:
            if error.status not in (_UNAUTHORIZED, _FORBIDDEN):
                raise
            return msgspec.structs.replace(found, refused=error.message)
        self.user = str(answer["status"]["userInfo"].get("username") or "")
        return msgspec.structs.replace(found, user=self.user)

    def _shown(self) -> Credentials:
        user = self._access.user
        kind = _kind_of(user)
        begins, ends = _times(user, kind)
        command = user.get("exec") or {}
        return Credentials(
            entry=self._names.get("user", ""),
            kind=kind,
            begins=begins,
            ends=ends,
            command=(str(command.get("command")), *map(str, command.get("args") or ())),
            now=self._clock(),
        )

    async def told_version(self) -> str:
        """The version, asked for again where it is not told to just anybody."""
        if not self.version:
            told = await self.client.request("GET", "/version", timeout=self.patience)
            self.version = str(told.get("gitVersion") or "")
        return self.version

    async def rights(self, namespace: str) -> Rights:
        """What the caller may not do to registries of a namespace."""
        asked = [*READING, *WRITING]
        answers = await self.may([_attributes(right, namespace) for right in asked])
        missing = tuple(right for right, yes in zip(asked, answers, strict=True) if not yes)
        return Rights(user=self.user, namespace=namespace, missing=missing)

    async def may(self, asked: Sequence[JsonObject], user: str = "") -> list[bool]:
        """Whether each of these is allowed, to the caller or to somebody else; all at once."""
        review = "SubjectAccessReview" if user else "SelfSubjectAccessReview"
        who: JsonObject = {"user": user} if user else {}

        async def one(attributes: JsonObject) -> bool:
            body = {
                "apiVersion": "authorization.k8s.io/v1",
                "kind": review,
                "spec": {"resourceAttributes": attributes, **who},
            }
            answer = await self.post(f"{_AUTHORIZATION}/{review.lower()}s", body)
            return bool(answer["status"].get("allowed"))

        return list(await asyncio.gather(*(one(each) for each in asked)))

    async def post(self, path: str, body: JsonObject) -> JsonObject:
        """A question that is put as an object; nothing is kept of it."""
        return await self.client.request("POST", path, body=body, timeout=self.patience)


def _attributes(right: tuple[str, str, str], namespace: str) -> JsonObject:
    verb, resource, group = right
    return {"verb": verb, "resource": resource, "group": group, "namespace": namespace}


# ---------------------------------------------------------------- files


def _paths(chosen: Chosen) -> list[Path]:
    """The files that may say which cluster, as `find_access` looks for them."""
    named = chosen.kubeconfig or chosen.environ.get("KUBECONFIG", "")
    if not named:
        return [Path(chosen.environ.get("HOME", "~")).expanduser() / ".kube" / "config"]
    return [Path(part).expanduser() for part in named.split(os.pathsep) if part]


def _file(path: Path) -> ConfigFile:
    if not path.is_file():
        return ConfigFile(path=str(path), exists=False)
    if not os.access(path, os.R_OK):
        return ConfigFile(path=str(path), readable=False)
    content = _parsed(path)
    if content is None:
        return ConfigFile(path=str(path))
    names = tuple(_named(content, "context"))
    return ConfigFile(path=str(path), contexts=names, current=str(content.get("current-context")))


def _parsed(path: Path) -> JsonObject | None:
    with suppress(OSError, ValueError, msgspec.DecodeError):
        with path.open("rb") as file:
            found: Any = msgspec.yaml.decode(file.read(_LONGEST))
        return found if isinstance(found, dict) else None
    return None


def _named(content: JsonObject, word: str) -> dict[str, JsonObject]:
    listed = content.get(f"{word}s")
    entries = (each for each in listed if isinstance(each, dict)) if listed else ()
    return {str(each.get("name")): each.get(word) or {} for each in entries}


def _entries(paths: Sequence[Path], context: str) -> dict[str, str]:
    """The names of cluster and user of the context, for commands that change them."""
    contents = [content for path in paths if (content := _parsed(path)) is not None]
    wanted = context or next(
        (str(each["current-context"]) for each in contents if each.get("current-context")), ""
    )
    for content in contents:
        found = _named(content, "context").get(wanted)
        if found is not None:
            return {key: str(found[key]) for key in ("cluster", "user") if found.get(key)}
    return {}


# ---------------------------------------------------------------- wire and credentials


def _addresses(host: str) -> tuple[str, ...]:
    try:
        return (str(ipaddress.ip_address(host)),)
    except ValueError:
        pass
    with suppress(OSError, UnicodeError):
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        return tuple(dict.fromkeys(str(each[4][0]) for each in found))
    return ()


def _is_about_certificates(error: BaseException) -> bool:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return True
        cause = cause.__cause__ or cause.__context__
    return False


def _skew(ours: datetime, date: str) -> float:
    """The time of HTTP is cut to whole seconds: half a one is added."""
    with suppress(ValueError, TypeError):
        theirs = parsedate_to_datetime(date)
        return (ours - theirs).total_seconds() - 0.5
    return 0.0


def _kind_of(user: JsonObject) -> Kind:
    """In the order in which the client takes them."""
    kinds: Sequence[tuple[str, Kind]] = (
        ("tokenFile", "token file"),
        ("token", "token"),
        ("exec", "command"),
        ("username", "password"),
        ("client-certificate", "certificate"),
        ("client-certificate-data", "certificate"),
    )
    return next((kind for key, kind in kinds if user.get(key)), "nothing")


def _times(user: JsonObject, kind: Kind) -> tuple[datetime | None, datetime | None]:
    """From when until when it is good, as far as it says so."""
    with suppress(OSError, ValueError):
        match kind:
            case "certificate":
                return certificate_validity(_pem(user))
            case "token":
                return None, token_expiry(str(user["token"]))
            case "token file":
                return None, token_expiry(Path(user["tokenFile"]).read_text().strip())
            case _:
                pass
    return None, None


def _pem(user: JsonObject) -> str:
    inline = user.get("client-certificate-data")
    if inline:
        return base64.b64decode(str(inline)).decode()
    return Path(str(user["client-certificate"])).read_text()
