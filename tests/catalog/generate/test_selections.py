"""Selections by chance, without a cluster: what comes of each is what was asked for, and the same each time.

`THV_CASES` gives their number; `tests/apps/catalog_api/test_generation_cluster.py` applies them.
"""

from __future__ import annotations

import os

import msgspec
import pytest
import yaml

from tests.catalog.generate.requests import NAMESPACE, held, read_back
from tests.catalog.generate.selections import Pool, Selection
from tests.catalog.generate.test_manifests import document
from thv.catalog.generate.files import archive, documents
from thv.catalog.generate.manifests import Generation, generate
from thv.catalog.generate.request import parse_request
from thv.catalog.generate.resolve import resolve
from thv.domain.entry import Entry
from thv.domain.facts import facts_of
from thv.domain.resources import annotations_of
from thv.formats.toolhive import placed_entry

CASES = int(os.environ.get("THV_CASES", "200").replace("all", "5000"))


@pytest.fixture(scope="module")
def pool() -> Pool:
    return Pool()


@pytest.fixture(scope="module")
def entries(pool: Pool) -> dict[str, Entry]:
    read = [
        *read_back(msgspec.json.encode(pool.toolhive)),
        *read_back(msgspec.json.encode(pool.official)),
    ]
    return {facts_of(entry).key: entry for entry in read}


def made(selection: Selection, entries: dict[str, Entry]) -> Generation:
    request = parse_request(selection.body, NAMESPACE)
    found = [
        resolve(index, choice, [held(entries[choice.name])])
        for index, choice in enumerate(request.servers)
    ]
    return generate(request, found)


@pytest.mark.requirement("CAT-07")
def test_what_is_generated_is_what_was_chosen(pool: Pool, entries: dict[str, Entry]) -> None:
    for seed in range(CASES):
        selection = pool.selection(seed, f"r{seed}")
        generation = made(selection, entries)
        back = sorted(read_back(document(generation.config_map)), key=lambda e: facts_of(e).key)
        assert [(facts_of(e).key, e.version) for e in back] == [
            (wanted.key, wanted.version) for wanted in selection.servers
        ], seed
        for entry, wanted in zip(back, selection.servers, strict=True):
            value = placed_entry(entry).value
            assert tuple(facts_of(entry).tools) == wanted.tools, (seed, wanted)
            assert (value.get("image") if wanted.image else None) == wanted.image, (seed, wanted)
            defaults = {
                v["name"]: v["default"] for v in value.get("env_vars", ()) if "default" in v
            }
            assert defaults == wanted.defaults, (seed, wanted)
        configs = {
            annotations_of(obj)["toolhive.stacklok.io/server-name"]: obj["spec"]
            for obj in generation.tool_configs
        }
        assert configs == selection.configs, seed


@pytest.mark.requirement("CAT-07")
def test_it_is_the_same_to_the_byte(pool: Pool, entries: dict[str, Entry]) -> None:
    for seed in range(0, CASES, 4):
        first, again = (made(pool.selection(seed, "r"), entries) for _ in range(2))
        assert msgspec.json.encode(first.manifests) == msgspec.json.encode(again.manifests)
        text = documents(first.manifests)
        assert text == documents(again.manifests)
        assert list(yaml.safe_load_all(text)) == first.manifests, seed
        assert archive(first) == archive(again)
