"""The one place where the Run:ai SDK (runapy) is entered: `load()` -> the classes we use.

SDK hazard 1: `import runai` builds 1,100 pydantic models, which costs seconds that a plan need not
pay, since the API methods return plain dicts. So the names `runai`, `runai.api` and `runai.models`
are registered as packages over their own directories, whose `__init__` runs only if somebody asks
for a name that is no submodule: a later `import runai` in the same process finds everything, with
the same classes. While API modules are imported, models in their signatures are forward references
(`typing.get_type_hints` resolves them). `runai.async_rest`, which pulls in aiohttp and which hazard
8 makes useless, is imported on first use. Whatever goes wrong with this, the plain import follows.
"""

import importlib
import importlib.util
import logging
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any, ForwardRef, Literal

log = logging.getLogger(__name__)

_PACKAGES = ("runai", "runai.api", "runai.models")
_LAZY_MODULE = "runai.async_rest"
_lock = threading.RLock()


@dataclass(frozen=True, slots=True)
class Sdk:
    """The classes of the SDK that the provider uses."""

    ApiClient: Any
    Configuration: Any
    ApiException: Any
    EnvironmentApi: Any
    ComputeApi: Any
    ClustersApi: Any
    DepartmentsApi: Any
    ProjectsApi: Any
    CredentialsApi: Any


def load() -> Sdk:
    """Import what we need of the SDK, lazily if that works and plainly if not."""
    with _lock:
        if "runai" not in sys.modules:
            try:
                _register()
                return _collect()
            except Exception:  # noqa: BLE001  (another SDK layout: any failure has the same cure)
                log.debug("entering the Run:ai SDK lazily failed; importing all of it")
                _forget()
        return _collect()


def missing_part() -> Literal["", "sdk", "environments"]:
    """Whether the SDK, or its part for environment assets, is not installed. Imports nothing."""
    try:
        if importlib.util.find_spec("runai") is None:
            return "sdk"
        found = importlib.util.find_spec(_CLASSES["EnvironmentApi"])
    except (ImportError, ValueError):  # half an installation
        return "environments"
    return "" if found is not None else "environments"


class _LazyPackage(ModuleType):
    """A package whose `__init__` runs when a name is asked for that is no submodule."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        full_name = f"{self.__name__}.{name}"
        if importlib.util.find_spec(full_name) is not None:
            return importlib.import_module(full_name)
        with _lock:
            self._run_init()
        try:
            return self.__dict__[name]
        except KeyError:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}") from None

    def _run_init(self) -> None:
        spec = self.__spec__
        if "_ran_init" not in self.__dict__ and spec is not None and spec.loader is not None:
            self.__dict__["_ran_init"] = True
            spec.loader.exec_module(self)


class _LazyModels(_LazyPackage):
    """`runai.models`; stands in forward references while API modules are imported."""

    def __getattr__(self, name: str) -> Any:
        if self.__dict__.get("_forward") and name[:1].isupper():
            return ForwardRef(f"models.{name}")
        return super().__getattr__(name)


def _register() -> None:
    for name in _PACKAGES:
        spec = importlib.util.find_spec(name)
        if spec is None or spec.submodule_search_locations is None or spec.origin is None:
            raise ImportError(f"{name} is no package", name=name)
        package = (_LazyModels if name == "runai.models" else _LazyPackage)(name)
        _bind(package, spec)
    sys.modules["runai"].__dict__["__version__"] = _version(
        Path(str(sys.modules["runai"].__file__))
    )
    spec = importlib.util.find_spec(_LAZY_MODULE)
    if spec is not None and spec.loader is not None:
        spec.loader = importlib.util.LazyLoader(spec.loader)
        module = importlib.util.module_from_spec(spec)
        sys.modules[_LAZY_MODULE] = module
        spec.loader.exec_module(module)
        sys.modules["runai"].__dict__["async_rest"] = module


def _bind(package: ModuleType, spec: ModuleSpec) -> None:
    """Give the package what the import system gives it, and put it in place."""
    package.__spec__ = spec
    package.__loader__ = spec.loader
    package.__file__ = spec.origin
    package.__path__ = list(spec.submodule_search_locations or ())
    package.__package__ = spec.name
    sys.modules[spec.name] = package
    parent, _, child = spec.name.rpartition(".")
    if parent:
        sys.modules[parent].__dict__[child] = package


def _version(init_file: Path) -> str:
    """The SDK's version, which it puts into its User-Agent, without running its `__init__`."""
    with init_file.open(encoding="utf-8") as stream:
        for line in stream:
            match = re.match(r'__version__ = "([^"]+)"', line)
            if match:
                return match[1]
    return "unknown"


_CLASSES = {
    "ApiClient": "runai.api_client",
    "Configuration": "runai.configuration",
    "ApiException": "runai.exceptions",
    "EnvironmentApi": "runai.api.environment_api",
    "ComputeApi": "runai.api.compute_api",
    "ClustersApi": "runai.api.clusters_api",
    "DepartmentsApi": "runai.api.departments_api",
    "ProjectsApi": "runai.api.projects_api",
    "CredentialsApi": "runai.api.credentials_api",
}


def _collect() -> Sdk:
    with _forward_references():
        found = {
            name: getattr(importlib.import_module(module), name)
            for name, module in _CLASSES.items()
        }
    strays = [name for name, value in found.items() if not isinstance(value, type)]
    if strays:
        raise ImportError(f"{', '.join(strays)} of the Run:ai SDK is no class", name="runai")
    return Sdk(**found)


@contextmanager
def _forward_references() -> Iterator[None]:
    models = sys.modules.get("runai.models")
    if not isinstance(models, _LazyModels) or "_ran_init" in models.__dict__:
        yield
        return
    models.__dict__["_forward"] = True
    try:
        yield
    finally:
        models.__dict__["_forward"] = False


def _forget() -> None:
    for name in [name for name in sys.modules if name == "runai" or name.startswith("runai.")]:
        del sys.modules[name]
