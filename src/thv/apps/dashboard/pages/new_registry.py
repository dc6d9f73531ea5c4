"""`/registries/new`: a registry, described step by step; nothing is kept here between the steps.

In the flow: the form carries what was typed along, the API says what is wrong with it. Whoever may apply it does so here;
everybody else takes the manifest home.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, TypeAlias

from thv.apps.dashboard import drafts
from thv.apps.dashboard.asking import path, query_of
from thv.apps.dashboard.desk import Desk, see_other
from thv.apps.dashboard.drafts import STEPS, Values
from thv.apps.dashboard.forms import first
from thv.apps.dashboard.rights import REGISTRIES, may, who
from thv.apps.dashboard.visits import Visit
from thv.apps.dashboard.wording import sentence
from thv.apps.kit.http.endpoints import Endpoint
from thv.apps.kit.http.message import NO_STORE, Answer
from thv.apps.kit.http.problems import Culprit, ProblemError, Word

REVIEW = len(STEPS) - 1
_PLACE = "/registries/new"
_PATIENCE = 10
Wrong: TypeAlias = dict[str, list[str]]
"""What is said of each field."""
_SAID_AT_FIELDS = (Word.INVALID_REQUEST, Word.REGISTRY_EXISTS)


class NewRegistry:
    """The form."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def rows(self) -> tuple[Endpoint, ...]:
        """Its rows."""
        return (
            self._desk.row(_PLACE, self.show),
            self._desk.row(_PLACE, self.go_on, method="POST"),
        )

    async def show(self, visit: Visit) -> Answer:
        """The first step."""
        me = await who(visit)
        spaces = me.spaces("create") or me.spaces("get")
        namespace = visit.value("namespace") or (spaces[0] if len(spaces) == 1 else "")
        values = {**drafts.DEFAULTS, "namespace": namespace}
        return await self._page(visit, 0, values)

    async def go_on(self, visit: Visit) -> Answer:
        """Where the button leads, unless something is wrong before it."""
        values = drafts.values_of(visit.form)
        here, wanted = _number(first(visit.form, "step")), first(visit.form, "to")
        if wanted == "try":
            return await self._tried(visit, here, values)
        if wanted == "yaml" or visit.is_fragment:
            return await self._page(visit, here, values)
        if wanted == "download":
            return _file(values)
        to = REVIEW if wanted == "apply" else _number(wanted)
        if to < here:
            return await self._page(visit, to, values)
        errors, problem = await _errors(visit, values, reviewing=to == REVIEW)
        if problem:
            return await self._page(visit, here, values, problem=problem)
        if errors and drafts.step_of(errors) < to:
            return await self._page(visit, drafts.step_of(errors), values, errors)
        if wanted == "apply":
            return await self._applied(visit, values)
        return await self._page(visit, to, values)

    async def _tried(self, visit: Visit, step: int, values: Values) -> Answer:
        """What the source holds, and what would be taken of it; nothing is made."""
        lacking = drafts.missing(values)
        if lacking:
            return await self._wrong(visit, step, values, _of_fields(lacking))
        place = path("/api/v1/registries/{}/preview", values["namespace"])
        try:
            trial = await visit.api.post(place, drafts.manifest_of(values))
        except ProblemError as problem:
            return await self._wrong(visit, step, values, _at_fields(problem), problem)
        return await self._page(visit, step, values, trial=trial)

    async def _wrong(
        self,
        visit: Visit,
        step: int,
        values: Values,
        errors: Wrong,
        problem: ProblemError | None = None,
    ) -> Answer:
        """The step whose fields are wrong; `step` where it is about none."""
        shown = drafts.step_of(errors) if errors else step
        return await self._page(visit, shown, values, errors, problem)

    async def _applied(self, visit: Visit, values: Values) -> Answer:
        place = path("/api/v1/namespaces/{}/registries", values["namespace"])
        try:
            await visit.api.post(place, drafts.manifest_of(values), wait=_PATIENCE)
        except ProblemError as problem:
            return await self._wrong(visit, REVIEW, values, _at_fields(problem), problem)
        made = path("/registries/{}/{}", values["namespace"], values["name"])
        return see_other(f"{made}?{query_of({'done': 'made'})}")

    async def _page(
        self,
        visit: Visit,
        step: int,
        values: Values,
        errors: Wrong | None = None,
        problem: ProblemError | None = None,
        *,
        trial: dict[str, Any] | None = None,
    ) -> Answer:
        me = await who(visit)
        namespace = values.get("namespace", "")
        is_asked = step > 0 and not visit.is_fragment
        may_create = is_asked and await may(visit, "create", REGISTRIES, namespace)
        manifest = drafts.manifest_of(values)
        # A part that says what is wrong is no failure of the script that asked for it.
        status = 200 if visit.is_fragment else problem.status if problem else 400 if errors else 200
        types = {k: v for k, v in drafts.TYPES.items() if k != "file" or me.owns_files}
        return self._desk.renderer.page(
            visit,
            "registry_new.html",
            status=status,
            steps=STEPS,
            step=step,
            values=values,
            errors=errors or {},
            problem=problem,
            types=types,
            carried=[(k, v) for k, v in values.items() if v and k not in STEPS[step].fields],
            spaces=me.spaces("create") or me.spaces("get"),
            me=me,
            may_apply=may_create and step == REVIEW,
            may_try=self._desk.tries_sources and (may_create or bool(me.spaces("create"))),
            untried=_untried(types, self._desk.tries),
            trial=trial,
            rules=drafts.RULES,
            filters=drafts.filters_of(manifest),
            yaml=drafts.yaml_of(manifest),
        )


