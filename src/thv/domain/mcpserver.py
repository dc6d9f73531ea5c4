"""The MCPServer of our own group: a running server, where ToolHive is not installed.

In the flow: users and `thv install` write it. Its fields are ToolHive's; those that this product cannot honour
are named in the schema only so that a rule can refuse them, as a dropped security field would open a server.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from thv.domain.conditions import CONDITION_LIMIT, Condition
from thv.domain.fields import ATOMIC, Count, DataKey, Message, ObjectName, Reference, map_by, shape
from thv.domain.registry import Resources
from thv.domain.rules import Rule, compute_rules


class ServerPhase(StrEnum):
    """Summary for people."""

    PENDING = "Pending"
    RUNNING = "Running"
    FAILED = "Failed"
    TERMINATING = "Terminating"


Port = Annotated[int, Meta(ge=1, le=65535)]


class EnvironmentVariable(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A variable with its value."""

    name: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=253,
            pattern="^[A-Za-z_][A-Za-z0-9_]*$",
            description='Name of the variable. Example: "LOG_LEVEL".',
            extra_json_schema=shape(
                'the name of a variable: letters, digits and "_", no digit in front'
            ),
        ),
    ]
    value: Annotated[
        str, Meta(max_length=4096, description='Its value; no secrets. Example: "warn".')
    ] = ""


