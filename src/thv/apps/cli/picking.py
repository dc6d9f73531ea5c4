"""Which entry of which registry is meant where something is to be made of it: one, or nothing is done.

In the flow: before a server is installed. To show a server the most trusted registry will do; to install one, whoever
asks says which registry it is, unless only one has it.
"""

from __future__ import annotations

from collections.abc import Sequence

from thv.apps.cli.choosing import again
from thv.apps.cli.exits import CommandError
from thv.apps.cli.locating import Located, locate
from thv.apps.cli.reading import Book, open_book, require_book
from thv.apps.cli.registries import Shelf, every, find, plain_name
from thv.apps.cli.session import Session
from thv.domain.errors import Code, ThvError


async def the_one(session: Session, server: str, registry: str) -> Located:
    """The entry in the registry that was named, or in the only one that holds it."""
    if registry:
        shelf = await shelf_of(session, registry)
        return locate([await require_book(session, shelf)], server)
    near = await every(session)
    try:
        located = locate(await _opened(session, near), server)
    except CommandError as error:
        far = [shelf for shelf in await _everywhere(session) if shelf.namespace not in _of(near)]
        if error.code is not Code.NOT_FOUND or not far:
            raise
        located = locate(await _opened(session, far), server)
    if located.others:
        raise _ambiguous(session, located)
    return located


async def shelf_of(session: Session, registry: str) -> Shelf:
    """The registry NAME of the namespace, else of any other, or NAMESPACE/NAME."""
    space, _, name = plain_name(registry).rpartition("/")
    near = [] if space else [shelf for shelf in await every(session) if shelf.name == name]
    if near:
        return near[0]
    known = [shelf for shelf in await _everywhere(session) if shelf.name == name]
    found = [shelf for shelf in known if space in ("", shelf.namespace)]
    if not found:
        return await find(session, registry)  # which says what there is
    if len(found) > 1:
        raise CommandError(
            Code.INVALID,
            f'{len(found)} namespaces have a registry "{name}"',
            tries=[f"--registry {shelf.namespace}/{name}" for shelf in found],
            details={"namespaces": [shelf.namespace for shelf in found]},
        )
    return found[0]


async def _everywhere(session: Session) -> list[Shelf]:
    """The registries of all namespaces; none where one may not look."""
    try:
        return await every(session, all_namespaces=True)
    except ThvError as error:
        if error.code is Code.FORBIDDEN:
            return []
        raise


async def _opened(session: Session, shelves: Sequence[Shelf]) -> list[Book]:
    books = [await open_book(session, shelf) for shelf in shelves]
    return [book for book in books if book is not None]


def _of(shelves: Sequence[Shelf]) -> set[str]:
    return {shelf.namespace for shelf in shelves}


def _ambiguous(session: Session, located: Located) -> CommandError:
    books = [located.book, *located.others]
    names = [
        book.name if book.shelf.namespace == session.namespace else _full(book) for book in books
    ]
    return CommandError(
        Code.INVALID,
        f'{len(books)} registries hold "{located.server.key}": {", ".join(names)}',
        tries=[again(session.common, "--registry", name) for name in names],
        details={"name": located.server.key, "registries": names},
    )


def _full(book: Book) -> str:
    return book.name if book.shelf.file else f"{book.shelf.namespace}/{book.name}"
