"""A certificate authority in a folder, run by openssl: the server's certificate and those of clients."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import NamedTuple

_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


class Certificate(NamedTuple):
    """Files in PEM."""

    certificate: Path
    key: Path


class Authority:
    """Signs certificates with a key of its own."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self.files = Certificate(folder / "ca.crt", folder / "ca.key")
        _openssl(
            *("req", "-x509", *_KEY, "-days", "30", "-subj", "/CN=test-ca"),
            *("-keyout", str(self.files.key), "-out", str(self.files.certificate)),
        )

    def server(self, name: str, *alternatives: str) -> Certificate:
        """For a server that is reached under these: `IP:127.0.0.1`, `DNS:localhost`."""
        return self._signed(name, f"/CN={name}", f"subjectAltName={','.join(alternatives)}")

    def client(self, file: str, name: str, *groups: str) -> Certificate:
        """For a person or a program, as Kubernetes reads it: groups are organizations."""
        parts = [*(f"O={_escaped(group)}" for group in groups), f"CN={_escaped(name)}"]
        return self._signed(
            file, "".join(f"/{part}" for part in parts), "extendedKeyUsage=clientAuth"
        )

    def _signed(self, file: str, subject: str, extension: str) -> Certificate:
        made = Certificate(self._folder / f"{file}.crt", self._folder / f"{file}.key")
        request, extensions = made.key.with_suffix(".csr"), made.key.with_suffix(".ext")
        extensions.write_text(extension)
        _openssl(
            *("req", *_KEY, "-subj", subject),
            *("-keyout", str(made.key), "-out", str(request)),
        )
        _openssl(
            *("x509", "-req", "-in", str(request), "-days", "30", "-CAcreateserial"),
            *("-CA", str(self.files.certificate), "-CAkey", str(self.files.key)),
            *("-extfile", str(extensions), "-out", str(made.certificate)),
        )
        return made


def signing_key(folder: Path) -> Certificate:
    """A key pair without a certificate: what service account tokens are signed with."""
    made = Certificate(folder / "tokens.pub", folder / "tokens.key")
    _openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", str(made.key))
    _openssl("ec", "-in", str(made.key), "-pubout", "-out", str(made.certificate))
    return made


def _escaped(part: str) -> str:
    return part.replace("\\", "\\\\").replace("/", "\\/").replace("+", "\\+")


def _openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)
