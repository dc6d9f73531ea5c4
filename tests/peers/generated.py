"""A client that is made of an OpenAPI document alone: its operations are methods, its answers are held to it.

client = Generated(document, ask)
page = client("GET /v0.1/servers", limit=5)
one = client("GET /v0.1/servers/{serverName}/versions/{version}", serverName=name, version="latest")
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

import jsonschema_rs

from tests.peers.official import Answer, Asking, Json

_TEXT = {True: "true", False: "false"}


class Operation(NamedTuple):
    """One operation of the document."""

    method: str
    path: str
    about: Json

    def target(self, given: dict[str, Any]) -> str:
        """The address with parameters where the document puts them; only those that it knows."""
        path, query = self.path, {}
        for parameter in self.about.get("parameters", []):
            name = parameter["name"]
            value = given.pop(name, None)
            if parameter["in"] == "path":
                path = path.replace(f"{{{name}}}", quote(value, safe=""))
            elif value is not None:
                query[name] = _TEXT.get(value, value) if isinstance(value, bool) else value
        assert not given, f"{self.method} {self.path} knows no {', '.join(given)}"
        return f"{path}?{urlencode(query)}" if query else path

    def schema(self, status: int) -> Json:
        """Of the body of an answer."""
        responses = self.about["responses"]
        assert str(status) in responses, f"{self.method} {self.path} answered {status}"
        found: Json = responses[str(status)]["content"]["application/json"]["schema"]
        return found


class Generated:
    """Every operation of a document, by `METHOD path`."""

    def __init__(self, document: Json, asking: Asking) -> None:
        self._components = {"components": document["components"]}
        self._asking = asking
        self.operations = {
            f"{method.upper()} {path}": Operation(method.upper(), path, about)
            for path, operations in document["paths"].items()
            for method, about in operations.items()
        }

    def __call__(self, operation: str, body: Any = None, **parameters: Any) -> Answer:
        """The answer, which is one that the document allows."""
        asked = self.operations[operation]
        answer = self._asking.ask(asked.method, asked.target(parameters), body)
        self._validator(asked.schema(answer.status))(answer.body)
        return answer

    def _validator(self, schema: Json) -> Callable[[Any], None]:
        whole = {**schema, **self._components}
        return jsonschema_rs.Draft202012Validator(whole, validate_formats=True).validate
