"""Credentials that change while a process runs: tokens in files, and tokens that a command gives.

In the flow: asked by the HTTP library before each request, and again after an answer 401.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncGenerator, Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx2
import msgspec

from thv.clients.kube.errors import KubeConfigError

Seconds = Callable[[], float]

_FILE_AGE = 60.0
_EXPIRES_EARLY = 30.0
_COMMAND_SECONDS = 60.0
EXEC_VERSIONS = (
    "client.authentication.k8s.io/v1",
    "client.authentication.k8s.io/v1beta1",
)


class TokenAuth(httpx2.Auth):
    """A bearer token that stays."""

    def __init__(self, token: str) -> None:
        self._token = token

    async def async_auth_flow(
        self, request: httpx2.Request
    ) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        yield _bearing(request, self._token)


class TokenFileAuth(httpx2.Auth):
    """A bearer token in a file that is replaced now and then, as the kubelet does.

    Read once a minute, not only after a 401: a server may accept an old token for a long time and complain of it.
    """

    def __init__(self, path: Path, clock: Seconds = time.monotonic) -> None:
        self._path = path
        self._clock = clock
        self._token = ""
        self._read_at = 0.0

    async def async_auth_flow(
        self, request: httpx2.Request
    ) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        if not self._token or self._clock() - self._read_at >= _FILE_AGE:
            self._read()
        answer = yield _bearing(request, self._token)
        if answer.status_code == httpx2.codes.UNAUTHORIZED:
            before = self._token
            self._read()
            if self._token != before:
                yield _bearing(request, self._token)

    def _read(self) -> None:
        try:
            self._token = self._path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise KubeConfigError(f"cannot read the token file {self._path}: {error}") from error
        self._read_at = self._clock()


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """The part `exec` of a user in a kubeconfig."""

    command: str
    api_version: str = msgspec.field(name="apiVersion", default=EXEC_VERSIONS[0])
    args: list[str] | None = None
    env: list[dict[str, str]] | None = None
    install_hint: str = msgspec.field(name="installHint", default="")
    provide_cluster_info: bool = msgspec.field(name="provideClusterInfo", default=False)


class CommandAuth(httpx2.Auth):
    """A bearer token that a command gives, kept until it expires or is refused."""

    def __init__(
        self,
        command: Command,
        cluster: Mapping[str, Any],
        environ: Mapping[str, str],
        clock: Seconds = time.time,
    ) -> None:
        """`cluster` is what the command is told, if it asked for that; `environ` is what it inherits."""
        self._command = command
        self._cluster = cluster
        self._environ = environ
        self._clock = clock
        self._lock = asyncio.Lock()
        self._token = ""
        self._expires = 0.0

    async def async_auth_flow(
        self, request: httpx2.Request
    ) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        token = await self._current()
        answer = yield _bearing(request, token)
        if answer.status_code == httpx2.codes.UNAUTHORIZED:
            yield _bearing(request, await self._current(refused=token))

    async def _current(self, refused: str = "") -> str:
        """A token that is neither expired nor the refused one; callers wait for one run of the command."""
        async with self._lock:
            expired = self._clock() >= self._expires - _EXPIRES_EARLY
            if not self._token or expired or self._token == refused:
                self._token, self._expires = self._given(await self._run())
            return self._token

    async def _run(self) -> bytes:
        name = self._command.command
        try:
            process = await asyncio.create_subprocess_exec(
                name,
                *(self._command.args or ()),
                env=self._environment(),
                stdin=DEVNULL,
                stdout=PIPE,
                stderr=PIPE,
                start_new_session=True,  # so that whatever it starts ends with it
            )
        except OSError as error:
            hint = f" ({self._command.install_hint})" if self._command.install_hint else ""
            raise KubeConfigError(
                f"cannot run the credential command {name}: {error}{hint}"
            ) from error
        try:
            async with asyncio.timeout(_COMMAND_SECONDS):
                output, complaint = await process.communicate()
        except TimeoutError as error:
            raise KubeConfigError(
                f"the credential command {name} gave no token within {_COMMAND_SECONDS:g} s"
            ) from error
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
        if process.returncode != 0:
            told = " ".join(complaint.decode(errors="replace").split())[-200:]
            raise KubeConfigError(
                f"the credential command {name} ended with {process.returncode}: {told}"
            )
        return output

    def _environment(self) -> dict[str, str]:
        given = {each["name"]: each.get("value", "") for each in self._command.env or ()}
        spec: dict[str, Any] = {"interactive": False}
        if self._cluster:
            spec["cluster"] = dict(self._cluster)
        info = {"apiVersion": self._command.api_version, "kind": "ExecCredential", "spec": spec}
        return {**self._environ, **given, "KUBERNETES_EXEC_INFO": json.dumps(info)}

    def _given(self, output: bytes) -> tuple[str, float]:
        """The token and the second it expires at."""
        name = self._command.command
        try:
            status = msgspec.json.decode(output)["status"]
            token, until = status.get("token"), status.get("expirationTimestamp")
        except (msgspec.MsgspecError, UnicodeDecodeError, KeyError, TypeError, AttributeError):
            raise KubeConfigError(
                f"what the credential command {name} printed is no ExecCredential"
            ) from None
        if not isinstance(token, str) or not token:
            raise KubeConfigError(
                f"the credential command {name} gave no token; client certificates of commands are not supported"
            )
        return token, _moment(until)


def _moment(text: object) -> float:
    """Unix seconds; never, when the command does not say."""
    if not isinstance(text, str):
        return float("inf")
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return float("inf")


def _bearing(request: httpx2.Request, token: str) -> httpx2.Request:
    request.headers["Authorization"] = f"Bearer {token}"
    return request
