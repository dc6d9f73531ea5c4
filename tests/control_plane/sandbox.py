"""Runs a command the way a container runtime does: its own root, mounts, processes and host name; no capabilities.

What is shared with the machine is the network, because the control plane of the tests lives on loopback. It takes root
and `unshare`, `setpriv`, `nsenter` of util-linux, and nothing else.
"""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_DEVICES = ("null", "zero", "full", "random", "urandom")
CAPABILITIES = frozenset(
    [
        "chown",
        "dac_override",
        "fowner",
        "fsetid",
        "kill",
        "net_bind_service",
        "setfcap",
        "setgid",
        "setpcap",
        "setuid",
        "sys_chroot",
    ]
)
"""What a container runtime leaves to a process that does not drop more."""
_ETC = (
    *("ca-certificates", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "mime.types"),
    *("nsswitch.conf", "protocols", "resolv.conf", "services", "ssl"),
)
_USERS = "root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n"
_UNSHARE = "unshare: sigprocmask unblock failed"
"""How some versions end with 1 when the command was killed."""
_NAMESPACES = ("--mount", "--pid", "--uts", "--ipc")


class Mount(NamedTuple):
    source: Path
    target: str
    read_only: bool = False


class Identity(NamedTuple):
    """As whom a process runs, and what it may do."""

    user: int
    group: int
    groups: tuple[int, ...] = ()
    new_privileges: bool = False
    capabilities: frozenset[str] = CAPABILITIES

    def command(self) -> list[str]:
        groups = ",".join(map(str, self.groups))
        bounds = ",".join(["-all", *(f"+{name}" for name in sorted(self.capabilities))])
        return [
            *("/usr/bin/setpriv", "--pdeathsig", "KILL", f"--reuid={self.user}"),
            *(f"--regid={self.group}", f"--groups={groups}" if groups else "--clear-groups"),
            *("--inh-caps=-all", f"--bounding-set={bounds}"),
            *(() if self.new_privileges else ("--no-new-privs",)),
            "--",
        ]


class Plan(NamedTuple):
    """Everything that a container is before it starts."""

    argv: Sequence[str]
    environ: Mapping[str, str]
    identity: Identity
    root: Path
    """An empty folder; what is mounted there is seen by the container alone."""
    etc: Path
    log: Path
    mounts: Sequence[Mount] = ()
    read_only: bool = False
    workdir: str = "/"
    host_name: str = "pod"


class Sandbox:
    """A container that was started."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._trouble = plan.root.with_suffix(".trouble")
        """What the tools say that make the container; its own words go to the log."""
        self._set_up, told = os.pipe()
        command = ["setpriv", "--pdeathsig", "KILL", "--", "unshare", *_NAMESPACES, "--fork"]
        script = "\n".join(("set -e", *_steps(plan)))
        with self._trouble.open("wb") as trouble:
            self._process = subprocess.Popen(
                [*command, "--kill-child=KILL", "--", "/bin/sh", "-c", script],
                stdin=told,  # written to once everything is mounted
                stdout=trouble,
                stderr=trouble,
                env={"PATH": PATH},
                start_new_session=True,
            )
        os.close(told)

    async def wait(self) -> int:
        """The exit code as Kubernetes tells it: 137 for a process that was killed."""
        await _readable(os.pidfd_open(self._process.pid))
        code = self._process.wait()
        said = self._trouble.read_text()
        if _UNSHARE in said:
            return 128 + signal.SIGKILL
        if said:
            with self.plan.log.open("a") as log:
                log.write(said)
        return 128 - code if code < 0 else code

    async def begun(self) -> None:
        """Until the command itself runs, or will never."""
        if self._set_up >= 0:
            descriptor, self._set_up = self._set_up, -1
            await _readable(descriptor)

    def terminate(self) -> None:
        """Asks the first process to end; it may not listen."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        self._signal(signal.SIGKILL)

    def kill_all(self) -> None:
        """Also what is still being set up."""
        self._process.kill()
        self._process.wait()

    def memory(self) -> int:
        """PSS of all processes inside, in bytes."""
        first = _children(self._process.pid)
        return sum(_pss(process) for process in _tree(first))

    async def execute(self, argv: Sequence[str], seconds: float) -> tuple[int, str]:
        """Runs a command inside, as the same user; its exit code and what it says."""
        first = next(iter(_children(self._process.pid)), 0)
        enter = ("nsenter", "-t", str(first), "--mount", "--pid", "--uts", "--root", "--")
        process = await asyncio.create_subprocess_exec(
            *(*enter, *_as_inside(self.plan), *argv),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={"PATH": PATH},
        )
        try:
            said, _ = await asyncio.wait_for(process.communicate(), seconds)
        except TimeoutError:
            process.kill()
            await process.wait()
            return 124, "timed out"
        return process.returncode or 0, said.decode(errors="replace")

    def _signal(self, number: signal.Signals) -> None:
        for process in _children(self._process.pid):
            with suppress(ProcessLookupError):
                os.kill(process, number)


