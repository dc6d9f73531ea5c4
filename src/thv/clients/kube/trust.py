"""Whom we trust as the API server, and by which certificate we are known there, from a kubeconfig.

In the flow: while `config` connects. What is wrong raises OSError or ValueError, as the TLS library does.
"""

from __future__ import annotations

import os
import ssl
import tempfile
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec


class ClusterTrust(msgspec.Struct, frozen=True, kw_only=True, rename="kebab"):
    """What a cluster of a kubeconfig says of its server."""

    server: str = "http://localhost:8080"
    certificate_authority: str | None = ""
    certificate_authority_data: str | None = ""
    insecure_skip_tls_verify: bool = False


class ClientCertificate(msgspec.Struct, frozen=True, kw_only=True, rename="kebab"):
    """What a user of a kubeconfig is known by; data wins over files, as with kubectl."""

    client_certificate: str | None = ""
    client_certificate_data: str | None = ""
    client_key: str | None = ""
    client_key_data: str | None = ""


def tls_of(cluster: ClusterTrust, client: ClientCertificate) -> ssl.SSLContext:
    """TLS as both want it."""
    context = _trusting(cluster)
    # What Python 3.13 demands of certificates, authorities of clusters often lack.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if client.client_certificate or client.client_certificate_data:
        with (
            _as_file(client.client_certificate_data, client.client_certificate) as certificate,
            _as_file(client.client_key_data, client.client_key) as key,
        ):
            context.load_cert_chain(certificate or "", key)
    return context


def _trusting(cluster: ClusterTrust) -> ssl.SSLContext:
    """An authority of its own stands for all others."""
    if cluster.certificate_authority_data:
        pem = b64decode(cluster.certificate_authority_data).decode()
        context = ssl.create_default_context(cadata=pem)
    else:
        context = ssl.create_default_context(cafile=cluster.certificate_authority or None)
    if cluster.insecure_skip_tls_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


@contextmanager
def _as_file(data: str | None, path: str | None) -> Iterator[Path | None]:
    """The TLS library takes keys from files alone; what is not in one is for a moment, for nobody else to read."""
    if not data:
        yield Path(path) if path else None
        return
    descriptor, name = tempfile.mkstemp(prefix="thv-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(b64decode(data))
        yield Path(name)
    finally:
        Path(name).unlink()
