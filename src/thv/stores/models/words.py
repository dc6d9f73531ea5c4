"""How text becomes words, for the index and for a search alike.

In the flow: `rows` cuts the text of an entry, `query` the text of a search; both must cut in the same way, so
the full text index gets words only and needs no language of its own.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

_WORD = re.compile(r"[^\W_]+")
_PHRASE = re.compile(r'"([^"]*)"')

WORD_LIMIT = 10
GRAM_LIMIT = 3


def folded(text: str) -> str:
    """The text without regard to case and to compatible spellings of a character."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def words_of(text: str) -> list[str]:
    """The words of a text, cut at everything that is neither letter nor digit."""
    return _WORD.findall(folded(text))


def field_words(text: str) -> str:
    """The words of a folded field between spaces: " word" finds a beginning, " word " a whole word."""
    return f" {' '.join(_WORD.findall(text))} " if text else " "


def split_search(text: str) -> tuple[list[str], list[tuple[str, ...]]]:
    """The single words and the phrases of a search; a quotation mark without a partner is plain text."""
    phrases = [tuple(words_of(inner)) for inner in _PHRASE.findall(text)]
    return words_of(without_phrases(text)), [phrase for phrase in phrases if phrase]


def without_phrases(text: str) -> str:
    """What of a search is no phrase."""
    return _PHRASE.sub(" ", text)


def grams_expression(text: str, common: Mapping[str, int]) -> str:
    """What the index of grams is asked for a piece of plain text; `""` when it is too short to ask.

    The rarest grams leave few candidates, which are looked at anyway; each further one costs a walk along all texts
    that hold it. `common` says of those that many texts hold how many do.
    """
    every = {text[at : at + 3] for at in range(len(text) - 2)}
    askable = sorted(gram for gram in every if "\0" not in gram)
    chosen = sorted(askable, key=lambda gram: common.get(gram, 0))[:GRAM_LIMIT]
    return " AND ".join('"{}"'.format(gram.replace('"', '""')) for gram in chosen)
