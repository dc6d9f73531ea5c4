"""Whatever the documents allow to be asked: nobody gets it without a credential, and nothing breaks.

`THV_CASES` says how many requests are made up.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.apps.kit.memory_reviews import ALICE, MemoryReviews
from tests.apps.registry_api.asking import Reply, Rules
from tests.apps.registry_api.places import Place
from tests.apps.registry_api.serving import serving
from tests.apps.registry_api.test_conformance import CASES
from thv.apps.kit.authorization import Authorization
from thv.apps.kit.http.server import HttpServer
from thv.apps.kit.reviews import Identity
from thv.apps.registry_api.guard import Guard
from thv.domain.permissions import LIST_SERVERS, READ

pytestmark = pytest.mark.flows
CHECKS = [
    not_a_server_error,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
]
AUDIENCE = "corp-api.default.svc"
THERE = {
    "name": "osv",
    "serverName": "io.github.stacklok%2Fosv",
    "version": "1.0.0",
    "group": "tools",
    "tool": "scan",
}
SHARE = max(100, CASES // 2)


def guarded(place: Place) -> HttpServer:
    """Alice may read, Nora is known and may not."""
    reviews = MemoryReviews()
    reviews.tokens = {("good", AUDIENCE): ALICE, ("weak", AUDIENCE): Identity(user="nora")}
    rights = READ.on("default", "corp"), LIST_SERVERS.on("default")
    reviews.rights = {("alice", right) for right in rights}
    authorization = Authorization(reviews)
    guard = Guard(place.find, authorization, lambda: True)
    return place.app(authorize=guard.authorize, authorization=authorization)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    made = Place(tmp_path)
    asyncio.run(made.sync())
    return made


class Asker:
    """Sends what was made up, as somebody."""

    def __init__(self, base_url: str, document: Any) -> None:
        self._base_url = base_url
        self._session = requests.Session()
        self._rules = Rules(document, "")

    def ask(self, case: Case[Any], token: str = "") -> int:
        """The status; the answer is what the document says."""
        prepared = requests.Request(**case.as_transport_kwargs(base_url=self._base_url)).prepare()
        prepared.headers.pop("authorization", None)
        if token:
            prepared.headers["authorization"] = f"Bearer {token}"
        answer = self._session.send(prepared, allow_redirects=False)
        assert answer.status_code < 500 or answer.status_code == 501, prepared.url
        if prepared.method == "GET":
            kept = {name.lower(): value for name, value in answer.headers.items()}
            kept.pop("content-encoding", None)
            self._rules.check(
                "GET", prepared.path_url, Reply(answer.status_code, kept, answer.content)
            )
        return answer.status_code


@pytest.mark.requirement("API-05")
def test_no_operation_forgets_to_ask_who_it_is(place: Place) -> None:
    with serving(lambda: guarded(place)) as base_url:
        document = requests.get(f"{base_url}/openapi.json").json()
        asker = Asker(base_url, document)
        schema = schemathesis.openapi.from_dict(document)
        operations = [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]
        closed = [each for each in operations if is_closed(each.definition.raw["security"])]
        assert len(closed) > 20
        for operation in closed:
            check_operation(operation, asker)


def is_closed(security: list[Any]) -> bool:
    """Whether nobody is answered without a token."""
    return bool(security) and {} not in security


def check_operation(operation: Any, asker: Asker) -> None:
    weak = 403 if operation.definition.raw["x-required-permissions"] else 200

    @settings(
        max_examples=max(2, SHARE // 90),
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(case=operation.as_strategy())
    def ask(case: Case[Any]) -> None:
        for name in case.path_parameters or {}:
            case.path_parameters[name] = THERE[name]
        was_read = asker.ask(case, "good")
        assert was_read not in (401, 403)
        if was_read == 200:
            assert (asker.ask(case), asker.ask(case, "wrong")) == (401, 401)
            assert asker.ask(case, "weak") == weak
        else:
            assert asker.ask(case) in (401, 404, 405, 414, 501)
            assert asker.ask(case, "weak") in (400, 403, 404, 405, 414, 501)

    ask()


@pytest.mark.requirement("API-02", "API-06")
@pytest.mark.parametrize("token", ["", "weak", "good"])
def test_what_follows_from_answers_is_as_the_documents_say(place: Place, token: str) -> None:
    """Values of answers go into the requests that come after them."""
    met: dict[int, int] = {}
    with serving(lambda: guarded(place)) as base_url:
        schema = schemathesis.openapi.from_url(f"{base_url}/openapi.json")

        class Walk(schema.as_state_machine()):  # type: ignore[misc] # made of the document
            def get_call_kwargs(self, case: Case[Any]) -> dict[str, Any]:
                case.headers.pop("Authorization", None)
                return {"headers": {"Authorization": f"Bearer {token}"} if token else {}}

            def validate_response(self, response: Any, case: Case[Any], **more: Any) -> None:
                met[response.status_code] = met.get(response.status_code, 0) + 1
                # Publishing is answered with 501: that is no failure of this server.
                skipped = 1 if response.status_code == 501 else 0
                case.validate_response(response, checks=CHECKS[skipped:])

        Walk.run(
            settings=settings(
                max_examples=max(3, SHARE // 30),
                stateful_step_count=10,
                derandomize=True,
                database=None,
                deadline=None,
                suppress_health_check=list(HealthCheck),
                phases=[Phase.generate],
            )
        )
    print(f"{token or 'nobody'}: {dict(sorted(met.items()))}")
    assert {"": 401, "weak": 403, "good": 200}[token] in met