def _untried(types: Iterable[str], tries: Collection[str] | None) -> list[str]:
    """The choices whose sources nobody reads before there is a registry."""
    if tries is None:
        return []
    return [each for each in types if drafts.source_type(each) not in tries]


def _number(text: str) -> int:
    return int(text) if text in {str(number) for number in range(len(STEPS))} else 0


def _file(values: Values) -> Answer:
    text = drafts.yaml_of(drafts.manifest_of(values))
    kind = (b"content-type", b"application/yaml")
    name = (b"content-disposition", b'attachment; filename="registry.yaml"')
    return Answer(200, (kind, NO_STORE, name), text.encode())


# ---------------------------------------------------------------- what is wrong


async def _errors(
    visit: Visit, values: Values, *, reviewing: bool
) -> tuple[Wrong, ProblemError | None]:
    """By field; and the refusal that is about none."""
    lacking = drafts.missing(values)
    if lacking:
        return _of_fields(lacking), None
    try:
        await _tried(visit, values, reviewing=reviewing)
    except ProblemError as problem:
        errors = _at_fields(problem)
        return errors, None if errors else problem
    return {}, None


async def _tried(visit: Visit, values: Values, *, reviewing: bool) -> None:
    """Raises what the API refuses: by the rules, and at the end also where it would be written."""
    namespace, manifest = values["namespace"], drafts.manifest_of(values)
    await visit.api.post(path("/api/v1/registries/{}/validate", namespace), manifest)
    if reviewing and await may(visit, "create", REGISTRIES, namespace):
        place = path("/api/v1/namespaces/{}/registries", namespace)
        await visit.api.post(place, manifest, dry_run=True)


def _of_fields(lacking: dict[str, str]) -> Wrong:
    return {name: [said] for name, said in lacking.items()}


def _at_fields(problem: ProblemError) -> Wrong:
    """What is said of each field; empty where something concerns none of them."""
    if problem.word not in _SAID_AT_FIELDS:
        return {}
    found: Wrong = {}
    for culprit in problem.culprits:
        field = drafts.field_of(culprit)
        if not field:
            return {}
        found.setdefault(field, []).append(_sentence(culprit))
    return found


def _sentence(culprit: Culprit) -> str:
    """Without the path, as it stands at its field."""
    place = culprit.location.partition(".")[2]
    text = culprit.message.removeprefix(f"{place} ")
    return f"{sentence(text).rstrip('.')}."
