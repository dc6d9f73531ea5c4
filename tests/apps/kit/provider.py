"""An OpenID provider on loopback at which people sign in: real HTTP, real keys, codes of one use, PKCE that is checked.

What a test changes on it is what goes wrong. `hold` makes it ask before it sends somebody back, as people see it.
"""

from __future__ import annotations

import base64
import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qs, parse_qsl, unquote, urlencode, urlsplit

from tests.apps.kit.issuer import LocalIssuer
from thv.clients.oidc.code_flow import challenge_of

_HEAD = '<!doctype html><link rel="icon" href="data:,">'
CLIENT, SECRET = "catalog", "s3cret/of:the client"


class Given(NamedTuple):
    """What a code stands for."""

    redirect: str
    challenge: str
    nonce: str
    user: str


class LocalProvider(LocalIssuer):
    """Somebody is always signed in there, as `user`."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.about |= {
            "authorization_endpoint": f"{url}/authorize?tenant=people",
            "token_endpoint": f"{url}/token",
            "end_session_endpoint": f"{url}/logout",
            "authorization_response_iss_parameter_supported": True,
        }
        self.user = "alice"
        self.holds = False
        """Whether somebody has to press a button there."""
        self.secret = SECRET
        """`""` for a public client."""
        self.claims: dict[str, Any] = {}
        """Put over those of ID tokens."""
        self.signed: dict[str, Any] = {}
        """How ID tokens are signed: `algorithm`, `number`, `head`."""
        self.forged: Callable[[str], str] = lambda token: token
        """What becomes of them on the way."""
        self.refusal = ""
        self.returned: dict[str, str] = {}
        """Put over what the browser comes back with."""
        self.answer: dict[str, Any] | None = None
        """Of the token endpoint, in place of tokens."""
        self.status = 200
        self.forms: list[dict[str, str]] = []
        """What the token endpoint was sent."""
        self.asked_for: list[dict[str, str]] = []
        """What people came with."""
        self.id_tokens: list[str] = []
        self._codes: dict[str, Given] = {}

    def authorize(self, query: str) -> str:
        """Where the browser goes on."""
        asked = dict(parse_qsl(query, keep_blank_values=True))
        self.asked_for.append(asked)
        assert asked["response_type"] == "code"
        assert asked["client_id"] == CLIENT
        assert asked["code_challenge_method"] == "S256"
        assert asked["tenant"] == "people"
        back = {"state": asked["state"], "iss": self.url}
        if self.refusal:
            back["error"] = self.refusal
        else:
            code = f"code-{len(self._codes)}-{time.time_ns()}"
            self._codes[code] = Given(
                asked["redirect_uri"], asked["code_challenge"], asked["nonce"], self.user
            )
            back["code"] = code
        kept = {name: value for name, value in {**back, **self.returned}.items() if value}
        return f"{asked['redirect_uri']}?{urlencode(kept)}"

    def exchange(self, content: str, authorization: str) -> tuple[int, dict[str, Any]]:
        """Status and body."""
        form = {name: values[0] for name, values in parse_qs(content).items()}
        self.forms.append(form)
        if self.answer is not None or self.status != 200:
            return self.status, self.answer or {}
        if self._client(form, authorization) != (CLIENT, self.secret):
            return 401, {"error": "invalid_client"}
        given = self._codes.pop(form["code"], None)
        right = given and (given.redirect, given.challenge) == (
            form["redirect_uri"],
            challenge_of(form["code_verifier"]),
        )
        if not given or not right:
            return 400, {"error": "invalid_grant", "error_description": "<b>no</b>"}
        claims = {"aud": CLIENT, "sub": given.user, "nonce": given.nonce, **self.claims}
        token = self.forged(self.token(**self.signed, **claims))
        self.id_tokens.append(token)
        return 200, {
            "token_type": "Bearer",
            "id_token": token,
            "access_token": self.token(sub=given.user),
            "refresh_token": "never-kept",
            "expires_in": 3600,
        }

    def _client(self, form: dict[str, str], authorization: str) -> tuple[str, str]:
        if not authorization:
            return form.get("client_id", ""), form.get("client_secret", "")
        pair = base64.b64decode(authorization.removeprefix("Basic ")).decode()
        name, _, secret = pair.partition(":")
        return unquote(name), unquote(secret)


class _Handler(BaseHTTPRequestHandler):
    provider: LocalProvider

    def do_GET(self) -> None:
        provider, parts = self.provider, urlsplit(self.path)
        provider.asked.append(parts.path)
        documents: dict[str, Any] = {
            "/.well-known/openid-configuration": provider.about,
            "/keys": {"keys": provider.keys},
        }
        if provider.is_away:
            self._answer(503, b"")
        elif parts.path == "/authorize":
            self._authorize(provider.authorize(parts.query))
        elif parts.path == "/logout":
            self._answer(200, f"{_HEAD}<title>Bye</title><h1>Signed out</h1>".encode())
        elif parts.path == "/link":
            self._answer(200, _link(parse_qs(parts.query)["to"][0], "Look at this"))
        elif parts.path in documents:
            self._answer(200, json.dumps(documents[parts.path]).encode(), "application/json")
        else:
            self._answer(404, b"")

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["content-length"])).decode()
        status, said = self.provider.exchange(content, self.headers.get("authorization", ""))
        self._answer(status, json.dumps(said).encode(), "application/json")

    def _authorize(self, place: str) -> None:
        if self.provider.holds:
            self._answer(200, _link(place, "Continue as alice"))
            return
        self.send_response(302)
        self.send_header("location", place)
        self.send_header("content-length", "0")
        self.end_headers()

    def _answer(self, status: int, body: bytes, kind: str = "text/html; charset=utf-8") -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


def _link(place: str, words: str) -> bytes:
    return f'{_HEAD}<title>People</title><a href="{escape(place)}">{words}</a>'.encode()


@contextmanager
def a_provider(
    tls: ssl.SSLContext | None = None, name: str = "127.0.0.1"
) -> Iterator[LocalProvider]:
    """Running; over https with a certificate. Under another name it is another site to a browser."""

    class Handler(_Handler):
        """Of this one."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    scheme = "https" if tls else "http"
    provider = Handler.provider = LocalProvider(f"{scheme}://{name}:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
