"""The registry documents that a command names: a file, a folder of entries, or `-` for the standard input.

In the flow: before `convert`, `validate` and `migrate`. A document is read as a stream, as often as a writer needs
it, so that one of any size takes no memory.
"""

from __future__ import annotations

import gzip
import re
import shlex
import shutil
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import msgspec

from thv.apps.cli.exits import CommandError
from thv.apps.cli.session import Session
from thv.domain.errors import Code, ThvError
from thv.formats.documents import (
    Container,
    DocumentReader,
    FolderReader,
    Format,
    Head,
    Item,
)
from thv.formats.folder import UnreadableFileError, parse_file
from thv.sources.disk import files_below
from thv.sources.folder import entry_paths, nearest

STDIN = "-"
_PIECE = 1 << 18
_YAML_LIMIT = 4 << 20
_YAML = (".yaml", ".yml", ".yaml.gz", ".yml.gz")
_MANIFEST = re.compile(rb"(?m)^apiVersion:")
_GZIP = b"\x1f\x8b"
_BLANK = b"\xef\xbb\xbf \t\r\n"


class Paper:
    """One document. `container` and `head` are known once its items were read to the end."""

    def __init__(self, path: Path, title: str, expected: Format | None = None) -> None:
        """`title` is what messages call it."""
        self.path = path
        self.title = title
        self.container: Container | None = None
        self.head = Head()
        self._expected = expected

    @property
    def format(self) -> Format:
        """The format that it is written in."""
        assert self.container is not None  # noqa: S101 # whoever asks has read it
        return self.container.written_in

    def items(self) -> Iterator[Item]:
        """Its entries and what is none, each time from the beginning; raises when it is no registry."""
        try:
            if self.path.is_dir():
                yield from self._folder()
            else:
                yield from self._file()
        except OSError as error:
            raise _unreadable(self.title, error) from error
        except ThvError as error:
            raise self._named(error) from error

    def _manifests(self) -> CommandError:
        return CommandError(
            Code.FORMAT_UNSUPPORTED,
            f"{self.title} is no registry document: found Kubernetes manifests",
            tries=[f"thv apply -f {shlex.quote(self.title)} --dry-run   (checks manifests)"],
        )

    def _named(self, error: ThvError) -> ThvError:
        """The error with the document in it."""
        message = error.message
        for general in ("this is", "the document"):
            if message.startswith(general):
                rest = message.removeprefix(general)
                named = f"{self.title} is{rest}" if general == "this is" else f"{self.title}{rest}"
                return ThvError(error.code, named, hint=error.hint, details=error.details)
        return error

    def _folder(self) -> Iterator[Item]:
        reader = FolderReader(self._expected)
        self.container = Container.FOLDER
        for name in entry_paths(files_below(self.path), f'the folder "{self.title}"'):
            yield reader.read_file(name, (self.path / name).read_bytes())
        reader.close()

    def _file(self) -> Iterator[Item]:
        with _opened(self.path) as file:
            pieces = _pieces(file, self.title)
            first = next(pieces, b"")
            if self._is_yaml(first):
                yield from self._yaml(_whole(first, pieces, self.title))
            else:
                yield from self._json(first, pieces)

    def _is_yaml(self, first: bytes) -> bool:
        """By its name; of what has none, whether it begins as `key: value` would."""
        if self.title.endswith(_YAML):
            return True
        begin = first.lstrip(_BLANK)[:1]
        return bool(begin) and "." not in Path(self.title).name and begin not in b'{[<"'

    def _json(self, first: bytes, pieces: Iterator[bytes]) -> Iterator[Item]:
        reader = DocumentReader(self._expected)
        yield from reader.feed(first)
        for piece in pieces:
            yield from reader.feed(piece)
        yield from reader.close()
        self.container, self.head = reader.container, reader.head

    def _yaml(self, content: bytes) -> Iterator[Item]:
        """One ToolHive entry, or any document that JSON could hold as well."""
        if _MANIFEST.search(content):
            raise self._manifests()
        try:
            value = parse_file("document.yaml", content)
            text = msgspec.json.encode(value)
        except (UnreadableFileError, TypeError, ValueError) as error:
            message = f"{self.title} is neither JSON nor YAML: {error}"
            raise ThvError(Code.FORMAT_UNSUPPORTED, message) from error
        if _is_entry(value):
            self.container = Container.FOLDER
            yield FolderReader(self._expected).read(Path(self.title).name, value)
        else:
            yield from self._json(text, iter(()))


def _is_entry(value: object) -> bool:
    """A lone entry has neither the members of a registry nor those of a manifest."""
    others = {"servers", "remote_servers", "data", "apiVersion"}
    return isinstance(value, dict) and others.isdisjoint(value) and len(value) > 1


@contextmanager
def open_paper(session: Session, place: str, expected: Format | None = None) -> Iterator[Paper]:
    """The document at a place; the standard input is kept in a file meanwhile, so that it can be read again."""
    if place != STDIN:
        path = Path(place)
        if not path.exists():
            raise missing(path)
        yield Paper(path, place, expected)
        return
    if session.asks:
        session.console.step("wait", "reading a registry from the terminal; end it with Ctrl-D")
    with tempfile.NamedTemporaryFile(prefix="thv-") as copy:
        shutil.copyfileobj(session.common.around.stdin, copy, _PIECE)
        copy.flush()
        yield Paper(Path(copy.name), "the standard input", expected)


def missing(path: Path) -> CommandError:
    """There is no such file; says what there is that is called like it."""
    folder = path.parent
    if not folder.is_dir():
        return CommandError(
            Code.PATH_NOT_FOUND, f'"{path}" does not exist: there is no folder "{folder}"'
        )
    names = (entry.name for entry in folder.iterdir())
    alike = [str(folder / name) for name in nearest(path.name, names, most=3)]
    return CommandError(Code.PATH_NOT_FOUND, f'"{path}" does not exist', suggestions=alike)


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    with path.open("rb") as file:
        packed = file.read(2) == _GZIP
        file.seek(0)
        if packed:
            with gzip.GzipFile(fileobj=file) as unpacked:
                yield unpacked  # type: ignore[misc] # it reads as every file does
        else:
            yield file


def _pieces(file: IO[bytes], title: str) -> Iterator[bytes]:
    try:
        while piece := file.read(_PIECE):
            yield piece
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ThvError(Code.FORMAT_INVALID, f"{title} is a damaged gzip file: {error}") from error


def _whole(first: bytes, pieces: Iterator[bytes], title: str) -> bytes:
    content = bytearray(first)
    for piece in pieces:
        content += piece
        if len(content) > _YAML_LIMIT:
            raise ThvError(
                Code.SIZE_LIMIT_EXCEEDED,
                f"{title} is YAML of more than {_YAML_LIMIT} bytes",
                hint="Write it as JSON, which is read as a stream.",
            )
    return bytes(content)


def _unreadable(title: str, error: OSError) -> ThvError:
    code = Code.FORBIDDEN if isinstance(error, PermissionError) else Code.PATH_NOT_FOUND
    return ThvError(code, f"{title} cannot be read: {error.strerror or error}")
