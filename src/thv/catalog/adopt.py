"""What an installed server says once somebody adopted it: which entry of which registry it is.

In the flow: beside `install`, for servers that were there before. Pure: the object as it is comes in, a patch of its
labels and annotations goes out. Nothing else of it is ever changed.
"""

from __future__ import annotations

import re
from itertools import islice

import msgspec

from thv.catalog.install import Origin, default_name, origin_annotations, origin_labels
from thv.catalog.installed import Installed, installed_of, is_image
from thv.domain.canonical import JsonObject
from thv.domain.entry import Entry
from thv.domain.facts import Facts
from thv.domain.resources import (
    OLD_PREFIX,
    PREFIX,
    annotations_of,
    labels_of,
    resource_version_of,
)
from thv.formats.images import repository_of

LABELS = ("registry-name", "registry-namespace", "server-name", "tier", "category")
ANNOTATIONS = ("server-name", "server-version", "revision")
_OF_A_VERSION = frozenset(PREFIX + key for key in ("server-version", "revision"))
_WORD = re.compile(r"[^\W_]+")
_SAYS_NOTHING = frozenset({"library", "mcp", "server"})
"""Words of the images and names of nearly every server."""
_MOST_WORDS = 8


class Likeness(msgspec.Struct, frozen=True):
    """An entry as a suggestion sees it."""

    key: str
    image: str
    """`""` where it has none."""


class Adoption(msgspec.Struct, frozen=True, kw_only=True):
    """What a server is said to be."""

    origin: Origin
    entry: Entry
    facts: Facts
    is_version: bool
    """Whether it runs what this very version of the entry names; else it is known which entry it is, and no more."""


def adoption_patch(obj: JsonObject, adoption: Adoption) -> JsonObject:
    """A merge patch (RFC 7386) that fits the object as it was read, and no later state of it.

    What a server said that named a registry is taken back; what somebody said of one that named none is left.
    """
    labels = origin_labels(adoption.origin, adoption.facts)
    annotations = origin_annotations(adoption.entry, adoption.origin, adoption.facts)
    if not adoption.is_version:
        annotations = {k: v for k, v in annotations.items() if k not in _OF_A_VERSION}
    gone: tuple[JsonObject, JsonObject] = ({}, {})
    if installed_of(obj).registry:
        gone = _none_of(LABELS, labels_of(obj)), _none_of(ANNOTATIONS, annotations_of(obj))
    return {
        "metadata": {
            "resourceVersion": resource_version_of(obj),
            "labels": {**gone[0], **labels},
            "annotations": {**gone[1], **annotations},
        }
    }


def _none_of(keys: tuple[str, ...], said: dict[str, str]) -> JsonObject:
    """Whatever stands under these keys, as a patch removes it."""
    spelled = (prefix + key for prefix in (PREFIX, OLD_PREFIX) for key in keys)
    return {key: None for key in spelled if key in said}


# ---------------------------------------------------------------- suggestions


def sought(installed: Installed) -> tuple[str, ...]:
    """What to search the catalog for, the most telling first: its names, and the words of its image."""
    words = " ".join(_telling(_path_of(installed.image)))
    return tuple(dict.fromkeys(_few_words(each) for each in (*_names(installed), words) if each))


def likeness(installed: Installed, offered: Likeness) -> str:
    """How an entry is like a server: `image`, `repository` (another tag of it) or `name`; `""` where it is not."""
    if offered.image and is_image(installed.image, offered.image):
        return "image"
    if offered.image and repository_of(installed.image) == repository_of(offered.image):
        return "repository"
    names = map(default_name, _names(installed))
    return "name" if default_name(offered.key) in names else ""


def _names(installed: Installed) -> list[str]:
    """What it is called that says something: by its image, by itself, and by the registry that it names."""
    parts = reversed(_path_of(installed.image).split("/"))
    of_image = next(filter(_telling, parts), "")
    return [each for each in (of_image, installed.name, installed.server) if _telling(each)]


def _path_of(image: str) -> str:
    """The image without its registry."""
    return repository_of(image).partition("/")[2]


def _telling(text: str) -> list[str]:
    """Its words, each once, but for those that say nothing."""
    words = dict.fromkeys(_WORD.findall(text))
    return [word for word in words if word.lower() not in _SAYS_NOTHING]


def _few_words(text: str) -> str:
    """As much of it as a search takes."""
    ends = [found.end() for found in islice(_WORD.finditer(text), _MOST_WORDS)]
    return text[: ends[-1]] if ends else ""
