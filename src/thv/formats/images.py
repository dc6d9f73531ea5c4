"""References of container images: `registry.example:5000/path/name:tag`, or `name@sha256:...`.

In the flow: where an image is moved to another registry, or to another version.
"""

from __future__ import annotations

import re

_TAG = re.compile(r":([\w][\w.-]{0,127})$", re.ASCII)
_REFERENCE = re.compile(
    r"(?:[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?(?::\d+)?/)?[a-z0-9]+(?:[._/-]+[a-z0-9]+)*(?::[\w][\w.-]{0,127})?(?:@sha256:[0-9a-f]{64})?",
    re.ASCII,
)
_DEFAULT_REGISTRY = "docker.io"
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)


def is_reference(text: str) -> bool:
    """Whether a container runtime can look for it."""
    return _REFERENCE.fullmatch(text) is not None


def is_digest(text: object) -> bool:
    """Whether it is one of sha256; what publishers write elsewhere is any text."""
    return isinstance(text, str) and _DIGEST.fullmatch(text) is not None


def digest_of(image: str, pinned: object) -> str:
    """What an image is pinned to: what was said of it, else what the reference names, else `""`."""
    named = image.partition("@")[2]
    return next((str(each) for each in (pinned, named) if is_digest(each)), "")


def in_registry(image: str, registry: str) -> str:
    """The same image where another registry keeps it; `registry` may have a path."""
    first, slash, rest = image.partition("/")
    path = rest if slash and _is_host(first) else image
    return f"{registry.rstrip('/')}/{path}"


def tag_of(image: str) -> str:
    """The tag; `""` for an image that is named by its digest, or by neither."""
    found = _TAG.search(image) if "@" not in image else None
    return found[1] if found else ""


def with_tag(image: str, tag: str) -> str:
    """The same image under another tag."""
    return f"{_TAG.sub('', image.partition('@')[0])}:{tag}"


def repository_of(image: str) -> str:
    """The image without tag and digest, with the registry that is meant where none is named."""
    plain = _TAG.sub("", image.partition("@")[0])
    first, slash, _ = plain.partition("/")
    if slash and _is_host(first):
        return plain
    return f"{_DEFAULT_REGISTRY}/{plain}" if slash else f"{_DEFAULT_REGISTRY}/library/{plain}"


def pinned(image: str, digest: str) -> str:
    """What brings exactly this image: a pull takes a tag or a digest, and most tools refuse both together."""
    return f"{_TAG.sub('', image)}@{digest}" if digest else image


def _is_host(part: str) -> bool:
    """As container runtimes tell a registry from the first word of a path."""
    return "." in part or ":" in part or part == "localhost"
