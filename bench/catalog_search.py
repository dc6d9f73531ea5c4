"""Whether people find what they seek: tasks in their own words over a dump of the official registry.

    python -m bench.catalog_search --dump FILE [--toolhive FILE]

A task is good when one of the first three servers is fit for it, which is told by words that name, title or description
must have. `FILE` is a JSON list of items of the official API; without one there is nothing to seek in.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.stores.catalogs.joining import Library, library
from tests.stores.models.world import World

from thv import data
from thv.domain.entry import Entry, Status
from thv.formats.toolhive import entry_of_toolhive
from thv.stores.catalogs.query import Listed, ListQuery
from thv.stores.catalogs.wishes import Wishes, load_vocabulary
from thv.stores.models.query import Sort

BAR = 0.8
TASKS = {
    "find me a server to query a postgres database": "postgres",
    "send slack messages": "slack",
    "I need to create tickets in jira": "jira|atlassian",
    "read and write google sheets spreadsheets": "sheet",
    "scrape a website and convert it to markdown": "scrap|crawl|markdown",
    "search for scientific papers": "paper|arxiv|academic",
    "manage kubernetes clusters": "kubernetes|k8s",
    "get the weather forecast for tomorrow": "weather|forecast",
    "control a web browser": "browser|playwright",
    "generate images from text": "image",
    "look up stock prices": "stock|financ",
    "post tweets on twitter": "twitter|tweet",
    "manage github pull requests": "github",
    "translate text into other languages": "translat",
    "send emails with gmail": "mail",
    "book flights and hotels": "flight|hotel|travel",
    "monitor application logs and errors": "log|error|monitor",
    "play music on spotify": "spotify|music",
    "store memories for an agent": "memor",
    "convert pdf documents": "pdf",
    "scan code for vulnerabilities": "vulnerab|scan",
    "edit notion pages": "notion",
    "run sql on snowflake": "snowflake",
    "deploy apps to cloudflare": "cloudflare",
    "analyse figma designs": "figma",
    "manage my calendar appointments": "calendar",
    "accept payments with stripe": "stripe|payment",
    "find directions on a map": "map|direction|route|geocod",
    "transcribe youtube videos": "youtube|transcri",
    "query elasticsearch indexes": "elastic",
    "check whether domain names are available": "domain",
    "crypto currency prices": "crypto|coin|token",
    "a tool that can summarize long articles": "summar",
    "track tasks and todo lists": "task|todo",
    "query mongodb collections": "mongo",
    "automate docker containers": "docker|container",
    "read files from my computer": "file",
    "search real estate listings": "real estate|propert",
    "get sports scores": "sport|football|nba|soccer",
    "look up recipes": "recipe|food|cook",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dump", default="")
    parser.add_argument("--toolhive", default="")
    arguments = parser.parse_args()
    if not arguments.dump:
        print("nothing to seek in: name a dump with --dump")
        return
    contents = [("official", 2, World(*official(arguments.dump)))]
    if arguments.toolhive:
        contents.append(("toolhive", 0, World(*toolhive(arguments.toolhive))))
    with tempfile.TemporaryDirectory() as name, library(Path(name)) as shelves:
        asyncio.run(fill(shelves, contents))
        sys.exit(0 if judged(shelves) else 1)


async def fill(shelves: Library, contents: list[tuple[str, int, World]]) -> None:
    for name, trust, world in contents:
        await shelves.put(world, name, trust=trust)


def official(dump: str) -> Iterator[Entry]:
    for item in json.loads(Path(dump).read_text("utf-8-sig")):
        said: dict[str, Any] = item["_meta"]["io.modelcontextprotocol.registry/official"]
        yield Entry(
            server=item["server"],
            status=Status(said.get("status", "active")),
            published_at=said.get("publishedAt", ""),
            updated_at=said.get("updatedAt", ""),
            marked_latest=said.get("isLatest", False),
        )


def toolhive(file: str) -> Iterator[Entry]:
    document = json.loads(Path(file).read_bytes())
    for section in ("servers", "remote_servers"):
        for key, value in document[section].items():
            yield entry_of_toolhive(key, value, section=section)


def judged(shelves: Library) -> bool:
    names = [name for _, name in shelves.joined]
    wishes, good, took = Wishes(load_vocabulary(data.read("search.json"))), 0, list[float]()
    for text, fit in TASKS.items():
        began = time.process_time()
        query = ListQuery(wish=wishes.wish(text), sort=Sort.RELEVANCE)
        rows = shelves.page(query, *names, limit=3).rows
        took.append((time.process_time() - began) * 1000)
        is_good = any(re.search(fit, said(row)) for row in rows)
        good += is_good
        print(f"{'ok' if is_good else '--'}  {text:46} {', '.join(row.key for row in rows)}")
    is_met = good >= BAR * len(TASKS)
    print(
        f"{good} of {len(TASKS)} tasks (bar {BAR:.0%}), {max(took):.1f} ms of processor time at most"
    )
    return is_met


def said(row: Listed) -> str:
    """What a person reads of a server in a list."""
    texts = re.findall(rb'"(?:name|display_name|description)":"([^"]*)"', row.body[:1000])
    return b" ".join(texts[:3]).decode().lower()


if __name__ == "__main__":
    main()
