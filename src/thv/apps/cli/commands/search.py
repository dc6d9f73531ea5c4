"""`thv search`."""

from __future__ import annotations

import shlex

import click

from thv.apps.cli.command import TABLES, command
from thv.apps.cli.completion import registry_names
from thv.apps.cli.exits import CommandError
from thv.apps.cli.filters import LIMIT, SELECTOR, TAGS, TIERS, TOOLS, TRANSPORTS, TRUSTS
from thv.apps.cli.finding import Found, find_servers, object_of, text_of, texts_of
from thv.apps.cli.options import option
from thv.apps.cli.output import Column, Listing, counted, print_list
from thv.apps.cli.reading import open_books
from thv.apps.cli.registries import every, find
from thv.apps.cli.session import Session
from thv.domain.canonical import JsonObject
from thv.domain.errors import Code
from thv.domain.selectors import parse_selector
from thv.stores.models.query import Search, Where, parse_search


def _info(entry: JsonObject) -> JsonObject:
    """What the registry says of the entry."""
    return object_of(entry, "registry_info")


LISTING = Listing[JsonObject](
    kind="ServerList",
    name=lambda entry: text_of(entry, "name"),
    value=lambda entry: entry,
    columns=(
        Column(title="NAME", cell=lambda entry: text_of(entry, "name")),
        Column(title="REGISTRY", cell=lambda entry: text_of(_info(entry), "name")),
        Column(title="TRUST", cell=lambda entry: text_of(_info(entry), "trust_level"), spare=2),
        Column(title="TIER", cell=lambda entry: text_of(entry, "tier"), spare=4),
        Column(title="TRANSPORT", cell=lambda entry: text_of(entry, "transport"), spare=3),
        Column(
            title="TOOLS",
            cell=lambda entry: str(len(texts_of(entry, "tools"))),
            number=True,
            spare=5,
        ),
        Column(title="STATUS", cell=lambda entry: text_of(entry, "status"), wide=True),
        Column(
            title="DESCRIPTION",
            cell=lambda entry: text_of(entry, "description"),
            stretch=True,
            spare=1,
        ),
    ),
)


@command(
    "search",
    examples=(
        "thv search --category database",
        "thv search postgres --trust trusted",
        "thv search --tool query --transport stdio -o name",
        'thv search -l "tier=Official,category in (database,search)" -o json',
    ),
    outputs=TABLES,
    served="thv.apps.cli.served.servers:search",
)
@click.argument("query", nargs=-1)
@option("--category", "categories", multiple=True, metavar="C", help="One of these subjects.")
@TAGS
@TOOLS
@TIERS
@TRANSPORTS
@option(
    "--status",
    "statuses",
    multiple=True,
    type=click.Choice(["active", "deprecated"], case_sensitive=False),
    help="One of these states.",
)
@TRUSTS
@option(
    "--registry",
    "registries",
    multiple=True,
    metavar="R",
    help="Only these registries.",
    shell_complete=registry_names,
)
@option("-A", "--all-namespaces", is_flag=True, help="Registries of every namespace.")
@SELECTOR
@LIMIT
async def search(
    session: Session,
    *,
    query: tuple[str, ...],
    categories: tuple[str, ...],
    tags: tuple[str, ...],
    tools: tuple[str, ...],
    tiers: tuple[str, ...],
    transports: tuple[str, ...],
    statuses: tuple[str, ...],
    trusts: tuple[str, ...],
    registries: tuple[str, ...],
    all_namespaces: bool,
    selector: str,
    limit: int,
) -> None:
    """Find servers in all registries.

    Words of QUERY must each begin a word of the name, title, description, tags or tools; "quoted words" must
    stand together.
    """
    where = Where(
        categories=categories,
        tags=tags,
        tools=tools,
        tiers=tiers,
        transports=transports,
        statuses=statuses,
        trust_levels=trusts,
        labels=parse_selector(selector).requirements,
        search=_search(" ".join(query)),
    )
    if registries:
        shelves = [await find(session, name) for name in dict.fromkeys(registries)]
    else:
        shelves = await every(session, all_namespaces=all_namespaces)
    found = find_servers(await open_books(session, shelves), where, limit)
    print_list(
        LISTING,
        [hit.entry for hit in found.hits],
        session.output,
        session.console,
        headers=session.headers,
        matched=found.matched,
        total=found.total,
    )
    _remark(session, found, limit, words=" ".join(query), known=len(shelves))


def _search(text: str) -> Search | None:
    if not text.strip():
        return None
    try:
        return parse_search(text)
    except ValueError as error:
        raise CommandError(Code.INVALID, f"the search is too long: {error}") from error


def _with_limit(session: Session, limit: int) -> str:
    """The same command line with another limit."""
    words = list(session.common.argv)
    for place, word in enumerate(words):
        if word.startswith("--limit"):
            del words[place : place + (1 if "=" in word else 2)]
            break
    return shlex.join([*session.common.program.split(), *words, "--limit", str(limit)])


def _wider(session: Session, words: str) -> str:
    """What finds a task in words: the catalog takes what has most of them."""
    if not words:
        return ""
    return f". Try: {session.program} catalog servers --search {shlex.quote(words)}"


def _remark(session: Session, found: Found, limit: int, *, words: str, known: int) -> None:
    """How much of what there is was shown, and where to go on."""
    console = session.console
    if not known:
        console.step("note", "there is no registry yet")
        console.hint("Add one: thv registry add NAME --url URL     or: thv dev")
    elif not found.matched:
        console.step(
            "note", f"none of {counted(found.total, 'server')} matches{_wider(session, words)}"
        )
    elif found.matched > len(found.hits):
        more = _with_limit(session, found.matched)
        console.step(
            "note", f"{limit} of {counted(found.matched, 'match', 'matches')} shown; all: {more}"
        )
    else:
        hit = found.hits[0]
        details = hit.book.shelf.command("show", hit.name, "--registry", hit.book.name)
        console.hint(f"{found.matched:,} of {counted(found.total, 'server')}. Details: {details}")
