"""Generated requests, valid and not, for every operation of the published OpenAPI document.

Every check of schemathesis runs, but for those named in `EXCLUDED`. Where the document lists no
answer for a request that can be wrong, `MISSING_ANSWERS` completes it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from copy import deepcopy
from functools import cache
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import positive_data_acceptance

from reconciler.sandbox.api_schema import version_of
from tests.examples import examples
from tests.sandbox.conftest import JUPYTER, Running, Start
from tests.sandbox.test_api_schema import DOCUMENTS

pytestmark = pytest.mark.slow

ASSETS, UNITS = "/api/v1/asset", "/api/v1/org-unit"
MISSING_ANSWERS = {
    # A list can be asked for with a flag that is none, or an id that does not exist.
    (f"{ASSETS}/credentials.*|/api/v1/clusters.*", "get"): ["400BadRequest"],
    (f"{ASSETS}/(environment|compute|datasource).*", "get"): ["400BadRequest"],
    # A replacement can be as wrong as a creation, and take another's name.
    (f"{ASSETS}/(environment|compute|datasource)/.*", "put"): ["400BadRequest", "409Conflict"],
}
EXCLUDED: list[Any] = [
    # What a schema allows may still be refused: ids that do not exist, the scope `system`, rules
    # that only the descriptions state.
    positive_data_acceptance,
]


def document(version: str) -> dict[str, Any]:
    found = deepcopy(version_of(DOCUMENTS, version))  # it is changed below
    for path, operations in found["paths"].items():
        for method, operation in operations.items():
            for (pattern, wanted), names in MISSING_ANSWERS.items():
                if method == wanted and re.fullmatch(pattern, path):
                    operation["responses"] |= {
                        name[:3]: {"$ref": f"#/components/responses/{name}"} for name in names
                    }
            if path.endswith("/token"):
                operation["security"] = []  # the token is what is asked for here
    for each in found["components"]["schemas"].values():
        allow_null(each)
    if version == "2.18":  # its projects require a field that only their status has
        text = json.dumps(found)
        assert text.count('"phase", ') == 2
        found = json.loads(text.replace('"phase", ', ""))
    return found


def allow_null(schema: dict[str, Any]) -> None:
    """Let null into nullable enumerations: strictly it is in none, but the SDK sends it."""
    if schema.get("nullable") and "enum" in schema:
        schema["enum"].append(None)
    for each in schema.get("properties", {}).values():
        allow_null(each)


def schema_of(version: str) -> Any:
    schema = schemathesis.openapi.from_dict(document(version))
    schema.config.generation.update(
        with_security_parameters=False,  # the test itself logs in; test_login.py has the rest
        allow_extra_parameters=False,  # unknown query parameters are ignored, as servers do
    )
    return schema


@pytest.fixture
def play(start: Start) -> Callable[[str], Running]:
    """One server of a version for all examples of a test."""
    return cache(lambda version: start(version=version))


def operation_test(version: str, path: str, method: str) -> object:
    """The test of one operation.

    One for all of them would give each the same id under pytest 9.2, and of tests with the same id
    pytest-xdist runs one.
    """

    @SCHEMAS[version].include(path=path, method=method).parametrize()  # type: ignore[untyped-decorator]
    @settings(
        max_examples=EXAMPLES[version],
        deadline=None,
        derandomize=True,  # a run is the same everywhere; chance is for the long runs
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def test(case: schemathesis.Case[Any], play: Callable[[str], Running]) -> None:
        running = play(version)
        headers = {"Authorization": f"Bearer {running.http.token}"}
        case.call_and_validate(running.endpoint.base_url, headers=headers, excluded_checks=EXCLUDED)

    return test


# The newest version at length, the oldest in short.
EXAMPLES = {"3.0": examples(100), "2.18": 6}
SCHEMAS = {version: schema_of(version) for version in EXAMPLES}
OPERATIONS = {
    version: [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]
    for version, schema in SCHEMAS.items()
}
for version, operations in OPERATIONS.items():
    for each in operations:
        words = re.findall("[A-Za-z0-9]+", f"{version} {each.method} {each.path}")
        globals()["_".join(["test", *words])] = operation_test(version, each.path, each.method)


@pytest.mark.parametrize("version", EXAMPLES)
def test_every_operation_has_its_test(version: str) -> None:
    methods = [name for path in document(version)["paths"].values() for name in path]
    count = len([name for name in methods if name != "parameters"])
    assert len(OPERATIONS[version]) == count >= 18
    prefix = f"test_{version.replace('.', '_')}_"
    assert len([name for name in globals() if name.startswith(prefix)]) == count


@pytest.mark.parametrize("absent", ["absent", "null", "empty"])
@pytest.mark.parametrize("fill_defaults", [False, True])
@pytest.mark.parametrize("version", EXAMPLES)
def test_answers_keep_to_the_contract_in_every_form(
    start: Start, absent: str, fill_defaults: bool, version: str
) -> None:
    http = start(absent=absent, fill_defaults=fill_defaults, version=version).http
    variables = [{"name": "A", "value": "1"}, {"name": "B", "podFieldRef": {"path": "p"}}]
    spec = {"image": "x", "connections": [JUPYTER], "environmentVariables": variables}
    http.create("environment", "a", spec=spec)
    http.create("environment", "b", scope="project", projectId=1)
    http.create("compute", "a", spec={"extendedResources": [{"resource": "x", "quantity": "1"}]})
    http.create("datasource/nfs", "a", spec={"server": "s", "path": "/p", "mountPath": "/m"})
    for kind in ("environment", "compute", "datasource/nfs", "datasource"):
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
        SCHEMAS[version][path]["GET"].validate_response(response)
