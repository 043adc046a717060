"""Entering the SDK lazily: cheap, and the same classes as the plain import."""

import subprocess
import sys
import textwrap

import pytest


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
            print([provider.traits.name for provider in system])
        print([name for name in sys.modules if name.split(".")[0] in ("runai", "aiohttp")])
    """)
    assert out == "['RunaiCompute', 'RunaiEnvironment']\n[]"


@pytest.mark.slow
def test_a_later_plain_import_finds_the_same_classes() -> None:
    out = run("""
        import typing
        from reconciler.providers.runai import sdk
        ours = sdk.load()
        import runai
        from runai import EnvironmentApi, models
        from runai.runai_client import RunaiClient
        import runai.async_rest
        print(runai.__version__.count("."))
        print(all(getattr(runai, name) is getattr(ours, name)
                  for name in ("EnvironmentApi", "ComputeApi", "ApiClient", "Configuration")))
        hints = typing.get_type_hints(ours.EnvironmentApi.create_environment_asset)
        model = runai.EnvironmentCreationRequest
        print(hints["environment_creation_request"] == typing.Optional[model])
        print(models.EnvironmentCreationRequest is model)
        print(hasattr(runai, "NoSuchThing"), issubclass(RunaiClient, object))
        print(runai.async_rest.AsyncRESTClientObject.__module__)
        print(sdk.load() == ours)
    """)
    assert out.split("\n") == [
        "2",
        "True",
        "True",
        "True",
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
        print(ours.EnvironmentApi is runai.EnvironmentApi, type(runai).__name__)
    """)
    assert out == "True module"


@pytest.mark.slow
def test_another_layout_of_the_sdk_is_imported_plainly(tmp_path: object) -> None:
    """Here: API modules that use a model as a base class, which a forward reference is not."""
    out = run(f"""
        import pathlib, sys
        root = pathlib.Path({str(tmp_path)!r}) / "runai"
        names = ("environment", "compute", "clusters", "departments", "projects", "credentials")
        for package in ("", "api", "models"):
            (root / package).mkdir(parents=True)
        (root / "__init__.py").write_text("__version__ = 'odd'\\nLOADED = True\\n")
        (root / "models" / "__init__.py").write_text("class Base: pass\\n")
        (root / "api" / "__init__.py").write_text("")
        for name in names:
            text = f"from runai import models\\nclass {{name.title()}}Api(models.Base): pass\\n"
            (root / "api" / f"{{name}}_api.py").write_text(text)
        for name, cls in (("api_client", "ApiClient"), ("configuration", "Configuration"),
                          ("exceptions", "ApiException")):
            (root / f"{{name}}.py").write_text(f"class {{cls}}(Exception): pass\\n")
        sys.path.insert(0, str(root.parent))
        from reconciler.providers.runai import sdk
        ours = sdk.load()
        import runai
        print(runai.LOADED, type(runai).__name__, ours.EnvironmentApi.__mro__[1].__module__)
    """)
    assert out == "True module runai.models"
