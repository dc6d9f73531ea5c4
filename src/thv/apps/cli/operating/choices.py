"""What can be chosen about an installation on a command line.

In the flow: between the options of `thv operator install`, `upgrade`, `manifests` and `images`, and the values of an
installation. What was not given stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

import click
import msgspec

from thv.apps.cli.exits import CommandError
from thv.apps.cli.options import option
from thv.apps.cli.session import Session
from thv.domain.errors import Code
from thv.formats.images import in_registry, is_reference
from thv.formats.install import Installation

_NAME = re.compile(r"[A-Z][A-Z0-9_]*", re.ASCII)
_SAID_OTHERWISE = {
    "THV_IMAGE": "--image",
    "THV_NAMESPACES": "--watch-namespace",
    "THV_IMAGE_PULL_SECRETS": "--image-pull-secret",
    "THV_IMAGE_PULL_POLICY": "--image-pull-policy",
    "THV_DATA": "",
    "POD_NAMESPACE": "-n",
    "POD_NAME": "",
    "POD_IP": "",
}
"""Variables that an option decides, or nobody may."""


class Choices(msgspec.Struct, frozen=True, kw_only=True):
    """The options as they were given; None and empty for those that were not."""

    image: str | None = None
    image_registry: str | None = None
    pull_secrets: tuple[str, ...] = ()
    pull_policy: str | None = None
    replicas: int | None = None
    scope: str | None = None
    namespaces: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()


_IMAGES = (
    option("--image", metavar="IMAGE", help="Image of the operator and of the pods that it makes."),
    option(
        "--image-registry",
        metavar="HOST[/PATH]",
        help="Registry that has the image, in place of its own.",
    ),
)
_REST = (
    option(
        "--image-pull-secret",
        "pull_secrets",
        multiple=True,
        metavar="NAME",
        help="Secret for pulling, in the namespaces of the operator and the registries; may be repeated.",
    ),
    option(
        "--image-pull-policy",
        "pull_policy",
        type=click.Choice(["Always", "IfNotPresent", "Never"]),
        help="When nodes pull; else as the cluster decides by the tag.",
    ),
    option(
        "--replicas",
        type=click.IntRange(1, 9),
        metavar="COUNT",
        help="Operators, of which one works and the others stand by.",
    ),
    option(
        "--scope",
        type=click.Choice(["cluster", "namespace"]),
        help="namespace: rights in some namespaces alone.",
    ),
    option(
        "--watch-namespace",
        "namespaces",
        multiple=True,
        metavar="NS",
        help="Look after its registries only; may be repeated. Default: all; with --scope namespace its own.",
    ),
    option(
        "--set-env",
        "settings",
        multiple=True,
        metavar="NAME=VALUE",
        help="A setting of the operator, such as THV_ALLOW; NAME= takes it away; may be repeated.",
    ),
)


namespace_option = option(
    "-n",
    "--namespace",
    "home",
    default="",
    metavar="NS",
    help=f"Namespace of the operator; default: where it is, or {Installation().namespace}.",
)


def image_options(story: Callable[..., Any]) -> Callable[..., Any]:
    """Which image."""
    return _with(_IMAGES, story)


def installation_options(story: Callable[..., Any]) -> Callable[..., Any]:
    """Everything that can be chosen."""
    return _with((*_IMAGES, *_REST, namespace_option), story)


def _with(options: Iterable[Callable[[Any], Any]], story: Callable[..., Any]) -> Callable[..., Any]:
    for add in reversed([*options]):
        story = add(story)
    return story


def home_of(session: Session, home: str) -> str:
    """The namespace of the operator, if the command line names one anywhere; that of the context is for registries."""
    settings = session.settings
    by_flag = settings.origins.get("namespace") == "--namespace"
    return home or (settings.namespace if by_flag else "")


def chosen(begin: Installation, namespace: str, choices: Choices) -> Installation:
    """The installation with what was given; raises INVALID for what cannot be."""
    given = {
        "namespace": namespace,
        "image": _image(begin.image, choices),
        "pull_secrets": choices.pull_secrets,
        "pull_policy": choices.pull_policy,
        "replicas": choices.replicas,
        "scope": choices.scope,
        "namespaces": choices.namespaces,
    }
    changes: dict[str, Any] = {key: value for key, value in given.items() if value}
    if choices.settings:
        changes["settings"] = _settings(begin.settings, choices.settings)
    return msgspec.structs.replace(begin, **changes)


def _image(image: str, choices: Choices) -> str:
    found = choices.image or image
    if choices.image_registry:
        found = in_registry(found, choices.image_registry)
    if not is_reference(found):
        option_ = "--image-registry" if choices.image_registry else "--image"
        raise CommandError(
            Code.INVALID,
            f'{option_} makes the image "{found}", which no node can pull',
            tries=["--image HOST/PATH:TAG, or --image-registry HOST[/PATH]"],
        )
    return found


def _settings(
    before: tuple[tuple[str, str], ...], given: tuple[str, ...]
) -> tuple[tuple[str, str], ...]:
    found = dict(before)
    for word in given:
        name, equals, value = word.partition("=")
        _require_setting(name, equals)
        found[name] = value
    return tuple((name, value) for name, value in found.items() if value)


def _require_setting(name: str, equals: str) -> None:
    if name in _SAID_OTHERWISE:
        raise CommandError(
            Code.INVALID,
            f"--set-env cannot set {name}",
            tries=[f"{_SAID_OTHERWISE[name]} decides it"] if _SAID_OTHERWISE[name] else [],
        )
    if not equals or not _NAME.fullmatch(name):
        raise CommandError(
            Code.INVALID,
            f'--set-env "{name}{equals}" is no NAME=VALUE',
            tries=["--set-env THV_LOG_LEVEL=DEBUG   (docs/reference/settings.md has all)"],
        )
