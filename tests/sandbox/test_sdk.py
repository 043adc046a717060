"""Every call of the real SDK that the reconciler uses, against a sandbox."""

from __future__ import annotations

import time
import uuid
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

from reconciler.sandbox import Endpoint
from tests.sandbox.conftest import JUPYTER, Running, Start

with warnings.catch_warnings():
    # The SDK's docstrings have escapes that newer Pythons warn of when they compile them.
    warnings.simplefilter("ignore")
    from runai.api.clusters_api import ClustersApi
    from runai.api.compute_api import ComputeApi
    from runai.api.credentials_api import CredentialsApi
    from runai.api.departments_api import DepartmentsApi
    from runai.api.environment_api import EnvironmentApi
    from runai.api.projects_api import ProjectsApi
    from runai.api_client import ApiClient
    from runai.configuration import Configuration
    from runai.exceptions import ApiException, ConflictException, NotFoundException
    from runai.models.compute_asset import ComputeAsset
    from runai.models.department_for_list import DepartmentForList
    from runai.models.displayed_cluster import DisplayedCluster
    from runai.models.environment_asset import EnvironmentAsset
    from runai.models.generic_secret import GenericSecret

SEED = """
clusters:
  - name: main
    departments: [{name: default, projects: [team-a]}]
credentials:
  - {name: hf-token, type: generic-secret, keys: [TOKEN]}
  - {name: git, type: password, scope: project, project: team-a}
  - {name: s3, type: access-key, scope: cluster, cluster: main}
  - {name: registry, type: docker-registry, scope: department, department: default}
  - {name: ngc, type: ngc-api-key}
"""


LOGIN = "2.24"  # the last version that has the login of the SDK


def make_sdk(endpoint: Endpoint) -> ApiClient:
    """A client as the SDK's documentation has it, without its retries (it repeats a 401)."""
    secret = endpoint.client_secret.get_secret_value()
    return ApiClient(
        Configuration(
            client_id=endpoint.client_id,
            client_secret=secret,
            runai_base_url=endpoint.base_url,
            retry_enabled=False,
        )
    )


@pytest.fixture
def sandbox(start: Start) -> Running:
    return start(version=LOGIN)


@pytest.fixture
def sdk(sandbox: Running) -> Iterator[ApiClient]:
    with make_sdk(sandbox.endpoint) as client:
        yield client


def test_environment_assets(sdk: ApiClient) -> None:
    api = EnvironmentApi(sdk)
    spec = {"image": "ubuntu:24.04", "connections": [JUPYTER]}
    meta = {"name": "training", "scope": "tenant", "description": "For training."}

    created = api.create_environment_asset({"meta": meta, "spec": spec})
    assert created.status_code == 202
    asset_id = created.data["meta"]["id"]
    assert uuid.UUID(asset_id).version == 4
    assert created.data["meta"] | meta == created.data["meta"]
    assert created.data["spec"] == spec
    read = api.get_environment_asset_by_id(asset_id, usage_info=True, status_info=True)
    assert read.status_code == 200
    assert read.data["meta"] == created.data["meta"]
    parsed = EnvironmentAsset.from_dict(read.data)
    assert parsed.spec.image == "ubuntu:24.04"
    assert parsed.status.status == "No issues found"

    updated = api.update_environment_asset_by_id(
        asset_id, {"meta": {"name": "renamed"}, "spec": {"image": "ubuntu:22.04"}}
    )
    assert updated.status_code == 202
    assert updated.data["spec"] == {"image": "ubuntu:22.04"}
    listed = api.list_environment_assets(name="renamed", scope="tenant")
    assert listed.status_code == 200
    assert listed.data == {"entries": [updated.data]}

    deleted = api.delete_environment_asset_by_id(asset_id)
    assert (deleted.status_code, deleted.data["code"]) == (202, 202)
    with pytest.raises(NotFoundException):
        api.get_environment_asset_by_id(asset_id)


