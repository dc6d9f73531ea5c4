"""An OpenID issuer on loopback with real keys: it publishes them, rotates them and goes away."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

AUDIENCE = "registry"
_MADE: dict[str, Any] = {}


def a_key(algorithm: str, number: int = 0) -> Any:
    """A private key; the same one for the same number, as making them takes long."""
    name = f"{algorithm[:2]}{number}" if algorithm[:2] in ("RS", "PS") else f"{algorithm}{number}"
    if name not in _MADE:
        _MADE[name] = _new_key(algorithm)
    return _MADE[name]


def _new_key(algorithm: str) -> Any:
    match algorithm:
        case "ES256":
            return ec.generate_private_key(ec.SECP256R1())
        case "ES384":
            return ec.generate_private_key(ec.SECP384R1())
        case "EdDSA":
            return ed25519.Ed25519PrivateKey.generate()
        case _:
            return rsa.generate_private_key(65537, 2048)


def published(key: Any, algorithm: str, **more: Any) -> dict[str, Any]:
    """The public half as a key set has it."""
    made = jwt.get_algorithm_by_name(algorithm).to_jwk(key.public_key(), as_dict=True)
    return {**made, **more}


class LocalIssuer:
    """What it publishes, and how it signs."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.asked: list[str] = []
        self.keys: list[dict[str, Any]] = []
        self.about: dict[str, Any] = {"issuer": url, "jwks_uri": f"{url}/keys"}
        self.is_away = False
        self.publish("RS256")

    def publish(self, algorithm: str, number: int = 0, **more: Any) -> str:
        """Adds a key; its name."""
        kid = f"{algorithm}-{number}"
        self.keys.append(published(a_key(algorithm, number), algorithm, kid=kid, **more))
        return kid

    def token(self, algorithm: str = "RS256", number: int = 0, **changes: Any) -> str:
        """A token of alice that is good; a claim of None is left out, `head` is put over the head."""
        head = {"kid": f"{algorithm}-{number}", **changes.pop("head", {})}
        now = int(time.time())
        claims = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": "alice",
            "iat": now,
            "exp": now + 3600,
            **changes,
        }
        kept = {name: value for name, value in claims.items() if value is not None}
        head = {name: value for name, value in head.items() if value is not None}
        return jwt.encode(kept, a_key(algorithm, number), algorithm, headers=head)


@contextmanager
def an_issuer() -> Iterator[LocalIssuer]:
    issuer: LocalIssuer

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            issuer.asked.append(self.path)
            documents: dict[str, Any] = {
                "/.well-known/openid-configuration": issuer.about,
                "/keys": {"keys": issuer.keys},
            }
            found = None if issuer.is_away else documents.get(self.path)
            body = json.dumps(found).encode()
            self.send_response(503 if issuer.is_away else 404 if found is None else 200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    issuer = LocalIssuer(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield issuer
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