def is_possible() -> bool:
    """Whether this machine lets us make containers."""
    if any(shutil.which(name) is None for name in ("unshare", "setpriv", "nsenter")):
        return False
    probe = ["unshare", *_NAMESPACES, "--fork", "mount", "-t", "tmpfs", "none", "/mnt"]
    return subprocess.run(probe, capture_output=True, check=False).returncode == 0


def write_etc(folder: Path) -> Path:
    """The /etc of every container: what libraries read, and no more."""
    folder.mkdir(parents=True)
    for name in _ETC:
        source = Path("/etc", name)
        if source.is_dir():
            shutil.copytree(source, folder / name, symlinks=True)
        elif source.exists():
            shutil.copy(source, folder / name)
    (folder / "passwd").write_text(_USERS)
    (folder / "group").write_text("root:x:0:\nnonroot:x:65532:\n")
    shutil.rmtree(folder / "ssl" / "private", ignore_errors=True)
    return folder


async def _readable(descriptor: int) -> None:
    """Waits without a thread; the descriptor is closed afterwards."""
    loop = asyncio.get_running_loop()
    there = asyncio.Event()
    loop.add_reader(descriptor, there.set)
    try:
        await there.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


def _steps(plan: Plan) -> Iterator[str]:
    """The lines of a shell script that ends as the command."""
    root = shlex.quote(str(plan.root))
    yield f"mount -t tmpfs -o mode=0755 tmpfs {root}; cd {root}"
    yield "mkdir -p usr etc proc sys dev/shm tmp run var/tmp home/nonroot root opt"
    yield "chmod 1777 tmp var/tmp dev/shm; chown 65532:65532 home/nonroot"
    yield "mount -t proc proc proc; mount -o bind,ro /usr usr"
    yield f"cp -a {shlex.quote(str(plan.etc))}/. etc"
    yield from _links()
    for device in _DEVICES:
        yield f"touch dev/{device}; mount --bind /dev/{device} dev/{device}"
    yield "ln -s /proc/self/fd dev/fd; ln -s fd/1 dev/stdout; ln -s fd/2 dev/stderr"
    for mount in plan.mounts:
        yield from _bind(mount)
    if plan.read_only:
        yield "mount -o remount,ro ."
    yield f"exec 3>>{shlex.quote(str(plan.log))}"
    yield f"hostname {shlex.quote(plan.host_name)}"
    yield "echo >&0"
    command = shlex.join([*_as_inside(plan), *plan.argv])
    yield f"exec chroot . {command} </dev/null >&3 2>&3 3>&-"


def _links() -> Iterator[str]:
    for name in ("bin", "sbin", "lib", "lib32", "lib64"):
        place = Path("/", name)
        if place.is_symlink():
            yield f"ln -s {place.readlink()} {name}"
        elif place.is_dir():
            yield f"mkdir {name}; mount -o bind,ro {place} {name}"


def _bind(mount: Mount) -> Iterator[str]:
    source, target = shlex.quote(str(mount.source)), shlex.quote(mount.target.lstrip("/"))
    parent = shlex.quote(str(Path(mount.target.lstrip("/")).parent))
    yield f"mkdir -p {parent}"
    yield f"mkdir -p {target}" if mount.source.is_dir() else f"touch {target}"
    yield f"mount -o bind{',ro' if mount.read_only else ''} {source} {target}"


def _as_inside(plan: Plan) -> list[str]:
    """What stands before a command so that it runs as the container's own would."""
    settings = [f"{name}={value}" for name, value in plan.environ.items()]
    return [*plan.identity.command(), "/usr/bin/env", "-i", "-C", plan.workdir, *settings]


def _children(process: int) -> list[int]:
    """What the process has started, from whichever thread."""
    found: list[int] = []
    for file in Path(f"/proc/{process}/task").glob("*/children"):
        with suppress(OSError):
            found.extend(map(int, file.read_text().split()))
    return found


def _tree(processes: Sequence[int]) -> Iterator[int]:
    for process in processes:
        yield process
        yield from _tree(_children(process))


def _pss(process: int) -> int:
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)
