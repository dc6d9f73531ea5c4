"""Types of fields that several kinds share, with their bounds.

In the flow: under the structs of every kind. The bounds are data of the types: the schema of a
CustomResourceDefinition is made from them.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from thv.domain.durations import DURATION_PATTERN
from thv.domain.quantities import QUANTITY_PATTERN

SET: dict[str, Any] = {"x-kubernetes-list-type": "set"}
ATOMIC: dict[str, Any] = {"x-kubernetes-list-type": "atomic"}


def map_by(*keys: str) -> dict[str, Any]:
    """A list whose items are told apart by these fields."""
    return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": list(keys)}


def shape(text: str) -> dict[str, Any]:
    """What a value must be, in words: what a refusal says instead of the pattern."""
    return {"x-shape": text}


ObjectName = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=253,
        pattern="^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$",
        extra_json_schema=shape(
            'the name of an object of this namespace: a-z, 0-9, "-" and ".", a letter or digit at both ends'
        ),
    ),
]
"""A DNS-1123 name; it has no slash, so that no name can smuggle a namespace."""

Duration = Annotated[
    str,
    Meta(
        max_length=32,
        pattern=DURATION_PATTERN,
        extra_json_schema=shape("a duration such as 30s, 5m or 1h30m"),
    ),
]
Time = Annotated[str, Meta(max_length=32, extra_json_schema={"format": "date-time"})]
"""RFC 3339."""

Digest = Annotated[
    str,
    Meta(
        max_length=71,
        pattern="^sha256:[a-f0-9]{64}$",
        extra_json_schema=shape("a digest: sha256: and 64 hex digits in lower case"),
    ),
]
DataKey = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=253,
        pattern="^[-._a-zA-Z0-9]+$",
        extra_json_schema=shape(
            'a key of a ConfigMap or Secret: letters, digits, "-", "_" and "."'
        ),
    ),
]
"""A key of a ConfigMap or Secret."""

Team = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=63,
        pattern="^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
        extra_json_schema=shape(
            'the name of a team: a-z, 0-9 and "-", a letter or digit at both ends'
        ),
    ),
]
Word = Annotated[str, Meta(max_length=63)]
"""A tier, tag, category, channel."""

ServerName = Annotated[str, Meta(max_length=200)]
ServerVersion = Annotated[str, Meta(max_length=255)]
Message = Annotated[str, Meta(max_length=200)]
Count = Annotated[int, Meta(ge=0)]

Quantity = (
    int
    | Annotated[
        str,
        Meta(
            max_length=32,
            pattern=QUANTITY_PATTERN,
            extra_json_schema=shape("a quantity such as 250m, 128Mi or 1Gi"),
        ),
    ]
)
"""An amount of cpu or memory, such as `50m` or `128Mi`."""


class Reference(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An object of the same namespace."""

    name: Annotated[
        ObjectName, Meta(description='Name of the object, in the same namespace. Example: "corp".')
    ]


class ConfigMapKey(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A certificate bundle in a ConfigMap of the same namespace."""

    name: Annotated[
        ObjectName,
        Meta(description='Name of the ConfigMap, in the same namespace. Example: "corp-ca".'),
    ]
    key: Annotated[
        DataKey,
        Meta(description="Key of the ConfigMap that holds PEM certificates. Default: ca.crt."),
    ] = "ca.crt"
