"""Reads a file of functional categories, the shipped one or an administrator's own.

In the flow: once at the start of a door; entries without a category get theirs from it whenever facts are read.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator

import msgspec

from thv.domain.errors import FieldError, InvalidError
from thv.domain.taxonomy import Category, Taxonomy

_MOST_BYTES = 1 << 20
_MOST_CATEGORIES = 100
_MOST_KEYS = 1000
_NAME = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?")
_WORD = re.compile(r"[a-z0-9]{1,63}")


class _File(msgspec.Struct, forbid_unknown_fields=True):
    categories: tuple[Category, ...]


def load_taxonomy(content: bytes, *, subject: str = "the taxonomy") -> Taxonomy:
    """The categories in their order; raises InvalidError that names every culprit in `subject`."""
    if len(content) > _MOST_BYTES:
        raise InvalidError(subject, [FieldError("$", f"has more than {_MOST_BYTES} bytes")])
    try:
        categories = msgspec.json.decode(content, type=_File).categories
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        what, _, where = str(error).partition(" - at `$")
        raise InvalidError(
            subject, [FieldError(where.rstrip("`").lstrip(".") or "$", what)]
        ) from error
    errors = [*_of_all(categories), *(e for n, c in enumerate(categories) for e in _of_one(n, c))]
    if errors:
        raise InvalidError(subject, errors)
    return Taxonomy(categories)


def _of_all(categories: tuple[Category, ...]) -> Iterator[FieldError]:
    if not 0 < len(categories) <= _MOST_CATEGORIES:
        yield FieldError("categories", f"must list 1 to {_MOST_CATEGORIES}", len(categories))
    for name in _repeated(category.name for category in categories):
        yield FieldError("categories", f'"{name}" is listed twice', name)


def _of_one(number: int, category: Category) -> Iterator[FieldError]:
    place = f"categories[{number}]"
    if not _NAME.fullmatch(category.name):
        what = "must have 1 to 63 of a-z, 0-9 and -, and neither begin nor end with -"
        yield FieldError(f"{place}.name", what, category.name)
    if not category.display_name.strip():
        yield FieldError(f"{place}.display_name", "must not be empty")
    yield from _of_keys(f"{place}.tags", category.tags)
    yield from _of_keys(f"{place}.words", category.words)
    if category.name in category.tags:
        what = f'"{category.name}" is a tag of its category without being listed; remove it'
        yield FieldError(f"{place}.tags", what, category.name)
    for word in category.words:
        if word == word.lower() and not _WORD.fullmatch(word):
            what = f'"{word}" can never match: a word has only a-z and 0-9, at most 63'
            yield FieldError(f"{place}.words", what, word)


def _of_keys(place: str, keys: tuple[str, ...]) -> Iterator[FieldError]:
    if len(keys) > _MOST_KEYS:
        yield FieldError(place, f"must list at most {_MOST_KEYS}", len(keys))
    for key in keys:
        if key != key.lower() or not key.strip():
            yield FieldError(place, f'"{key}" must be in lower case and not empty', key)
    for key in _repeated(keys):
        yield FieldError(place, f'"{key}" is listed twice and would count twice', key)


def _repeated(keys: Iterable[str]) -> list[str]:
    return [key for key, count in Counter(keys).items() if count > 1]