class SecretVariable(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A variable whose value is in a Secret."""

    name: Annotated[
        ObjectName,
        Meta(description='Name of the Secret, in the same namespace. Example: "fs-token".'),
    ]
    key: Annotated[DataKey, Meta(description='Key of the Secret. Example: "token".')]
    target_env_name: Annotated[
        str,
        Meta(
            max_length=253,
            pattern="^[A-Za-z_][A-Za-z0-9_]*$",
            description='Variable that holds the value; the key when absent. Example: "FS_TOKEN".',
            extra_json_schema=shape(
                'the name of a variable: letters, digits and "_", no digit in front'
            ),
        ),
    ] = ""


class PermissionProfile(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What the server may reach."""

    type: Annotated[
        Literal["builtin", "configmap"],
        Meta(
            description="A profile that comes with the product, or one in a ConfigMap. Default: builtin."
        ),
    ] = "builtin"
    name: Annotated[
        ObjectName,
        Meta(
            description='The builtin "none" or "network", or the name of the ConfigMap. Example: "network".'
        ),
    ]
    key: Annotated[DataKey, Meta(description="Key of the ConfigMap. Default: profile.json.")] = (
        "profile.json"
    )


Unsupported = Annotated[
    Any, Meta(description="Refused: it needs ToolHive, which this operator does not replace.")
]
Unset = Annotated[Unsupported | None, Meta(description="Refused: it needs ToolHive.")]


class ServerSpec(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What a user wants of a server."""

    image: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=512,
            pattern=r"^\S+$",
            description='Container image. Example: "ghcr.io/stackloklabs/osv-mcp/server:0.0.7".',
            extra_json_schema=shape("an image reference without blanks"),
        ),
    ]
    transport: Annotated[
        Literal["stdio", "sse", "streamable-http"],
        Meta(description="How the server in the container speaks. Default: stdio."),
    ] = "stdio"
    proxy_mode: Annotated[
        Literal["sse", "streamable-http"],
        Meta(description="How the proxy in front of it speaks. Default: streamable-http."),
    ] = "streamable-http"
    port: Annotated[
        Port | None,
        Meta(
            description="Port of the proxy, 1 to 65535; 8080 when neither it nor proxyPort is given. Example: 8080."
        ),
    ] = None
    proxy_port: Annotated[Port | None, Meta(description="Another name of port. Example: 8080.")] = (
        None
    )
    target_port: Annotated[
        Port | None, Meta(description="Port of the container, 1 to 65535. Example: 8000.")
    ] = None
    mcp_port: Annotated[
        Port | None, Meta(description="Another name of targetPort. Example: 8000.")
    ] = None
    args: Annotated[
        tuple[Annotated[str, Meta(max_length=1024)], ...],
        Meta(
            max_length=100,
            description='Arguments of the server. Example: ["/data"].',
            extra_json_schema=ATOMIC,
        ),
    ] = ()
    env: Annotated[
        tuple[EnvironmentVariable, ...],
        Meta(
            max_length=100,
            description="Environment of the server. Example: [{name: LOG_LEVEL, value: warn}].",
            extra_json_schema=ATOMIC,
        ),
    ] = ()
    secrets: Annotated[
        tuple[SecretVariable, ...],
        Meta(
            max_length=50,
            description="Environment of the server from Secrets of the same namespace. Example: [{name: fs-token, key: token}].",
            extra_json_schema=ATOMIC,
        ),
    ] = ()
    permission_profile: Annotated[
        PermissionProfile | None, Meta(description="What the server may reach.")
    ] = None
    resources: Annotated[Resources | None, Meta(description="Compute of the server.")] = None
    service_account: Annotated[
        ObjectName, Meta(description='ServiceAccount of the pods. Example: "mcp".')
    ] = ""
    tool_config_ref: Annotated[
        Reference | None, Meta(description="MCPToolConfig of the same namespace.")
    ] = None

    # ---------------------------------------------------------------- refused
    volumes: Annotated[
        tuple[Unsupported, ...],
        Meta(
            max_length=100,
            description="Refused: host paths need ToolHive.",
            extra_json_schema=ATOMIC,
        ),
    ] = ()
    tools: Annotated[
        tuple[Annotated[str, Meta(max_length=128)], ...],
        Meta(
            max_length=500,
            description="Refused: use toolConfigRef.",
            extra_json_schema=ATOMIC,
        ),
    ] = ()
    pod_template_spec: Unset = None
    oidc_config: Unset = None
    oidc_config_ref: Unset = None
    authz_config: Unset = None
    authz_config_ref: Unset = None
    audit: Unset = None
    external_auth_config_ref: Unset = None
    auth_server_ref: Unset = None
    webhook_config_ref: Unset = None
    rate_limiting: Unset = None


class ServerStatus(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What the operator says about a server."""

    observed_generation: Annotated[
        Count, Meta(description="Generation of the spec that this status is about.")
    ] = 0
    phase: Annotated[
        ServerPhase | None, Meta(description="Summary for people; the conditions decide.")
    ] = None
    url: Annotated[
        str,
        Meta(
            max_length=2048,
            description='Where clients connect. Example: "http://mcp-osv-proxy.default.svc:8080".',
        ),
    ] = ""
    message: Annotated[Message, Meta(description="Why it is not running, for people.")] = ""
    ready_replicas: Annotated[Count, Meta(description="Pods that answer.")] = 0
    conditions: Annotated[
        tuple[Condition, ...],
        Meta(
            max_length=CONDITION_LIMIT,
            description="Observations: Ready, ImageAllowed, ToolConfigResolved, RevisionCurrent.",
            extra_json_schema=map_by("type"),
        ),
    ] = ()


# ---------------------------------------------------------------- rules

_REFUSED = (
    "volumes",
    "tools",
    "podTemplateSpec",
    "oidcConfig",
    "oidcConfigRef",
    "authzConfig",
    "authzConfigRef",
    "audit",
    "externalAuthConfigRef",
    "authServerRef",
    "webhookConfigRef",
    "rateLimiting",
)


def _one_name_rule(id_: str, ours: str, other: str) -> Rule:
    return Rule(
        id=id_,
        path="spec",
        cel=f"!(has(self.{ours}) && has(self.{other}))",
        message=f"set spec.{ours} or spec.{other}, not both",
        holds=lambda spec: not (ours in spec and other in spec),
        field=other,
    )


SERVER_RULES: tuple[Rule, ...] = (
    _one_name_rule("M1", "port", "proxyPort"),
    _one_name_rule("M2", "targetPort", "mcpPort"),
    Rule(
        id="M3",
        path="spec.permissionProfile",
        cel="self.type != 'builtin' || self.name in ['none', 'network']",
        message='a builtin permission profile is "none" or "network"',
        holds=lambda profile: (
            profile.get("type") != "builtin" or profile.get("name") in ("none", "network")
        ),
        field="name",
    ),
    Rule(
        id="M4",
        path="spec",
        cel=" && ".join(f"!has(self.{field})" for field in _REFUSED),
        message="volumes, tools, podTemplateSpec, audit, rateLimiting and all oidc, authz, auth and webhook fields need ToolHive: this operator cannot honour them and does not ignore them",
        holds=lambda spec: not any(field in spec for field in _REFUSED),
    ),
    *compute_rules("M5", "spec.resources"),
)
