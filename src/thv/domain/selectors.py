"""Label selectors, in the syntax of Kubernetes.

In the flow: between a user's `-l` or `labelSelector=` and the objects of a list. A selector is a value: parse
once, match often.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum

import msgspec

from thv.domain.errors import Code, ThvError
from thv.domain.patterns import re2

_NAME = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_LABEL_NAME = re2(f"^{_NAME}$")
_LABEL_VALUE = re2(f"^({_NAME})?$")
_DNS_SUBDOMAIN = re2(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")

_REQUIREMENT = re.compile(
    r"\s*(?:"
    r"(?P<absent>!)\s*(?P<absent_key>[^\s=!,()]+)"
    r"|(?P<set_key>[^\s=!,()]+)\s+(?P<set>in|notin)\s*\((?P<values>[^()]*)\)"
    r"|(?P<key>[^\s=!,()]+)\s*(?P<op>==|=|!=)\s*(?P<value>[^\s=!,()]*)"
    r"|(?P<present_key>[^\s=!,()]+)"
    r")\s*"
)


class Operator(StrEnum):
    """How a requirement compares."""

    IN = "in"
    NOT_IN = "notin"
    EXISTS = "exists"
    ABSENT = "!"


class Requirement(msgspec.Struct, frozen=True):
    """One condition on one label."""

    key: str
    operator: Operator
    values: frozenset[str] = frozenset()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether the labels satisfy it; an absent label is in no set."""
        value = labels.get(self.key)
        match self.operator:
            case Operator.IN:
                return value in self.values
            case Operator.NOT_IN:
                return value not in self.values
            case Operator.EXISTS:
                return value is not None
            case Operator.ABSENT:
                return value is None

    def __str__(self) -> str:
        match self.operator:
            case Operator.EXISTS:
                return self.key
            case Operator.ABSENT:
                return f"!{self.key}"
            case Operator.IN if len(self.values) == 1:
                return f"{self.key}={next(iter(self.values))}"
            case _:
                return f"{self.key} {self.operator} ({','.join(sorted(self.values))})"


class Selector(msgspec.Struct, frozen=True):
    """Requirements that all must hold; without any, everything matches."""

    requirements: tuple[Requirement, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether the labels satisfy every requirement."""
        return all(requirement.matches(labels) for requirement in self.requirements)

    def __str__(self) -> str:
        return ",".join(str(requirement) for requirement in self.requirements)


EVERYTHING = Selector()


def parse_selector(text: str) -> Selector:
    """`a=b,c!=d,e in (f,g),!h`; raises INVALID with the place that cannot be read."""
    if not text.strip():
        return EVERYTHING
    requirements: list[Requirement] = []
    position = 0
    while True:
        match = _REQUIREMENT.match(text, position)
        if match is None:
            raise _unreadable(text, position)
        requirements.append(_requirement(text, match))
        position = match.end()
        if position == len(text):
            return Selector(tuple(requirements))
        if text[position] != ",":
            raise _unreadable(text, position)
        position += 1


def _requirement(text: str, match: re.Match[str]) -> Requirement:
    found = match.groupdict()
    if found["absent"]:
        return _checked(text, found["absent_key"], Operator.ABSENT, ())
    if found["present_key"]:
        return _checked(text, found["present_key"], Operator.EXISTS, ())
    if found["set"]:
        values = tuple(value.strip() for value in found["values"].split(","))
        return _checked(text, found["set_key"], Operator(found["set"]), values)
    operator = Operator.NOT_IN if found["op"] == "!=" else Operator.IN
    return _checked(text, found["key"], operator, (found["value"],))


def _checked(text: str, key: str, operator: Operator, values: tuple[str, ...]) -> Requirement:
    problem = label_key_problem(key)
    if problem:
        raise _invalid(text, f'label "{key}" {problem}')
    for value in values:
        problem = label_value_problem(value)
        if problem:
            raise _invalid(text, f'value "{value}" of label "{key}" {problem}')
    return Requirement(key, operator, frozenset(values))


def _unreadable(text: str, position: int) -> ThvError:
    rest = text[position : position + 40]
    return _invalid(text, f'cannot read "{rest}"' if rest else "it ends after a comma")


def _invalid(text: str, why: str) -> ThvError:
    return ThvError(
        Code.INVALID,
        f'label selector "{text}" is invalid: {why}',
        hint='Write it like "tier=Official,category in (database,search),!deprecated".',
    )


# ---------------------------------------------------------------- what labels and names may hold


def label_value_problem(value: str) -> str:
    """Why this cannot be the value of a label, `""` when it can."""
    if len(value) > 63:
        return "must have at most 63 characters"
    if not _LABEL_VALUE.search(value):
        return "must be empty or letters, digits, '-', '_', '.', and start and end with a letter or digit"
    return ""


def label_key_problem(key: str) -> str:
    """Why this cannot be the key of a label or annotation, `""` when it can."""
    prefix, slash, name = key.rpartition("/")
    if slash and dns_name_problem(prefix):
        return f"has a prefix that {dns_name_problem(prefix)}"
    if not name:
        return "must have a name"
    if len(name) > 63:
        return "must have a name of at most 63 characters"
    if not _LABEL_NAME.search(name):
        return "must be letters, digits, '-', '_', '.', and start and end with a letter or digit"
    return ""


def dns_name_problem(name: str, *, limit: int = 253) -> str:
    """Why this is no DNS-1123 subdomain, `""` when it is one."""
    if len(name) > limit:
        return f"must have at most {limit} characters"
    if not _DNS_SUBDOMAIN.search(name):
        return "must be lower case letters, digits, '-' or '.', and start and end with a letter or digit"
    return ""


def dns_label_problem(name: str) -> str:
    """Why this is no DNS-1123 label, as a namespace must be; `""` when it is one."""
    return "must not contain dots" if "." in name else dns_name_problem(name, limit=63)
