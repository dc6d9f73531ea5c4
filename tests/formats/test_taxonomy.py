from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from thv.data import read
from thv.domain.errors import InvalidError
from thv.domain.taxonomy import Taxonomy
from thv.formats.taxonomy import load_taxonomy

GENERIC = {"mcp", "server", "servers", "api", "apis", "tool", "tools", "ai", "agent", "agents"}


def a_file(**changes: Any) -> dict[str, Any]:
    category = {
        "name": "database",
        "display_name": "Databases",
        "description": "Stores.",
        "tags": ["sql"],
        "words": ["postgres", "sql"],
    }
    return {"categories": [{**category, **changes}]}


def culprits(document: Any) -> list[str]:
    content = document if isinstance(document, bytes) else json.dumps(document).encode()
    with pytest.raises(InvalidError) as caught:
        load_taxonomy(content, subject='the file "mine.json"')
    assert caught.value.message.startswith('the file "mine.json" is invalid: ')
    return [str(error) for error in caught.value.errors]


@pytest.fixture(scope="module")
def shipped() -> Taxonomy:
    return load_taxonomy(read("taxonomy.json"))


def derived(taxonomy: Taxonomy, name: str, description: str = "", *tags: str) -> str:
    return taxonomy.derive(tags=tags, name=name, title="", description=description)


def test_a_file_gives_its_categories_in_their_order() -> None:
    document = a_file()
    document["categories"].append({**document["categories"][0], "name": "web"})
    names = [c.name for c in load_taxonomy(json.dumps(document).encode()).categories]
    assert names == ["database", "web"]


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (b"{", "$: Input data was truncated"),
        (b"[]", "$: Expected `object`, got `array`"),
        (b"\xff", "$: "),
        ({"categories": []}, "categories: must list 1 to 100"),
        ({"categories": [], "x": 1}, "$: Object contains unknown field `x`"),
        (a_file(word=["x"]), "categories[0]: Object contains unknown field `word`"),
        (a_file(words="sql"), "categories[0].words: Expected `array`, got `str`"),
        (a_file(name="Database"), "categories[0].name: must have 1 to 63"),
        (a_file(name="a" * 64), "categories[0].name: must have 1 to 63"),
        (a_file(display_name=" "), "categories[0].display_name: must not be empty"),
        (a_file(words=["SQL"]), 'categories[0].words: "SQL" must be in lower case'),
        (a_file(tags=["SQL"]), 'categories[0].tags: "SQL" must be in lower case'),
        (a_file(tags=[""]), 'categories[0].tags: "" must be in lower case and not empty'),
        (a_file(words=["e-mail"]), 'categories[0].words: "e-mail" can never match'),
        (a_file(words=["sql", "sql"]), 'categories[0].words: "sql" is listed twice'),
        (a_file(tags=["sql", "sql"]), 'categories[0].tags: "sql" is listed twice'),
        (a_file(tags=["database"]), 'categories[0].tags: "database" is a tag of its category'),
        (a_file(tags=[f"t{n}" for n in range(1001)]), "categories[0].tags: must list at most 1000"),
        ({"categories": a_file()["categories"] * 2}, 'categories: "database" is listed twice'),
        (b" " * (1 << 20) + b"{}", "$: has more than 1048576 bytes"),
    ],
)
def test_a_wrong_file_says_which_field_and_why(document: Any, said: str) -> None:
    assert culprits(document)[0].startswith(said)


def test_every_culprit_is_named_at_once() -> None:
    assert len(culprits(a_file(name="X", words=["A", "b-c"], tags=["D"]))) == 4


def test_the_shipped_file_is_valid_and_holds_no_word_that_all_servers_have(
    shipped: Taxonomy,
) -> None:
    words = {word for category in shipped.categories for word in category.words}
    assert not words & GENERIC
    assert all(len(category.words) >= 10 for category in shipped.categories)
    assert all(category.description.endswith(".") for category in shipped.categories)


@pytest.mark.parametrize(
    ("name", "description", "category"),
    [
        ("io.github.bytebase/dbhub", "Query Postgres, MySQL and SQLite.", "database"),
        ("modelcontextprotocol/filesystem", "Read and write local folders.", "filesystem"),
        ("microsoft/playwright-mcp", "Drives a browser.", "browser-automation"),
        (
            "io.github.github/github-mcp-server",
            "Repositories and pull requests.",
            "version-control",
        ),
        ("hashicorp/terraform", "Providers and modules.", "cloud"),
        ("grafana/grafana", "Dashboards, alerting and incidents.", "monitoring"),
        ("stackloklabs/osv-mcp", "Known vulnerabilities of packages.", "security"),
        ("slack/slack", "Channels and messaging.", "communication"),
        ("notion/notion", "Pages and notes.", "productivity"),
        ("atlassian/jira", "Issues, boards and sprints.", "project-management"),
        ("stripe/stripe", "Payments and invoices.", "payments"),
        ("eu.ansvar/swiss-law", "Swiss legislation.", "legal"),
        ("upstash/context7", "Documentation for libraries.", "documentation"),
        ("tavily/tavily", "Results for questions.", "search"),
        ("x/unknown-thing", "Does something.", ""),
    ],
)
def test_well_known_servers_are_where_one_looks_for_them(
    shipped: Taxonomy, name: str, description: str, category: str
) -> None:
    assert derived(shipped, name, description) == category


def test_a_tag_weighs_more_than_the_words_of_a_description(shipped: Taxonomy) -> None:
    assert derived(shipped, "x/y", "Payments, invoices and billing.", "database") == "database"


def test_real_servers_mostly_get_a_category(shipped: Taxonomy) -> None:
    real = os.environ.get("THV_REAL_DATA")
    if not real:
        pytest.skip("THV_REAL_DATA is not set: the coverage of real servers is not measured")
    index = Path(real) / "upstream-index-2026-06-12" / "latest-servers.ndjson"
    rows = [json.loads(line) for line in index.read_text().splitlines()]
    found = [derived(shipped, row["name"], row.get("description", "")) for row in rows]
    share = sum(category != "" for category in found) / len(rows)
    print(f"{share:.1%} of {len(rows)} real servers get a category")
    assert share >= 0.75


def test_tags_and_descriptions_of_real_servers_agree(shipped: Taxonomy) -> None:
    real = os.environ.get("THV_REAL_DATA")
    if not real:
        pytest.skip("THV_REAL_DATA is not set: the agreement with real tags is not measured")
    files = sorted((Path(real) / "toolhive-registry-history").glob("2026-02-18_*.json"))
    document = json.loads(files[-1].read_text())
    entries = {**document["servers"], **document["remote_servers"]}
    pairs = [
        (
            derived(shipped, name, entry["description"], *entry.get("tags", ())),
            derived(shipped, name, entry["description"]),
        )
        for name, entry in entries.items()
    ]
    share = sum(tagged == told for tagged, told in pairs) / len(pairs)
    print(f"{share:.1%} of {len(pairs)} servers get the same category with and without tags")
    assert share >= 0.75
