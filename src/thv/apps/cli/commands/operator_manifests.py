"""`thv operator manifests` and `thv operator images`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from thv.apps.cli.command import command
from thv.apps.cli.operating.choices import (
    Choices,
    chosen,
    home_of,
    image_options,
    installation_options,
)
from thv.apps.cli.operating.text import documents
from thv.apps.cli.options import option
from thv.apps.cli.output import OUTPUT_VERSION, json_of, print_value
from thv.apps.cli.session import Session
from thv.apps.cli.writing import STDOUT, require_writable, write_out
from thv.formats.install import Installation, kinds, render


@command(
    "manifests",
    examples=(
        "thv operator manifests | kubectl apply --server-side -f -",
        "thv operator manifests --image-registry registry.corp.example/mcp --output install.yaml",
        "thv operator manifests --scope namespace --watch-namespace team-a -n mcp",
    ),
    outputs=("yaml", "json"),
    about="machine",
)
@installation_options
@option("--skip-crds", is_flag=True, help="Leave out the kinds.")
@option(
    "--output",
    "file",
    default=STDOUT,
    metavar="FILE",
    help="File to write, - for the output (default).",
)
async def manifests(
    session: Session, *, home: str, skip_crds: bool, file: str, **given: Any
) -> None:
    """Print everything that an installation consists of, for kubectl or a GitOps repository.

    No cluster is asked. What is printed without options is deploy/install.yaml.
    """
    if file != STDOUT:
        require_writable(Path(file))
    wanted = chosen(Installation(), home_of(session, home), Choices(**given))
    objects = [*([] if skip_crds else kinds()), *render(wanted)]
    if session.output == "json":
        text = json_of({"apiVersion": "v1", "kind": "List", "items": objects})
    else:
        text = documents(objects)
    size = write_out(session.console, file, [text.encode()])
    if file != STDOUT:
        session.console.step("ok", f"wrote {len(objects)} objects to {file} ({size:,} bytes)")


@command(
    "images",
    examples=(
        "thv operator images",
        "thv operator images --image-registry registry.corp.example/mcp -o json",
    ),
    outputs=("text", "json", "yaml"),
    about="machine",
)
@image_options
async def images(session: Session, **given: Any) -> None:
    """List the images that an installation pulls, those of the pods that the operator makes included."""
    image = chosen(Installation(), "", Choices(**given)).image
    if session.output == "text":
        session.console.data(f"{image}\n")
        return
    uses = ["operator", "registry-api"]
    body = {"kind": "ImageList", "items": [{"image": image, "runs": uses}]}
    print_value({"apiVersion": OUTPUT_VERSION, **body}, session.output, session.console)
