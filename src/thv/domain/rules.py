"""The rules of an MCPRegistry that a schema cannot say, each in CEL and in Python.

In the flow: a cluster evaluates the CEL at admission; the embedded store evaluates the predicates after
defaulting. One table of cases holds both to the same verdicts. Values must have the types of the schema: a rule
is not asked about a value of another type, which the schema refuses already.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from thv.domain.canonical import JsonObject
from thv.domain.durations import DURATION_PATTERN, parse_duration
from thv.domain.errors import FieldError
from thv.domain.patterns import re2
from thv.domain.quantities import QUANTITY_PATTERN, amount
from thv.domain.resources import metadata_of

Predicate = Callable[[Any], bool]


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One rule, on the values at one path."""

    id: str
    path: str
    """Where it sits: `""` is the object, `[]` at the end each item of a list, `{}` each value of a map."""
    cel: str
    message: str
    holds: Predicate
    """The same verdict as the CEL, for an object, a list or a string."""
    on_text: bool = False
    """The values are strings; otherwise objects."""
    field: str = ""
    """The field below the path that a person should look at, where that is not the path itself."""
    required: bool = False
    """What is wrong is that `field` is missing."""


def _matching(pattern: str) -> Predicate:
    expression = re2(pattern)
    return lambda text: expression.search(text) is not None


# ---------------------------------------------------------------- names and texts

_NAME = "^[a-z]([-a-z0-9]{0,57}[a-z0-9])?$"
_URL = r"^https?://[^@/?#\s]+([/?#]\S*)?$"
_REPOSITORY = (
    r"^(https?://[^@/?#\s]+/\S+"
    r"|ssh://([A-Za-z0-9._][A-Za-z0-9._-]*@)?[A-Za-z0-9][^@/?#\s]*/\S+"
    r"|[A-Za-z0-9._][A-Za-z0-9._-]*@[A-Za-z0-9][A-Za-z0-9.-]*:[^\s-]\S*)$"
)
_REFERENCE = "^[A-Za-z0-9_][A-Za-z0-9_./+-]*$"
_PATH = r"^[A-Za-z0-9_.][^\\]*$"
_HEADER = "^[A-Za-z0-9-]{1,128}$"


def _named_well(obj: JsonObject) -> bool:
    return _matching(_NAME)(str(metadata_of(obj).get("name", "")))


_reference_like = _matching(_REFERENCE)
_path_like = _matching(_PATH)
_header_like = _matching(_HEADER)

_NAME_RULES = (
    Rule(
        id="N1",
        path="",
        cel=f"self.metadata.name.matches('{_NAME}')",
        message='metadata.name must start with a letter, use only a-z, 0-9 and "-", and have at most 59 characters, because the Service is named "<name>-api"',
        holds=_named_well,
        field="metadata.name",
    ),
)


def _url_rule(path: str) -> Rule:
    return Rule(
        id="U1",
        path=path,
        cel=f"self.matches(r'{_URL}')",
        message="must be an http or https URL without user name or password; put credentials into authSecret",
        holds=_matching(_URL),
        on_text=True,
    )


def _reference_rule(path: str) -> Rule:
    return Rule(
        id="U3",
        path=path,
        cel=f"self.matches(r'{_REFERENCE}') && !self.contains('..')",
        message='a Git reference must start with a letter, digit or "_" and must not contain spaces or ".."',
        holds=lambda text: _reference_like(text) and ".." not in text,
        on_text=True,
    )


def _header_rule(path: str) -> Rule:
    return Rule(
        id="H1",
        path=path,
        cel=f"self.all(k, k.matches('{_HEADER}'))",
        message='a header name has 1 to 128 letters, digits and "-"',
        holds=lambda headers: all(_header_like(name) for name in headers),
    )


_TEXT_RULES = (
    _url_rule("spec.source.url.url"),
    _url_rule("spec.source.registry.url"),
    Rule(
        id="U2",
        path="spec.source.git.repository",
        cel=f"self.matches(r'{_REPOSITORY}')",
        message="spec.source.git.repository must be an http, https or ssh URL, or user@host:path, without a password in it",
        holds=_matching(_REPOSITORY),
        on_text=True,
    ),
    _reference_rule("spec.source.git.branch"),
    _reference_rule("spec.source.git.tag"),
    Rule(
        id="U4",
        path="spec.source.git.path",
        cel=f"self.matches(r'{_PATH}') && !self.split('/').exists(p, p == '..')",
        message='spec.source.git.path must be relative and stay inside the repository: no leading "/", no ".."',
        holds=lambda text: _path_like(text) and ".." not in text.split("/"),
        on_text=True,
    ),
    Rule(
        id="U5",
        path="spec.source.git",
        cel="!(has(self.tag) && has(self.commit))",
        message="set at most one of spec.source.git.tag and spec.source.git.commit",
        holds=lambda git: not ("tag" in git and "commit" in git),
    ),
    _header_rule("spec.source.url.headers"),
    _header_rule("spec.source.registry.headers"),
)

