"""The dashboard of a cluster: a way to it, and a link that signs in.

In the flow: behind `thv dashboard`, imported where a cluster is meant. `kubectl` forwards a port of this machine; the token of
a service account is made by the cluster and shown to the dashboard for a link, so that nobody copies it.
"""

from __future__ import annotations

import asyncio
import base64
import http.client
import json
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any
from urllib.parse import urlencode

from thv.apps.cli.cluster import Cluster, open_cluster
from thv.apps.cli.exits import CommandError
from thv.apps.cli.session import Session
from thv.domain.errors import Code
from thv.domain.resources import SERVICE_ACCOUNT
from thv.formats.install_catalog import PORT, SERVICE
from thv.stores.resources.kubernetes_errors import What, translated
from thv.stores.resources.kubernetes_paths import resource

_SECONDS = 8 * 3600
"""As long as a session may last."""
_PATIENCE = 30.0
_FORWARDING = re.compile(rb"Forwarding from 127\.0\.0\.1:(\d+)")
_FIELD = re.compile(r'name="csrf_token" value="([^"]+)"')


@asynccontextmanager
async def way_to(session: Session, home: str) -> AsyncIterator[int]:
    """A port of this machine behind which the catalog answers, until the context ends."""
    process = await asyncio.create_subprocess_exec(
        *_command(session, home),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield await _port(process, home)
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


def _command(session: Session, home: str) -> list[str]:
    kubectl = shutil.which("kubectl", path=session.common.around.environ.get("PATH"))
    if kubectl is None:
        raise CommandError(
            Code.INVALID,
            "kubectl is not on the PATH, and it is what forwards a port of the cluster",
            tries=["https://kubernetes.io/docs/tasks/tools"],
        )
    given = {"--kubeconfig": session.settings.kubeconfig, "--context": session.settings.context}
    flags = [word for flag, value in given.items() if value for word in (flag, value)]
    return [kubectl, *flags, "-n", home, "port-forward", f"service/{SERVICE}", f":{PORT}"]


async def _port(process: asyncio.subprocess.Process, home: str) -> int:
    """The one that kubectl took; raises for what it says when it takes none."""
    assert process.stdout is not None  # noqa: S101 # it was asked for
    assert process.stderr is not None  # noqa: S101
    async with asyncio.timeout(_PATIENCE):
        async for line in process.stdout:
            if found := _FORWARDING.search(line):
                return int(found[1])
        said = (await process.stderr.read()).decode(errors="replace").strip()
    raise CommandError(
        Code.SOURCE_UNREACHABLE,
        f"there is no way to the catalog in the namespace {home}",
        cause=said.rpartition("\n")[2],
        tries=[
            f"kubectl -n {home} get service {SERVICE}",
            "--operator-namespace NAMESPACE   (where the catalog is)",
        ],
    )


async def new_token(session: Session, account: str, home: str) -> str:
    """A token that the catalog takes, and the cluster itself for what is written with one's own rights."""
    plain = await _token(session, account, [])
    audiences = _claims(plain).get("aud") or []
    return await _token(session, account, [*audiences, f"{SERVICE}.{home}.svc"])


async def _token(session: Session, account: str, audiences: list[str]) -> str:
    path = resource(SERVICE_ACCOUNT, session.namespace, account, "token")
    body = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"audiences": audiences, "expirationSeconds": _SECONDS},
    }
    place = session.place
    cluster = place if isinstance(place, Cluster) else open_cluster(session)
    with translated(What(SERVICE_ACCOUNT, session.namespace, account)):
        answer = await cluster.client.request("POST", path, body=body)
    return str(answer["status"]["token"])


def _claims(token: str) -> dict[str, Any]:
    """What a token says of itself, which is asked for nothing but its audience."""
    part = token.split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return found


def signed_link(port: int, token: str) -> str:
    """A link that signs in once; the form of the page is sent as a browser sends it."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE)
    try:
        connection.request("GET", "/signin", headers={"accept": "text/html"})
        shown = connection.getresponse()
        field = _FIELD.search(shown.read().decode())
        if field is None:
            raise _no_pages(shown.status)
        headers = {
            "content-type": "application/x-www-form-urlencoded",
            "cookie": (shown.getheader("set-cookie") or "").partition(";")[0],
            "origin": f"http://127.0.0.1:{port}",
        }
        form = {"csrf_token": field[1], "token": token, "link": "true"}
        connection.request("POST", "/signin", urlencode(form), headers)
        answer = connection.getresponse()
        answer.read()
    finally:
        connection.close()
    place = answer.getheader("location") or ""
    if not place.startswith("/signin/once/"):
        raise CommandError(
            Code.FORBIDDEN,
            f"the catalog did not take the token ({answer.status})",
            tries=["thv auth can-i list mcpregistries --as system:serviceaccount:NAMESPACE:NAME"],
        )
    return f"http://127.0.0.1:{port}{place}"


def _no_pages(status: int) -> CommandError:
    return CommandError(
        Code.NOT_FOUND,
        f"the catalog shows no pages ({status})",
        tries=["helm upgrade ... --set catalog.dashboard.enabled=true"],
    )
