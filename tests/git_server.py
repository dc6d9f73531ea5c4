"""Real Git hosts on loopback: smart HTTP in several moods, dumb HTTP, TLS, and ssh where sshd is installed.

A host is one thread for a whole test session; a test publishes repositories on it, each under a name of its own. The
first part of a URL's path says how the host behaves: `GitHost.url("osv", how="basic")`.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import uvicorn

from tests.contracts.source.world import CANARY
from tests.ports import free_port
from thv.apps.standalone.git_http import GitHttp, Receive, Scope, Send, respond

SEARCH_PATH = os.environ.get("PATH", os.defpath)
GIT = shutil.which("git") or ""
SSHD = shutil.which("sshd", path=f"{SEARCH_PATH}:/usr/sbin:/usr/local/sbin") or ""
USER, PASSWORD, TOKEN = "reader", "pa:ss wörd", CANARY


class Bare:
    """A bare repository that tests fill by `git fast-import`: quick, and nothing is ever checked out."""

    def __init__(self, folder: Path, *, sha256: bool = False) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        form = ["--object-format=sha256"] if sha256 else []
        self.git("init", "-q", "--bare", "--initial-branch=main", "--template=", *form, str(folder))
        self.config("uploadpack.allowFilter", "true")
        self._time = 1_700_000_000

    def config(self, key: str, value: str) -> None:
        self.git("config", key, value)

    def commit(
        self,
        files: Mapping[str, bytes],
        *,
        branch: str = "main",
        links: Mapping[str, str] | None = None,
        submodules: Mapping[str, str] | None = None,
    ) -> str:
        """A commit on top of the branch that holds exactly these; its id."""
        self._time += 60
        old = self._known(f"refs/heads/{branch}")
        lines = [
            f"commit refs/heads/{branch}\ncommitter A <a@example.com> {self._time} +0000\n".encode(),
            b"data 1\nx\n",
            f"from {old}\n".encode() if old else b"",
            b"deleteall\n",
        ]
        for path, content in files.items():
            lines.append(
                b"M 100644 inline %s\ndata %d\n%s\n" % (path.encode(), len(content), content)
            )
        for path, target in (links or {}).items():
            lines.append(f"M 120000 inline {path}\ndata {len(target)}\n{target}\n".encode())
        for path, oid in (submodules or {}).items():
            lines.append(f"M 160000 {oid} {path}\n".encode())
        self.git("fast-import", "--quiet", "--force", stdin=b"".join(lines))
        self.git("update-server-info")
        return self._known(f"refs/heads/{branch}")

    def tree(self, lines: str) -> str:
        """A tree as `mktree` reads it, checked by nobody."""
        return self.git("mktree", "--missing", "-z", stdin=lines.encode()).strip()

    def commit_tree(self, tree: str, *, ref: str = "refs/heads/main") -> str:
        """A commit of a tree; the reference is written as a file, so that it may have any name."""
        made = self.git("commit-tree", "-m", "x", tree).strip()
        place = self.folder / ref
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(made + "\n")
        return made

    def blob(self, content: bytes) -> str:
        return self.git("hash-object", "-w", "--stdin", stdin=content).strip()

    def tag(self, name: str, commit: str, *, annotated: bool = False) -> None:
        self.git("tag", *(("-a", "-m", "x") if annotated else ()), name, commit)

    def git(self, *arguments: str, stdin: bytes = b"") -> str:
        environment = {
            "PATH": SEARCH_PATH,
            "HOME": str(self.folder),
            "GIT_DIR": str(self.folder),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            **{
                f"GIT_{who}_{what}": "a@example.com"
                for who in ("AUTHOR", "COMMITTER")
                for what in ("NAME", "EMAIL")
            },
        }
        done = subprocess.run(
            [GIT, *arguments], input=stdin, capture_output=True, check=True, env=environment
        )
        return done.stdout.decode()

    def _known(self, ref: str) -> str:
        return self.git("for-each-ref", "--format=%(objectname)", ref).strip()


class GitHost:
    """A host with any number of repositories below one folder."""

    def __init__(self, root: Path, port: int, scheme: str = "http") -> None:
        self.root = root
        self.port = port
        self.scheme = scheme
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        """Method, path and headers of every request."""
        self.talks: Counter[str] = Counter()
        """How often a talk with a turncoat began: two are smart."""
        self.shut: set[str] = set()
        """Names of repositories that are out of order."""

    def repository(self, name: str, *, sha256: bool = False) -> Bare:
        return Bare(self.root / f"{name}.git", sha256=sha256)

    def url(self, name: str, how: str = "smart", host: str = "127.0.0.1") -> str:
        return f"{self.scheme}://{host}:{self.port}/{how}/{name}.git"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {
            key.decode("latin-1"): value.decode("latin-1") for key, value in scope["headers"]
        }
        self.requests.append((scope["method"], scope["path"], headers))
        _, how, name, rest = (scope["path"] + "///").split("/", 3)
        if name.removesuffix(".git") in self.shut:
            how = "broken"
        if how == "turncoat":
            self.talks[name] += rest.startswith("info/refs")
            how = "smart" if self.talks[name] <= 2 else "dumb"
        match how:
            case "basic" | "bearer" if headers.get("authorization") not in _expected(how):
                challenge = ((b"www-authenticate", b'Basic realm="git"'),)
                await respond(send, 401, _said(headers), headers=challenge)
            case "redirect":
                where = self.url(name.removesuffix(".git")) + "/" + rest.rstrip("/")
                query = scope["query_string"].decode()
                await respond(send, 301, b"", headers=((b"location", f"{where}?{query}".encode()),))
            case "forbidden":
                await respond(send, 403, _said(headers))
            case "limited":
                await respond(send, 429, b"slow down")
            case "broken":
                await respond(send, 503, b"down")
            case "stall":
                await asyncio.sleep(3600)
            case "endless":
                await _endless(receive, send)
            case "dumb":
                found = contents(self.root / name / rest.rstrip("/"))
                await respond(send, 404 if found is None else 200, found or b"")
            case _ if (self.root / name).is_dir():
                git = GitHttp(
                    self.root / name, git=GIT, search_path=SEARCH_PATH, latest=how != "first"
                )
                await git({**scope, "path": "/" + rest.rstrip("/")}, receive, send)
            case _:
                await respond(send, 404, b"no such repository")


def _expected(how: str) -> tuple[str, ...]:
    pairs = (f"{USER}:{PASSWORD}", f"x-access-token:{TOKEN}", f"{USER}:{TOKEN}")
    if how == "bearer":
        return (f"Bearer {TOKEN}",)
    return tuple("Basic " + base64.b64encode(pair.encode()).decode() for pair in pairs)


def _said(headers: Mapping[str, str]) -> bytes:
    """A hostile host repeats what it was told, in the hope that somebody logs it."""
    return f"you said {headers.get('authorization', 'nothing')}".encode()


async def _endless(receive: Receive, send: Send) -> None:
    """References without end, as fast as the other side takes them."""
    kind = b"application/x-git-upload-pack-advertisement"
    start = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind)]}
    await send(start)
    head = b"001e# service=git-upload-pack\n0000"
    number = 0
    await receive()
    gone = asyncio.ensure_future(receive())
    while not gone.done():
        lines = (b"%040x refs/heads/b%036d\n" % (n + 1, n) for n in range(number, number + 1000))
        body = b"".join(b"%04x%s" % (len(line) + 4, line) for line in lines)
        await send({"type": "http.response.body", "body": head + body, "more_body": True})
        head, number = b"", number + 1000
        await asyncio.sleep(0)  # sending does not wait once the other side is gone


def contents(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


@contextlib.contextmanager
def git_host(root: Path, *, certificate: tuple[Path, Path] | None = None) -> Iterator[GitHost]:
    """A running host; with a certificate and its key it speaks TLS."""
    root.mkdir(parents=True, exist_ok=True)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        host = GitHost(root, listener.getsockname()[1], "https" if certificate else "http")
        tls = {"ssl_certfile": certificate[0], "ssl_keyfile": certificate[1]} if certificate else {}
        server = uvicorn.Server(
            uvicorn.Config(
                host,
                lifespan="off",
                loop="asyncio",  # uvloop watches children from the main thread alone
                log_config=None,
                access_log=False,
                timeout_graceful_shutdown=1,
                **tls,  # type: ignore[arg-type]
            )
        )
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        try:
            yield host
        finally:
            server.should_exit = server.force_exit = True
            thread.join(10)


def certificate_for(folder: Path, *names: str) -> tuple[Path, Path]:
    """A self-signed certificate and its key, made by openssl."""
    folder.mkdir(parents=True, exist_ok=True)
    certificate, key = folder / "tls.crt", folder / "tls.key"
    subject = ",".join(f"DNS:{name}" for name in names)
    form = (
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=test"
    )
    subprocess.run(
        [
            "openssl",
            *form.split(),
            "-addext",
            f"subjectAltName={subject}",
            "-keyout",
            str(key),
            "-out",
            str(certificate),
        ],
        check=True,
        capture_output=True,
    )
    return certificate, key


class SshHost:
    """A real sshd on loopback that serves the repositories below one folder and nothing else."""

    def __init__(self, folder: Path, root: Path, port: int) -> None:
        self.root = root
        self.port = port
        self.user = pwd.getpwuid(os.getuid()).pw_name
        self.key = new_ssh_key(folder / "user").read_bytes()
        self.host_key = new_ssh_key(folder / "host")

    def url(self, name: str, host: str = "git.test") -> str:
        return f"ssh://{self.user}@{host}:{self.port}{self.root}/{name}.git"

    def known_hosts(self, host: str = "git.test", *, key: Path | None = None) -> bytes:
        public = (key or self.host_key).with_suffix(".pub").read_text()
        return f"[{host}]:{self.port} {public}".encode()


@contextlib.contextmanager
def ssh_host(folder: Path, root: Path) -> Iterator[SshHost]:
    """A running sshd; git-shell is what a login gets, so only fetches and pushes are possible."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    host = SshHost(folder, root, port)
    settings = {
        "Port": port,
        "ListenAddress": "127.0.0.1",
        "HostKey": host.host_key,
        "AuthorizedKeysFile": folder / "user.pub",
        "PidFile": "none",
        "UsePAM": "no",
        "StrictModes": "no",
        "PasswordAuthentication": "no",
        "PermitRootLogin": "yes",
        "AllowTcpForwarding": "no",
        "ForceCommand": 'git-shell -c "$SSH_ORIGINAL_COMMAND"',
    }
    lines = "".join(f"{name} {value}\n" for name, value in settings.items())
    (folder / "sshd_config").write_text(lines)
    Path("/run/sshd").mkdir(exist_ok=True)
    command = [SSHD, "-D", "-e", "-f", str(folder / "sshd_config")]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        try:
            _await_listening(process)
            yield host
        finally:
            process.terminate()


def _await_listening(process: subprocess.Popen[bytes]) -> None:
    assert process.stderr is not None
    said = b""
    for line in process.stderr:
        said += line
        if b"Server listening on" in line:
            return
    raise AssertionError(f"sshd did not start: {said.decode()}")


def new_ssh_key(path: Path) -> Path:
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", str(path)]
    subprocess.run(command, check=True, capture_output=True)
    return path


@pytest.fixture(scope="session")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitHost]:
    """The Git host of a test module."""
    if not GIT:
        pytest.skip("git is not installed: no Git host to test against")
    with git_host(tmp_path_factory.mktemp("git-host")) as running:
        yield running


@pytest.fixture(scope="session")
def ssh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshHost]:
    """The ssh host of a test module."""
    if not GIT or not SSHD:
        pytest.skip("git or sshd is not installed (Debian, Ubuntu: apt-get install openssh-server)")
    with ssh_host(tmp_path_factory.mktemp("ssh"), tmp_path_factory.mktemp("ssh-root")) as running:
        yield running