# ---------------------------------------------------------------- source

# The types of a source and their blocks, in the order of the rules.
_BLOCKS = {
    "configmap": "configMap",
    "url": "url",
    "git": "git",
    "registry": "registry",
    "oci": "oci",
    "file": "file",
}


def _block_rule(source_type: str, block: str) -> Rule:
    return Rule(
        id="S1",
        path="spec.source",
        cel=f"self.type != '{source_type}' || has(self.{block})",
        message=f'spec.source.{block} is required when spec.source.type is "{source_type}"',
        holds=lambda source: source.get("type") != source_type or block in source,
        field=block,
        required=True,
    )


_SOURCE_RULES = (
    *(_block_rule(source_type, block) for source_type, block in _BLOCKS.items()),
    Rule(
        id="S2",
        path="spec.source",
        cel=f"[{', '.join(f'has(self.{block})' for block in _BLOCKS.values())}].filter(b, b).size() <= 1",
        message="set only the block that spec.source.type names; remove the other blocks of spec.source",
        holds=lambda source: sum(block in source for block in _BLOCKS.values()) <= 1,
    ),
    Rule(
        id="S3",
        path="spec.source.registry",
        cel="has(self.url) != has(self.registryRef)",
        message="set exactly one of spec.source.registry.url and spec.source.registry.registryRef",
        holds=lambda registry: ("url" in registry) != ("registryRef" in registry),
    ),
)

# ---------------------------------------------------------------- durations


_well_formed = _matching(DURATION_PATTERN)


def _within(shortest: str, longest: str) -> Predicate:
    """What is no duration at all is left to the schema, which says so better."""
    least, most = parse_duration(shortest), parse_duration(longest)
    return lambda text: not _well_formed(text) or least <= parse_duration(text) <= most


def _duration_rule(id_: str, path: str, shortest: str, longest: str) -> Rule:
    subject = f"each of {path[:-2]}" if path.endswith("[]") else path
    return Rule(
        id=id_,
        path=path,
        cel=(
            f"!self.matches(r'{DURATION_PATTERN}') || "
            f"(duration(self) >= duration('{shortest}') && duration(self) <= duration('{longest}'))"
        ),
        message=f"{subject} must be at least {shortest} and at most {longest}",
        holds=_within(shortest, longest),
        on_text=True,
    )


_DURATION_RULES = (
    _duration_rule("Y1", "spec.syncPolicy.interval", "1m", "720h"),
    _duration_rule("Y2", "spec.syncPolicy.timeout", "1s", "1h"),
    _duration_rule("Y2", "spec.syncPolicy.retry.backoffInterval", "1s", "1h"),
    _duration_rule("Y2", "spec.validationPolicy.scan.maxAge", "1h", "8760h"),
    _duration_rule("Y2", "spec.validationPolicy.review.timeout", "1h", "8760h"),
    _duration_rule("Y2", "spec.validationPolicy.review.reminders[]", "1m", "8760h"),
    _duration_rule("Y2", "spec.validationPolicy.review.validFor", "24h", "26280h"),
    _duration_rule("Y2", "spec.validationPolicy.review.grace", "1h", "2160h"),
)

# ---------------------------------------------------------------- policy


def _given(value: JsonObject, key: str) -> JsonObject:
    found = value.get(key)
    return found if isinstance(found, dict) else {}


def _may_gate(spec: JsonObject) -> bool:
    policy = _given(spec, "validationPolicy")
    gated = policy.get("approvalRequired") or policy.get("securityScanRequired")
    return spec.get("trustLevel") != "raw" or not gated


def _anonymous_read_has_effect(spec: JsonObject) -> bool:
    api = _given(spec, "api")
    return not api.get("anonymousRead") or bool(api.get("enabled", True))


def _trusted_artifact_is_verified(spec: JsonObject) -> bool:
    oci = _given(spec, "source").get("oci")
    return spec.get("trustLevel") != "trusted" or oci is None or "verify" in oci


_POLICY_RULES = (
    Rule(
        id="V1",
        path="spec",
        cel="!has(self.promotionCriteria) || self.trustLevel != 'raw'",
        message='promotionCriteria requires trustLevel "tested" or "trusted"',
        holds=lambda spec: "promotionCriteria" not in spec or spec.get("trustLevel") != "raw",
        field="promotionCriteria",
    ),
    Rule(
        id="V2",
        path="spec",
        cel="!has(self.validationPolicy) || self.trustLevel != 'raw' || !(self.validationPolicy.approvalRequired || self.validationPolicy.securityScanRequired)",
        message='approvalRequired and securityScanRequired require trustLevel "tested" or "trusted"',
        holds=_may_gate,
        field="validationPolicy",
    ),
    Rule(
        id="V3",
        path="spec",
        cel="!has(self.api) || !self.api.anonymousRead || self.api.enabled",
        message="spec.api.anonymousRead has no effect while spec.api.enabled is false; remove one",
        holds=_anonymous_read_has_effect,
        field="api.anonymousRead",
    ),
    Rule(
        id="V4",
        path="spec",
        cel="self.trustLevel != 'trusted' || !has(self.source.oci) || has(self.source.oci.verify)",
        message="a trusted registry from an OCI artifact must be verified: set spec.source.oci.verify.keySecret",
        holds=_trusted_artifact_is_verified,
        field="source.oci.verify",
        required=True,
    ),
    Rule(
        id="V5",
        path="spec.validationPolicy.review",
        cel="!has(self.onTimeout) || self.onTimeout != 'escalate' || has(self.escalateTo)",
        message='spec.validationPolicy.review.escalateTo is required when onTimeout is "escalate"',
        holds=lambda review: review.get("onTimeout") != "escalate" or "escalateTo" in review,
        field="escalateTo",
        required=True,
    ),
)

