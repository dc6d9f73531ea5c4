"""A document of this machine as a ConfigMap carries it to a cluster.

In the flow: behind `thv registry migrate`, and `thv registry add --file` on a cluster.
"""

from __future__ import annotations

from codecs import getincrementaldecoder
from collections.abc import Iterator
from pathlib import Path

from thv.apps.cli.converting import Conversion
from thv.apps.cli.documents import Paper, open_paper
from thv.apps.cli.migrating import config_map, metadata, pack
from thv.apps.cli.output import counted
from thv.apps.cli.session import Session
from thv.domain.canonical import JsonObject
from thv.domain.errors import Code, ThvError
from thv.formats.documents import Container

_PIECE = 1 << 18
_JSON_CONTAINERS = (
    Container.TOOLHIVE,
    Container.ENVELOPE,
    Container.PAGE,
    Container.ARRAY,
    Container.SINGLE,
)


def carried(session: Session, path: str, name: str) -> tuple[JsonObject, JsonObject]:
    """The ConfigMap that holds a file, and the source that reads it."""
    with open_paper(session, path) as paper:
        survey(session, paper)
        packed = pack(content(paper))
    meta = metadata(own_config_map(name), session.namespace)
    source = {"type": "configmap", "configMap": {"name": meta["name"], "key": packed.key}}
    return config_map(meta, packed), source


def own_config_map(name: str) -> str:
    """The ConfigMap with the entries of a registry that has no other source."""
    return f"{name}-servers"


def survey(session: Session, paper: Paper) -> int:
    """How many entries there are; raises when it is no registry, and names what is damaged."""
    conversion = Conversion(paper, None)
    damaged = [remark for remark in conversion.remarks if remark.kind == "damaged"]
    for remark in damaged[:10]:
        session.console.step("fail", f"damaged: {remark.subject}: {remark.reason}")
    if damaged:
        many = counted(len(damaged), "entry is", "entries are")
        session.console.step("note", f"{many} damaged and will not be in the registry")
    if not conversion.read:
        raise ThvError(
            Code.EMPTY,
            f"{paper.title} holds no entry",
            hint="A registry of nothing never becomes ready; add an entry first.",
        )
    return conversion.read


def content(paper: Paper) -> Iterator[bytes]:
    """A JSON document as it is; of anything else a document in its format."""
    if not (paper.container in _JSON_CONTAINERS and _is_json_text(paper.path)):
        yield from Conversion(paper, paper.format).document()
        return
    with paper.path.open("rb") as file:
        while piece := file.read(_PIECE):
            yield piece


def _is_json_text(path: Path) -> bool:
    """Whether a file is not YAML, not compressed, and UTF-8 to its end: one damaged entry may hold other bytes."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        if file.read(64).lstrip(b"\xef\xbb\xbf \t\r\n")[:1] not in (b"{", b"["):
            return False
        file.seek(0)
        decoder = getincrementaldecoder("utf-8")()
        try:
            while piece := file.read(_PIECE):
                decoder.decode(piece)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return False
    return True
