from __future__ import annotations

import pytest

from thv.domain.taxonomy import NO_TAXONOMY, Category, Taxonomy


def category(name: str, tags: str = "", words: str = "") -> Category:
    return Category(
        name=name,
        display_name=name.title(),
        description="",
        tags=tuple(tags.split()),
        words=tuple(words.split()),
    )


TAXONOMY = Taxonomy(
    [
        category("database", tags="sql postgres", words="database sql table"),
        category("search", tags="web", words="search find"),
        category("files", words="file files disk"),
    ]
)

# tags, name, title, description, category
CASES = [
    (["sql"], "", "", "", "database"),
    (["SQL"], "", "", "", "database"),
    (["files"], "", "", "", "files"),  # the name of a category is one of its tags
    ([], "io.search.example/disk", "", "", "files"),  # of a name, only the last part
    ([], "", "Search", "", "search"),
    ([], "", "", "Finds a file and the next file", "files"),
    (["web"], "a/sql", "", "a table of a database", "search"),  # a tag weighs most
    ([], "a/sql", "", "search and find", "database"),  # a name more than a description
    ([], "", "sql search", "", "database"),  # the earlier of two equals
    ([], "a/b", "c", "d", ""),
    ([], "", "", "", ""),
]


@pytest.mark.parametrize(("tags", "name", "title", "description", "expected"), CASES)
def test_the_best_fitting_category_wins(
    tags: list[str], name: str, title: str, description: str, expected: str
) -> None:
    assert TAXONOMY.derive(tags=tags, name=name, title=title, description=description) == expected


def test_without_categories_there_is_none() -> None:
    assert NO_TAXONOMY.derive(tags=["sql"], name="a/sql", title="sql", description="sql") == ""