# ---------------------------------------------------------------- compute

_amount_like = _matching(QUANTITY_PATTERN)


def compute_rules(id_: str, path: str) -> tuple[Rule, ...]:
    """No request at a path is above its limit; with one of them alone there is nothing to compare, as defaults give way."""
    return tuple(_compute_rule(id_, path, name) for name in ("cpu", "memory"))


def _compute_rule(id_: str, path: str, name: str) -> Rule:
    request, limit = f"requests.{name}", f"limits.{name}"
    both = ("self.requests", "self.limits", f"self.{request}", f"self.{limit}")
    return Rule(
        id=id_,
        path=path,
        # What is no quantity, or one that takes long to compare, is refused by the shape of the field.
        cel=(
            f"!({' && '.join(f'has({each})' for each in both)})"
            f" || [string(self.{request}), string(self.{limit})]"
            ".exists(q, q.matches('[eE].?[0-9]{3}') || !isQuantity(q))"
            f" || quantity(string(self.{request})).compareTo(quantity(string(self.{limit}))) <= 0"
        ),
        message=f"{path}.{request} must not be above {path}.{limit}; lower the request or raise the limit",
        holds=lambda resources: _fits(*_both(resources, name)),
        field=request,
    )


def _both(resources: JsonObject, name: str) -> tuple[Any, Any]:
    return _given(resources, "requests").get(name), _given(resources, "limits").get(name)


def _fits(request: Any, limit: Any) -> bool:
    if not (_amount_like(str(request)) and _amount_like(str(limit))):
        return True
    return amount(request) <= amount(limit)


RULES: tuple[Rule, ...] = (
    *_NAME_RULES,
    *_SOURCE_RULES,
    *_TEXT_RULES,
    *_DURATION_RULES,
    *_POLICY_RULES,
    *compute_rules("V6", "spec.api.resources"),
)


def check_rules(obj: JsonObject, rules: tuple[Rule, ...] = RULES) -> list[FieldError]:
    """What the rules refuse of an object, by default an MCPRegistry, whose defaults are written."""
    return [error for rule in rules for error in _broken(rule, obj)]


def _broken(rule: Rule, obj: JsonObject) -> Iterator[FieldError]:
    expected = str if rule.on_text else dict
    for path, value in _values_at(obj, rule.path):
        if isinstance(value, expected) and not rule.holds(value):
            yield FieldError(_reported_at(rule, path), _refusal(rule, value), _scalar(value))


def _reported_at(rule: Rule, path: str) -> str:
    return ".".join(part for part in (path, rule.field) if part)


def _refusal(rule: Rule, value: Any) -> str:
    if not rule.on_text:
        return rule.message
    return f"Invalid value: {msgspec.json.encode(value).decode()}: {rule.message}"


def _scalar(value: Any) -> Any:
    return value if isinstance(value, str) else None


def _values_at(obj: JsonObject, path: str) -> Iterator[tuple[str, Any]]:
    """The values at a path and where each is; nothing where a part of the path is absent."""
    plain = path.removesuffix("[]").removesuffix("{}")
    value: Any = obj
    for part in plain.split(".") if plain else ():
        value = value.get(part) if isinstance(value, dict) else None
    if path.endswith("[]") and isinstance(value, list):
        yield from ((f"{plain}[{index}]", item) for index, item in enumerate(value))
    elif path.endswith("{}") and isinstance(value, dict):
        yield from ((f"{plain}[{key}]", item) for key, item in value.items())
    elif path == plain:
        yield path, value


# ---------------------------------------------------------------- warnings

_CREDENTIAL_HEADERS = frozenset({"authorization", "cookie", "x-api-key"})


def warnings_of(obj: JsonObject) -> list[str]:
    """What is accepted but should be changed; the texts are those of the admission policy that only warns."""
    source = _given(_given(obj, "spec"), "source")
    headers = [_given(_given(source, block), "headers") for block in ("url", "registry")]
    if any(name.lower() in _CREDENTIAL_HEADERS for names in headers for name in names):
        return ["put credentials into authSecret or headersSecret, not into headers"]
    return []
