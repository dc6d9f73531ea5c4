"""Certificates that are replaced while a server answers."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.git_server import certificate_for
from thv.apps.kit.http.serve import listening, server_of
from thv.apps.kit.http.server import Receive, Scope, Send
from thv.apps.kit.tls import Certificate, KeyPair, key_pair, read_key_pair, shown
from thv.domain.errors import Code, ThvError

pytestmark = [pytest.mark.anyio, pytest.mark.flows, pytest.mark.requirement("OPS-07")]

REQUEST = b"GET / HTTP/1.1\r\nHost: api.test\r\n\r\n"


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    return "asyncio", {"use_uvloop": request.param}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two certificates of one name."""
    folder = tmp_path_factory.mktemp("made")
    for name in ("first", "second"):
        certificate_for(folder / name, "api.test")
    return folder


@pytest.fixture
def mounted(made: Path, tmp_path: Path) -> KeyPair:
    """The first one, as a kubelet mounts a Secret."""
    publish(tmp_path, made / "first")
    for name in ("tls.crt", "tls.key"):
        (tmp_path / name).symlink_to(f"..data/{name}")
    return KeyPair(tmp_path / "tls.crt", tmp_path / "tls.key")


def publish(place: Path, folder: Path) -> None:
    """One link is renamed, as a kubelet does it."""
    (place / "..next").symlink_to(folder)
    (place / "..next").rename(place / "..data")


async def scheme(scope: Scope, _receive: Receive, send: Send) -> None:
    """Says how it was asked."""
    body = scope["scheme"].encode()
    headers = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@asynccontextmanager
async def serving(tls: ssl.SSLContext) -> AsyncIterator[int]:
    """The port; a second socket comes later, as the ports of shared registries do."""
    server = server_of(scheme, tls=tls)
    work = asyncio.ensure_future(server.serve([listening("127.0.0.1", 0)]))
    late = listening("127.0.0.1", 0)
    await server.listen(late)
    try:
        yield late.getsockname()[1]
    finally:
        server.should_exit = True
        await work


class Caller:
    """A client that trusts these certificates alone."""

    def __init__(self, *roots: Path) -> None:
        self._context = ssl.create_default_context()
        for root in roots:
            self._context.load_verify_locations(root / "tls.crt")

    async def connect(self, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(
            "127.0.0.1", port, ssl=self._context, server_hostname="api.test"
        )

    async def ask(self, port: int) -> bytes:
        """The body."""
        reader, writer = await self.connect(port)
        try:
            return await asked(reader, writer)
        finally:
            writer.close()


async def asked(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    writer.write(REQUEST)
    await reader.readuntil(b"\r\n\r\n")
    return await reader.readexactly(len(b"https"))


async def test_a_replaced_certificate_is_shown_and_no_read_fails(
    mounted: KeyPair, made: Path
) -> None:
    certificate = Certificate(mounted)
    old, new = Caller(made / "first"), Caller(made / "second")
    either = Caller(made / "first", made / "second")
    async with serving(certificate.context) as port:
        kept = await old.connect(port)
        reads = 0
        for turn in range(20):
            publish(mounted.certificate.parent, made / ("first" if turn % 2 else "second"))
            answers = asyncio.gather(*(either.ask(port) for _ in range(5)))
            assert certificate.refresh()
            reads += len([each for each in await answers if each == b"https"])
        assert reads == 100
        assert await asked(*kept) == b"https"
        kept[1].close()
        assert await old.ask(port) == b"https"
        with pytest.raises(ssl.SSLCertVerificationError):
            await new.ask(port)


async def test_files_that_do_not_fit_change_nothing(
    mounted: KeyPair, made: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    torn = tmp_path / "torn"
    torn.mkdir()
    (torn / "tls.crt").write_bytes((made / "second/tls.crt").read_bytes())
    (torn / "tls.key").write_bytes((made / "first/tls.key").read_bytes())
    certificate = Certificate(mounted)
    async with serving(certificate.context) as port:
        for broken in (torn, tmp_path / "nowhere"):
            publish(tmp_path, broken)
            with caplog.at_level(logging.WARNING):
                assert not certificate.refresh()
                assert not certificate.refresh()
            assert await Caller(made / "first").ask(port) == b"https"
        publish(tmp_path, made / "second")
        assert certificate.refresh()
        assert not certificate.refresh()
        assert await Caller(made / "second").ask(port) == b"https"
    assert [record.levelname for record in caplog.records if record.name.startswith("thv")] == [
        "WARNING",
        "WARNING",
    ]
    assert "PRIVATE" not in caplog.text


async def test_it_follows_its_files_as_long_as_it_is_shown(
    mounted: KeyPair, made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("thv.apps.kit.tls._LOOK_EVERY", 0.01)
    async with shown(mounted) as tls, asyncio.timeout(30):
        assert tls is not None
        async with serving(tls) as port:
            publish(mounted.certificate.parent, made / "second")
            while True:
                try:
                    assert await Caller(made / "second").ask(port) == b"https"
                except ssl.SSLCertVerificationError:
                    continue
                break
    async with shown(None) as nothing:
        assert nothing is None


def test_files_that_cannot_be_used_are_named(tmp_path: Path, made: Path) -> None:
    with pytest.raises(ThvError) as error:
        Certificate(KeyPair(tmp_path / "tls.crt", made / "first/tls.key"))
    assert error.value.code is Code.INVALID
    assert str(tmp_path / "tls.crt") in error.value.message
    assert "No such file" in error.value.message


def test_certificate_and_key_go_together() -> None:
    assert read_key_pair({}) is None
    both = {"THV_TLS_CERT": "/tls/tls.crt", "THV_TLS_KEY": "/tls/tls.key"}
    assert read_key_pair(both) == KeyPair(Path("/tls/tls.crt"), Path("/tls/tls.key"))
    with pytest.raises(ThvError, match="only one of --tls-cert and --tls-key"):
        key_pair(Path("x"), None, "--tls-cert", "--tls-key")
