"""What somebody means who searches the catalog; pure.

In the flow: between the text of a search and the question. Words of requests are told from words of what is sought,
plurals are found by their singular, words in humps by their parts, and some words have others that mean the same. The
words are data: `thv/data/search.json`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import msgspec

from thv.domain.text import toolhive_key
from thv.stores.catalogs.query import Term, Wish
from thv.stores.catalogs.words import humps
from thv.stores.models.words import WORD_LIMIT, folded, split_search, without_phrases, words_of

_WRITTEN = re.compile(r"[^\W_]+")
_SHORTEST = 3
"""Letters of a word below which nothing is cut off."""
_ENDINGS = (
    ("ies", "y"),
    ("sses", "ss"),
    ("ches", "ch"),
    ("shes", "sh"),
    ("xes", "x"),
    ("zes", "z"),
)
_NO_PLURAL = ("ss", "us", "is", "as")


class Vocabulary(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What words mean in a search."""

    idle: frozenset[str] = frozenset()
    """Words that belong to a request: find, server, please."""
    same: tuple[tuple[str, ...], ...] = ()
    """Texts that mean the same, in lower case."""


def load_vocabulary(content: bytes) -> Vocabulary:
    """The vocabulary of a data file."""
    return msgspec.json.decode(content, type=Vocabulary)


class Wishes:
    """Reads searches with one vocabulary."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._idle = vocabulary.idle
        self._same = dict(_turned(vocabulary.same))

    def wish(self, text: str) -> Wish:
        """What a text seeks; raises ValueError when it has too many words, those of the request aside."""
        text = toolhive_key(text.strip())
        _, phrases = split_search(text)
        written = dict.fromkeys(_WRITTEN.findall(without_phrases(text)))
        terms = tuple(self._term(word) for word in written)
        sought = sum(not term.idle for term in terms) + sum(len(phrase) for phrase in phrases)
        if sought > WORD_LIMIT:
            raise ValueError(f"at most {WORD_LIMIT} words")
        return Wish(folded(text).strip(), terms, tuple(phrases))

    def _term(self, written: str) -> Term:
        word = folded(written)
        spellings: list[tuple[str, ...]] = [(word,)]
        if parts := humps(written):
            spellings.append(tuple(parts))
        for each in (word, *singulars(word)):
            spellings += [(each,), *self._same.get(each, ())]
        return Term(tuple(dict.fromkeys(spellings)), idle=word in self._idle)


def singulars(word: str) -> Iterator[str]:
    """What a plural may be the plural of; nothing of any other word."""
    if len(word) <= _SHORTEST or not word.endswith("s") or word.endswith(_NO_PLURAL):
        return
    for ending, instead in _ENDINGS:
        if word.endswith(ending):
            yield word.removesuffix(ending) + instead
            return
    yield word.removesuffix("s")


def _turned(groups: Iterable[tuple[str, ...]]) -> Iterator[tuple[str, list[tuple[str, ...]]]]:
    """Every single word with all that mean the same."""
    for group in groups:
        spellings = [tuple(words_of(text)) for text in group]
        for spelling in spellings:
            if len(spelling) == 1:
                yield spelling[0], spellings