def test_compute_assets(sdk: ApiClient) -> None:
    api = ComputeApi(sdk)
    spec: dict[str, Any] = {"cpuCoreRequest": 0.5, "cpuMemoryRequest": "32Gi"}
    body = {"meta": {"name": "small", "scope": "tenant"}, "spec": spec}

    asset_id = api.create_compute_asset(body).data["meta"]["id"]
    with pytest.raises(ConflictException):
        api.create_compute_asset(body)
    spec = {"gpuDevicesRequest": 2}
    updated = api.update_compute_asset_by_id(asset_id, {"meta": {"name": "small"}, "spec": spec})
    assert updated.status_code == 202
    read = api.get_compute_asset_by_id(asset_id, usage_info=True).data
    assert ComputeAsset.from_dict(read).spec.gpu_devices_request == 2
    names = [each["meta"]["name"] for each in api.list_compute_assets().data["entries"]]
    assert names == ["cpu-only", "small-fraction", "one-gpu", "small"]
    assert api.delete_compute_asset_by_id(asset_id).status_code == 202
    with pytest.raises(NotFoundException):
        api.delete_compute_asset_by_id(asset_id)


def test_bodies_made_by_the_models_with_explicit_nulls(sdk: ApiClient) -> None:
    api = EnvironmentApi(sdk)
    body = {
        "meta": {"name": "a", "scope": "tenant", "description": None, "projectId": None},
        "spec": {"image": "x", "command": None, "probes": None, "environmentVariables": None},
    }
    created = api.create_environment_asset(body).data
    assert created["spec"] == {"image": "x"}
    assert "description" not in created["meta"]


def test_clusters(sdk: ApiClient) -> None:
    api = ClustersApi(sdk)
    clusters = api.get_clusters().data
    assert isinstance(clusters, list)
    assert [DisplayedCluster.from_dict(each).name for each in clusters] == ["main"]
    assert api.get_cluster_by_uuid(clusters[0]["uuid"]).data["name"] == "main"
    assert set(api.get_clusters(verbosity="metadata").data[0]) == {
        "uuid",
        "tenantId",
        "name",
        "createdAt",
    }


def test_projects_and_departments(sdk: ApiClient) -> None:
    projects = ProjectsApi(sdk).get_projects(filter_by=["name==team-b"]).data["projects"]
    # The SDK's model Project is another API's, so that the plain values are what there is to read.
    assert [each["name"] for each in projects] == ["team-b"]
    assert projects[0]["id"].isdecimal()
    departments = DepartmentsApi(sdk).get_departments(limit=500).data
    assert [DepartmentForList.from_dict(each).name for each in departments["departments"]] == [
        "default"
    ]
    assert "next" not in departments
    assert departments["departments"][0]["id"] == projects[0]["parentId"]
    one = ProjectsApi(sdk).get_project(projects[0]["id"]).data
    assert one == projects[0]


def test_credentials(start: Start) -> None:
    with make_sdk(start(seed=SEED, version=LOGIN).endpoint) as sdk:
        check_credentials(CredentialsApi(sdk))


def check_credentials(api: CredentialsApi) -> None:
    found = {
        each["meta"]["name"]: each["meta"]["kind"]
        for method in (
            api.list_generic_secret,
            api.list_passwords,
            api.list_access_keys,
            api.list_docker_registries,
            api.list_ngc_api_key,
        )
        for each in method().data["entries"]
    }
    assert found == {
        "hf-token": "genericSecret",
        "git": "password",
        "s3": "accessKey",
        "registry": "dockerRegistry",
        "ngc": "ngcApiKey",
    }
    secret = GenericSecret.from_dict(api.list_generic_secret(name="hf-token").data["entries"][0])
    assert [pair.key for pair in secret.spec.key_value_pairs] == ["TOKEN"]
    every = api.list_credentials_assets().data["entries"]
    assert [each["meta"]["name"] for each in every] == list(found)
    assert list(every[0]["spec"]) == ["genericSecret"]
    assert api.list_passwords(project_id=1, scope="project").data["entries"]
    assert not api.list_passwords(scope="tenant").data["entries"]


def test_wrong_credentials_are_refused(sandbox: Running) -> None:
    with pytest.raises((ApiException, ValueError), match="Failed to get access token"):
        ApiClient(
            Configuration(
                client_id=sandbox.endpoint.client_id,
                client_secret="wrong",
                runai_base_url=sandbox.endpoint.base_url,
            )
        )


def test_the_sdk_refreshes_a_token_that_is_about_to_expire(start: Start) -> None:
    running = start(token_lifetime=61.0, version=LOGIN)
    with make_sdk(running.endpoint) as sdk:
        running.server.requests.clear()
        time.sleep(1.5)  # the SDK refreshes 60 seconds before the end
        ClustersApi(sdk).get_clusters()
    paths = [request.path for request in running.server.requests.all()]
    assert paths == ["/api/v1/token", "/api/v1/clusters"]
