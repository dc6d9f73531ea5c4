"""What stands in front of a bundle: what it is, and the commands that come next.

In the flow: last of `parts`.
"""

from __future__ import annotations

from collections.abc import Sequence

from thv.catalog.bundle.carried import Image
from thv.formats.bundle import Catalog


def readme(catalog: Catalog, images: Sequence[Image], *, is_applied: bool) -> bytes:
    """The text as Markdown."""
    parts = (
        _HEAD.format(catalog=catalog),
        _CHECK,
        _images(images, catalog.image_registry),
        _CLUSTER if is_applied else _TOO_LARGE.format(name=catalog.name),
        _MACHINE.format(name=catalog.name),
        _FILES,
    )
    return "\n\n".join(part for part in parts if part).encode() + b"\n"


_HEAD = """\
# {catalog.name}

{catalog.servers:,} MCP servers of the registry {catalog.source}, as they were at {catalog.created}.
Snapshot `{catalog.snapshot}`, trust level {catalog.trust_level}."""

_CHECK = """\
## Check it

Compare the digest with the one that was printed when the bundle was made:

```
thv catalog verify . --digest sha256:...
```

Without `thv`, `sha256sum bundle.json` prints it, and `bundle.json` lists the digest of every other file."""

_CLUSTER = """\
## On a cluster

```
kubectl apply -n NAMESPACE -f manifests/
kubectl wait -n NAMESPACE --for=condition=Ready mcpreg --all --timeout=180s
```"""

_TOO_LARGE = """\
## On a cluster

The registry is too large for a ConfigMap. Put `registry.json` where the cluster can fetch it, and add it by its URL:

```
thv registry add {name} --url https://HOST/registry.json --context CLUSTER
```"""

_MACHINE = """\
## On one machine

```
thv catalog load .
thv serve
thv catalog servers {name}
```"""

_FILES = """\
## Files

- `registry.json`: the registry in ToolHive's format
- `registry.upstream.json`: the same in the official format
- `images.txt`: every image, where it is pulled from and where it is run from
- `manifests/`: what a cluster needs to serve it
- `docs/`: a page for each server
- `bundle.json`: every file by its digest; it is the manifest of an OCI artifact"""


def _images(images: Sequence[Image], registry: str) -> str:
    if not images:
        return ""
    if not registry:
        return f"## Images\n\n{len(images):,} images must be where they are pulled from; `images.txt` lists them."
    loose = sum(not each.is_pinned for each in images)
    warning = (
        f"\n\nNobody knows the digest of {loose:,} of them: what their tags mean may change."
        if loose
        else ""
    )
    return f"## Images\n\n{_COPY.format(count=len(images), registry=registry)}{warning}"


_COPY = """\
{count:,} images have to be in {registry}. Where both registries can be reached:

```
while read -r from to; do crane copy "$from" "$to"; done < images.txt
```"""
