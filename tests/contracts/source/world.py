"""What the suite asks of a kind of source, besides the source itself.

A kind takes part with one file here, `world_<kind>.py`, that holds

    @asynccontextmanager
    async def open_world(folder: Path) -> AsyncIterator[World]: ...

`folder` is empty and the kind's own. The suite finds the file by its name; nothing else is to be edited.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Protocol

from thv.sources.base import Document, Fetched, Pages, Source

CANARY = "canary-7f3a9c5e"
"""A world that needs a credential uses this text as the secret in it; it must show up nowhere."""


class World(Protocol):
    """A place that a test changes, and the source that looks at it."""

    def publish(self, names: Sequence[str]) -> None:
        """From now on the content is these servers, in this order, and no others."""
        ...

    def remove(self) -> None:
        """From now on nothing is there: no such file, object, branch, path."""
        ...

    def shut(self) -> None:
        """From now on the place cannot be reached or refuses; raises NotImplementedError where that cannot be."""
        ...

    def source(self) -> Source:
        """The source of one unchanging spec, opened anew as after a restart."""
        ...

    def other(self) -> Source:
        """A source of the same kind whose spec differs in what identifies the content."""
        ...

    def small(self) -> Source:
        """The source with a limit of 1,000 bytes of content; raises NotImplementedError where there is none."""
        ...


def document_of(names: Sequence[str]) -> bytes:
    """A document of servers with these names, for kinds whose content is one file."""
    servers = [
        {"server": {"name": name, "description": f"Server {name}", "version": "1.0.0"}}
        for name in names
    ]
    return json.dumps({"servers": servers}).encode()


async def names_in(fetched: Fetched) -> list[str]:
    """The names of what was fetched, sorted; reads it to its end."""
    assert isinstance(fetched, Document | Pages), fetched
    return sorted(set(re.findall(r'"name": ?"([^"]+)"', (await content_of(fetched)).decode())))


async def content_of(fetched: Document | Pages) -> bytes:
    """Everything that was fetched, joined."""
    content = b""
    if isinstance(fetched, Document):
        async for part in fetched.parts:
            async for chunk in part.chunks:
                content += chunk
    else:
        async for page in fetched.pages:
            content += b"".join(bytes(item) for item in page.items)
    return content
