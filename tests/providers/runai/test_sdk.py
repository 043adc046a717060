"""Entering the SDK lazily: cheap, and the same classes as the plain import; what is used of it."""

import subprocess
import sys
import textwrap
import tomllib
from collections.abc import Callable
from importlib.metadata import version
from inspect import signature
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version
from pydantic import SecretStr

from reconciler.providers.runai import sdk
from reconciler.providers.runai.client import Client
from reconciler.providers.runai.connection import Connection, Credentials


def run(code: str, *options: str) -> str:
    """The output of a fresh interpreter (all of the SDK cannot be imported without warnings)."""
    done = subprocess.run(
        [sys.executable, *options, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_few_modules_are_imported() -> None:
    out = run(
        """
        import sys
        from reconciler.providers.runai import sdk
        sdk.load()
        names = [name for name in sys.modules if name.startswith("runai.")]
        print(len(names) < 30, "aiohttp" in sys.modules)
    """,
        "-W",
        "error",
    )
    assert out == "True False"


def test_opening_a_target_imports_nothing_of_the_sdk() -> None:
    out = run("""
        import sys
        from reconciler.config import RunaiTarget, Target
        from reconciler.providers.runai import open_runai
        target = Target("t", "ml", runai=RunaiTarget(base_url="http://127.0.0.1:1"))
        with open_runai(target, 4) as system:
            print([provider.traits.name for provider in system][-2:])
        print([name for name in sys.modules if name.split(".")[0] in ("runai", "aiohttp")])
    """)
    assert out == "['RunaiCompute', 'RunaiEnvironment']\n[]"


@pytest.mark.slow
def test_a_later_plain_import_finds_the_same_classes() -> None:
    out = run("""
        from reconciler.providers.runai import sdk
        ours = sdk.load()
        import runai
        from runai import EnvironmentApi, models
        from runai.runai_client import RunaiClient
        import runai.async_rest
        print(runai.__version__.count("."))
        print(all(getattr(runai, name) is getattr(ours, name)
                  for name in ("ApiClient", "Configuration")))
        print(models.EnvironmentCreationRequest is runai.EnvironmentCreationRequest)
        print(issubclass(RunaiClient.__mro__[0], object), EnvironmentApi is runai.EnvironmentApi)
        print(hasattr(runai, "NoSuchThing"), issubclass(RunaiClient, object))
        print(runai.async_rest.AsyncRESTClientObject.__module__)
        print(sdk.load() == ours)
    """)
    assert out.split("\n") == [
        "2",
        "True",
        "True",
        "True True",
        "False True",
        "runai.async_rest",
        "True",
    ]


@pytest.mark.slow
def test_an_sdk_that_is_imported_already_is_used() -> None:
    out = run("""
        import runai
        from reconciler.providers.runai import sdk
        ours = sdk.load()
        print(ours.ApiClient is runai.ApiClient, type(runai).__name__)
    """)
    assert out == "True module"


@pytest.mark.slow
def test_another_layout_of_the_sdk_is_imported_plainly(tmp_path: object) -> None:
    """Here: the client needs a name that the package itself defines before it is imported."""
    out = run(f"""
        import pathlib, sys
        root = pathlib.Path({str(tmp_path)!r}) / "runai"
        root.mkdir()
        (root / "__init__.py").write_text(
            "import sys\\nLOADED = True\\nsys.modules['runai.parts'] = sys\\n"
        )
        text = "from runai.parts import path\\nclass ApiClient: pass\\n"
        (root / "api_client.py").write_text(text)
        for name, cls in (("configuration", "Configuration"), ("exceptions", "ApiException")):
            (root / f"{{name}}.py").write_text(f"class {{cls}}(Exception): pass\\n")
        sys.path.insert(0, str(root.parent))
        from reconciler.providers.runai import sdk
        ours = sdk.load()
        import runai
        print(runai.LOADED, type(runai).__name__, ours.ApiClient.__module__)
    """)
    assert out == "True module runai.api_client"


def test_the_parts_of_the_sdk_that_are_not_public() -> None:
    """`Client` overrides and calls these: a runapy that changes them must not be taken as it is.

    A release that fails here needs a look at `client.py`, and then a new limit in pyproject.toml.
    """
    ours = sdk.load()
    client, configuration = ours.ApiClient, ours.Configuration

    def parameters(function: Callable[..., object]) -> list[str]:
        return list(signature(function).parameters)

    assert parameters(client.__init__) == ["self", "configuration"]
    assert parameters(client._make_token_request) == ["self"]
    assert parameters(client.set_default_header) == ["self", "header_name", "header_value"]
    assert parameters(client.param_serialize) == [
        *("self", "method", "resource_path", "path_params", "query_params", "header_params"),
        *("body", "post_params"),
    ]
    assert parameters(client.call_api) == [
        *("self", "method", "resource_path", "query_params", "header_params"),
        *("body", "post_params", "_request_timeout"),
    ]
    assert parameters(client.call_api) == parameters(Client.call_api)
    deserialize = ["self", "response_data", "response_types_map"]
    assert parameters(client.response_deserialize) == deserialize
    assert parameters(client.close) == ["self"]
    known = parameters(configuration.__init__)
    needed = ["client_id", "client_secret", "runai_base_url", "ssl_ca_cert", "pool_maxsize"]
    needed += ["retry_enabled", "proxy_url", "proxy_headers", "auto_refresh_token", "logger"]
    assert set(needed) <= set(known)
    made = Client(Connection("http://127.0.0.1:1", Credentials(token=SecretStr("abc"))))
    assert made.default_headers["authorization"] == "Bearer abc"
    assert parameters(made.rest_client.request) == [
        *("method", "url", "headers", "body", "post_params", "_request_timeout"),
    ]
    assert made.rest_client.pool_manager.connection_pool_kw["retries"] is False
    assert made.param_serialize("GET", "/a", None, [("b", True)], {"C": "d"})[:2] == (
        "GET",
        "http://127.0.0.1:1/a?b=true",
    )


def test_the_version_of_the_sdk_is_limited() -> None:
    """Parts of it that are not public are used, so a new minor version is looked at first."""
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"]
    (wanted,) = [Requirement(text) for text in project["dependencies"] if "runapy" in text]
    newest = Version(version("runapy"))
    assert newest in wanted.specifier
    assert Version(f"{newest.major}.{newest.minor + 1}") not in wanted.specifier
