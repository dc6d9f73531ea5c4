"""Which server a name means, in one registry or in all of them.

In the flow: before one server is shown. An exact name wins; the last part of an official name will do where it means
one server only. Of several registries that hold it the most trusted one answers, and the others are named.
"""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Iterable, Sequence

import msgspec

from thv.apps.cli.exits import CommandError
from thv.apps.cli.finding import TRUST_ORDER
from thv.apps.cli.output import counted
from thv.apps.cli.reading import Book
from thv.domain.errors import Code
from thv.stores.models import lookup
from thv.stores.models.lookup import Server, Version
from thv.stores.models.query import LATEST
from thv.stores.models.view import View
from thv.stores.models.words import folded

_BY_SHORT = "SELECT name FROM server WHERE short = ? AND born <= ? AND died > ? LIMIT 50"
_ALIKE = "SELECT DISTINCT key, short FROM server WHERE born <= ? AND died > ? AND length(short) BETWEEN ? AND ?"
_MOST_NAMES = 20_000


class Located(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a server, and where else the server is."""

    book: Book
    server: Server
    """Its latest version."""
    version: Version
    others: tuple[Book, ...] = ()


def locate(books: Sequence[Book], text: str) -> Located:
    """The server behind NAME or NAME@VERSION; raises with what was perhaps meant."""
    name, _, version = text.rpartition("@")
    for wanted, chosen in ((text, LATEST), (name, version)):
        if wanted and chosen and (holders := _holders(books, wanted)):
            return _chosen(holders, wanted, chosen)
    raise _unknown(books, name or text)


Holder = tuple[Book, Server]


def _holders(books: Sequence[Book], wanted: str) -> list[Holder]:
    """The registries that hold the server, the most trusted one first."""
    found = _exact(books, wanted) or _short(books, wanted)
    return sorted(found, key=lambda holder: (TRUST_ORDER[holder[0].trust], holder[0].name))


def _exact(books: Sequence[Book], wanted: str) -> list[Holder]:
    servers = ((book, lookup.server(book.view, wanted)) for book in books)
    return [(book, server) for book, server in servers if server is not None]


def _short(books: Sequence[Book], wanted: str) -> list[Holder]:
    """By the last part of the name; raises when that part means several servers."""
    names = sorted({name for book in books for name in _named_short(book.view, wanted)})
    if len(names) > 1:
        raise CommandError(
            Code.INVALID,
            f'"{wanted}" is the short name of {len(names)} servers',
            suggestions=names[:10],
            tries=[f"thv show {names[0]}", f"thv search {wanted}"],
            details={"names": names},
        )
    return _exact(books, names[0]) if names else []


def _named_short(view: View, wanted: str) -> list[str]:
    rows = view.ask(_BY_SHORT, (folded(wanted), view.id, view.id)).fetchall()
    return [name for (name,) in rows]


def _chosen(holders: list[Holder], wanted: str, text: str) -> Located:
    """The version in the first registry that has it."""
    for book, server in holders:
        version = lookup.version(book.view, server.name, text)
        if version is not None:
            others = tuple(other for other, _ in holders if other is not book)
            return Located(book=book, server=server, version=version, others=others)
    raise _no_version(holders, wanted, text)


def versions_of(book: Book, server: Server) -> list[Version]:
    """Every version that the registry serves, the newest first."""
    found = lookup.versions(book.view, server.name)
    reads = lookup.newest_first([lookup.read(book.view, version) for version in found])
    return [read.version for read in reads]


def _no_version(holders: list[Holder], wanted: str, text: str) -> CommandError:
    book, server = holders[0]
    known = [version.version for version in versions_of(book, server)]
    alike = difflib.get_close_matches(text, known, n=3, cutoff=0.5) or known[:3]
    return CommandError(
        Code.NOT_FOUND,
        f'server "{wanted}" has no version "{text}" in {_places([book for book, _ in holders])}',
        suggestions=[f"{wanted}@{version}" for version in alike],
        tries=[book.shelf.command("show", wanted, "--versions")],
        details={"name": server.name, "versions": known[:100]},
    )


def _unknown(books: Sequence[Book], wanted: str) -> CommandError:
    alike = _alike(books, wanted)
    word = wanted.rpartition("/")[2]
    return CommandError(
        Code.NOT_FOUND,
        f'server "{wanted}" not found in {_places(books)}',
        suggestions=alike,
        tries=[shlex.join(["thv", "search", *([word] if word else [])])]
        if books
        else ["thv registry list"],
        details={"name": wanted, "registries": [book.name for book in books]},
    )


def _places(books: Sequence[Book]) -> str:
    if len(books) == 1:
        return f'the registry "{books[0].name}"'
    return counted(len(books), "registry", "registries")


def _alike(books: Sequence[Book], wanted: str) -> list[str]:
    """Names of which the last part looks like the wanted one, the whole name as one types it."""
    last = folded(wanted.rpartition("/")[2])
    names: dict[str, list[str]] = {}
    for book in books:
        for key, short in _of_like_length(book.view, len(last)):
            names.setdefault(short, []).append(key)
    best = difflib.get_close_matches(last, names, n=3, cutoff=0.7)
    return _first(key for short in best for key in sorted(set(names[short])))


def _of_like_length(view: View, length: int) -> list[tuple[str, str]]:
    low, high = max(1, length * 2 // 3 - 1), length * 3 // 2 + 2
    rows = view.ask(_ALIKE, (view.id, view.id, low, high))
    found: list[tuple[str, str]] = rows.fetchmany(_MOST_NAMES)
    return found


def _first(names: Iterable[str], most: int = 3) -> list[str]:
    return list(dict.fromkeys(names))[:most]
