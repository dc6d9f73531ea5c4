"""A cluster to try things on by hand: `python -m tests.control_plane` (Ctrl-C ends it and leaves nothing behind)."""

from __future__ import annotations

import contextlib
import signal
import tempfile
from pathlib import Path

from tests.control_plane import sandbox
from tests.control_plane.binaries import find_or_build
from tests.control_plane.images import product_image, python_image
from tests.control_plane.kubelet import kubelet_of
from tests.control_plane.plane import control_plane_in


def main() -> None:
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="toolhive-cluster-")))
        plane = stack.enter_context(control_plane_in(folder, find_or_build()))
        if sandbox.is_possible():
            images = [python_image(), product_image(folder / "product")]
            (folder / "kubelet").mkdir()
            stack.enter_context(kubelet_of(plane, folder / "kubelet", images))
        print(f"export KUBECONFIG={plane.kubeconfig}")
        print(f"alias kubectl={plane.binaries.path('kubectl')}", flush=True)
        signal.pause()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt):
        main()
