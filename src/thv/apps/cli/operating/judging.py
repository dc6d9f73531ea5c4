"""Whether an installation may follow another one; pure.

In the flow: after what is installed was found, before anything is applied.
"""

from __future__ import annotations

from collections.abc import Sequence

from thv.apps.cli.exits import CommandError
from thv.domain.canonical import JsonObject
from thv.domain.errors import Code
from thv.domain.resources import name_of
from thv.domain.versions import parse_semver
from thv.formats.images import tag_of, with_tag


def next_image(image: str, installed: str, coming: str) -> str:
    """The image of the coming version where that of the installed one is; raises INVALID when that cannot be said."""
    if tag_of(image) == coming:
        return image
    if installed and tag_of(image) == installed:
        return with_tag(image, coming)
    raise CommandError(
        Code.INVALID,
        f'the operator runs "{image}", whose tag is not the version that is installed ({installed or "unknown"})',
        cause=f"so the image of version {coming} cannot be derived from it",
        tries=[f"--image IMAGE   (the one with version {coming})"],
    )


def is_older(coming: str, installed: str) -> bool:
    """Whether this is a way back; what is no version is never older."""
    new, old = parse_semver(coming), parse_semver(installed)
    return new is not None and old is not None and new < old


def require_stored_versions(coming: Sequence[JsonObject], live: Sequence[JsonObject]) -> None:
    """Raises CONFLICT when a kind that is coming cannot read what the cluster has stored of it."""
    known = {name_of(obj): {each["name"] for each in obj["spec"]["versions"]} for obj in coming}
    for obj in live:
        stored = (obj.get("status") or {}).get("storedVersions") or []
        lost = sorted(set(stored) - known.get(name_of(obj), set(stored)))
        if lost:
            raise _unreadable(name_of(obj), lost)


def _unreadable(kind: str, lost: Sequence[str]) -> CommandError:
    versions = ", ".join(lost)
    return CommandError(
        Code.CONFLICT,
        f"{kind} has objects stored as {versions}, which this release does not know",
        cause="they could not be read any more after this downgrade",
        tries=[
            "a release that knows it",
            f"or store them anew in an older version, then take {versions} out of status.storedVersions",
        ],
        details={"kind": kind, "versions": list(lost)},
    )
