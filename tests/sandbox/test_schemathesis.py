"""Generated requests, valid and not, for every operation of the published OpenAPI document.

Every check of schemathesis runs, but for those named in `EXCLUDED`. Where the document lists no
answer for a request that can be wrong, `MISSING_ANSWERS` completes it.
"""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import positive_data_acceptance

from tests.sandbox.conftest import JUPYTER, Running, Start
from tests.sandbox.test_contract import DOCUMENT

pytestmark = pytest.mark.slow

ASSETS = "/api/v1/asset"
MISSING_ANSWERS = {
    # A list can be asked for with a flag that is none, or an id that does not exist.
    **{(f"{ASSETS}/{kind}", "get"): ["400BadRequest"] for kind in ("environment", "compute")},
    **{
        (f"{ASSETS}/{kind}/{{AssetId}}", "get"): ["400BadRequest"]
        for kind in ("environment", "compute")
    },
    # A replacement can be as wrong as a creation, and take another's name.
    **{
        (f"{ASSETS}/{kind}/{{AssetId}}", "put"): ["400BadRequest", "409Conflict"]
        for kind in ("environment", "compute")
    },
    ("/api/v1/clusters", "get"): ["400BadRequest"],  # a verbosity that does not exist
    ("/api/v1/clusters/{clusterUuid}", "get"): ["400BadRequest"],
}
EXCLUDED: list[Any] = [
    # What a schema allows may still be refused: ids that do not exist, the scope `system`, rules
    # that only the descriptions state.
    positive_data_acceptance,
]


def document() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(DOCUMENT.read_text())
    for (path, method), names in MISSING_ANSWERS.items():
        answers = found["paths"][path][method]["responses"]
        answers |= {name[:3]: {"$ref": f"#/components/responses/{name}"} for name in names}
    for path in ("/api/v1/token", "/api/v2/token"):
        found["paths"][path]["post"]["security"] = []  # the token is what is asked for here
    for each in found["components"]["schemas"].values():
        allow_null(each)
    return found


def allow_null(schema: dict[str, Any]) -> None:
    """Let null into nullable enumerations: strictly it is in none, but the SDK sends it."""
    if schema.get("nullable") and "enum" in schema:
        schema["enum"].append(None)
    for each in schema.get("properties", {}).values():
        allow_null(each)


schema = schemathesis.openapi.from_dict(document())
schema.config.generation.update(
    with_security_parameters=False,  # the test itself logs in; test_login.py has the rest
    allow_extra_parameters=False,  # unknown query parameters are ignored, as servers do
)


def operation_test(path: str, method: str) -> object:
    """The test of one operation.

    One for all of them would give each the same id under pytest 9.2, and of tests with the same id
    pytest-xdist runs one.
    """

    @schema.include(path=path, method=method).parametrize()
    @settings(
        max_examples=40,
        deadline=None,
        derandomize=True,  # a run is the same everywhere; chance is for the long runs
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def test(case: schemathesis.Case[Any], sandbox: Running) -> None:
        headers = {"Authorization": f"Bearer {sandbox.http.token}"}
        case.call_and_validate(sandbox.endpoint.base_url, headers=headers, excluded_checks=EXCLUDED)

    return test


OPERATIONS = [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]
for each in OPERATIONS:
    words = re.findall("[A-Za-z0-9]+", each.path)
    globals()["_".join(["test", each.method, *words])] = operation_test(each.path, each.method)


def test_every_operation_has_its_test() -> None:
    methods = [name for path in document()["paths"].values() for name in path]
    assert len(OPERATIONS) == len([name for name in methods if name != "parameters"]) == 18
    assert len({name for name in globals() if re.match("test_(get|put|post|delete)_", name)}) == 18


@pytest.mark.parametrize("absent", ["absent", "null", "empty"])
@pytest.mark.parametrize("fill_defaults", [False, True])
def test_answers_keep_to_the_contract_in_every_form(
    start: Start, absent: str, fill_defaults: bool
) -> None:
    http = start(absent=absent, fill_defaults=fill_defaults).http
    variables = [{"name": "A", "value": "1"}, {"name": "B", "podFieldRef": {"path": "p"}}]
    spec = {"image": "x", "connections": [JUPYTER], "environmentVariables": variables}
    http.create("environment", "a", spec=spec)
    http.create("environment", "b", scope="project", projectId=1)
    http.create("compute", "a", spec={"extendedResources": [{"resource": "x", "quantity": "1"}]})
    for kind in ("environment", "compute"):
        path = f"{ASSETS}/{kind}"
        query = "?usageInfo=true&statusInfo=true"
        answer = http.send("GET", path + query)
        response = schemathesis.Response(
            status_code=200,
            headers={"content-type": ["application/json"]},
            content=json.dumps(answer.body).encode(),
            request=None,  # type: ignore[arg-type] # the schema check does not look at it
            elapsed=0.0,
            verify=False,
        )
        schema[path]["GET"].validate_response(response)
