"""Style sheets, scripts and pictures of the pages, under names that change with their content.

In the flow: read once; a browser keeps them for ever, because the next release has other names.
"""

from __future__ import annotations

import hashlib
from importlib import resources

from thv.apps.kit.http.endpoints import Call
from thv.apps.kit.http.message import Answer
from thv.apps.kit.http.problems import ProblemError, Word

_TYPES = {
    "css": b"text/css; charset=utf-8",
    "js": b"text/javascript; charset=utf-8",
    "svg": b"image/svg+xml",
}
_FOR_EVER = (b"cache-control", b"public, max-age=31536000, immutable")


class Assets:
    """The files, and the digest of all of them."""

    def __init__(self) -> None:
        folder = resources.files("thv.apps.dashboard") / "static"
        self._files = {
            each.name: each.read_bytes()
            for each in sorted(folder.iterdir(), key=lambda each: each.name)
            if each.name.rpartition(".")[2] in _TYPES
        }
        digest = hashlib.sha256()
        for name, content in self._files.items():
            digest.update(name.encode() + b"\0" + content)
        self.digest = digest.hexdigest()[:16]

    def url(self, name: str) -> str:
        """Where a file is; raises KeyError for one that there is not."""
        _ = self._files[name]
        return f"/static/{self.digest}/{name}"

    def answer(self, call: Call) -> Answer:
        """A file; an old name gives what is there now, as a page of before may still ask."""
        name = call.names["file"]
        content = self._files.get(name)
        if content is None:
            raise ProblemError(
                Word.NOT_FOUND,
                "There is no such file.",
                hint="Load the page anew: it names those there are.",
            )
        kept = _FOR_EVER if call.names["digest"] == self.digest else (b"cache-control", b"no-cache")
        tag = (b"etag", f'"{self.digest}-{name}"'.encode())
        kind = _TYPES[name.rpartition(".")[2]]
        return Answer(200, ((b"content-type", kind), kept, tag), content)
