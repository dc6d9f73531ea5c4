"""What somebody does with a bundle where there is no way out: run in a network namespace of its own.

    unshare --net --map-root-user python -m tests.apps.cli.closed_side HOME BUNDLE DIGEST

Loopback alone is there, so that a server can be asked.
"""

from __future__ import annotations

import errno
import fcntl
import json
import socket
import struct
import sys
from pathlib import Path
from typing import Any

from tests.apps.standalone.process import Process, run

_SIOCSIFFLAGS, _UP = 0x8914, 1


def main(home: Path, bundle: str, digest: str) -> None:
    """Prints what the closed side serves, as JSON."""
    _raise_loopback()
    _require_no_way_out()
    data = {"THV_DATA": str(home / "data")}
    done = run(home, "catalog", "load", bundle, "--digest", digest, **data)
    if done.returncode:
        sys.exit(done.stderr)
    found: dict[str, Any] = {}
    with Process(home, "serve", "--port", "0", **data) as serving:
        serving.until_served("/r/default/corp/api/v1/servers")
        serving.until(lambda: serving.get("/api/v1/mcp_servers").json.get("servers"))
        for what in ("servers", "tools"):
            there = ("--server", f"http://127.0.0.1:{serving.port}")
            found[what] = _json(home, "catalog", what, *there)["items"]
    # Without a service, too: manifests for a cluster that has no way out either.
    made = _json(home, "catalog", "generate", "--server", "osv", **data)
    print(json.dumps({**found, "manifests": made["manifests"]}))


def _json(home: Path, *words: str, **environ: str) -> Any:
    done = run(home, *words, "-o", "json", **environ)
    if done.returncode:
        sys.exit(done.stderr)
    return json.loads(done.stdout)


def _raise_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", _UP))


def _require_no_way_out() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        found = probe.connect_ex(("192.0.2.1", 53))
    if found != errno.ENETUNREACH:
        sys.exit(f"there is a way out: {errno.errorcode.get(found, found)}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
