"""The one place where the Run:ai SDK (runapy) is entered: `load()` -> the classes we use.

SDK hazard 1: `import runai` builds 1,100 pydantic models, which costs seconds that a plan need not
pay: requests go through `ApiClient.call_api` alone, which knows no model. So `runai` is registered
as a package over its own directory, whose `__init__` runs only if somebody asks for a name that is
no submodule: a later `import runai` in the same process finds everything, with the same classes.
`runai.async_rest`, which pulls in aiohttp and which hazard 8 makes useless, is imported on first
use. Whatever goes wrong with this, the plain import follows.
"""

import importlib
import importlib.util
import logging
import re
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

log = logging.getLogger(__name__)

_PACKAGE = "runai"
_LAZY_MODULE = "runai.async_rest"
_CLASSES = {
    "ApiClient": "runai.api_client",
    "Configuration": "runai.configuration",
    "ApiException": "runai.exceptions",
}
_lock = threading.RLock()


@dataclass(frozen=True, slots=True)
class Sdk:
    """The classes of the SDK that the provider uses."""

    ApiClient: Any
    Configuration: Any
    ApiException: Any


def load() -> Sdk:
    """Import what we need of the SDK, lazily if that works and plainly if not."""
    with _lock:
        if _PACKAGE not in sys.modules:
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
        spec = importlib.util.find_spec(_PACKAGE)
    except ValueError:  # half an installation
        return "environments"
    if spec is None:
        return "sdk"
    places = spec.submodule_search_locations or ()  # a look-up by name would import `runai.api`
    found = any(Path(place, "api", "environment_api.py").is_file() for place in places)
    return "" if found else "environments"


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


def _register() -> None:
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or spec.submodule_search_locations is None or spec.origin is None:
        raise ImportError(f"{_PACKAGE} is no package", name=_PACKAGE)
    package = importlib.util.module_from_spec(spec)
    package.__class__ = _LazyPackage
    package.__dict__["__version__"] = _version(Path(spec.origin))
    sys.modules[_PACKAGE] = package
    spec = importlib.util.find_spec(_LAZY_MODULE)
    if spec is not None and spec.loader is not None:
        spec.loader = importlib.util.LazyLoader(spec.loader)
        module = importlib.util.module_from_spec(spec)
        sys.modules[_LAZY_MODULE] = module
        spec.loader.exec_module(module)
        package.__dict__["async_rest"] = module


def _version(init_file: Path) -> str:
    """The SDK's version, which it puts into its User-Agent, without running its `__init__`."""
    match = re.search(r'^__version__ = "([^"]+)"', init_file.read_text("utf-8"), re.MULTILINE)
    return match[1] if match else "unknown"


def _collect() -> Sdk:
    found = {
        name: getattr(importlib.import_module(module), name) for name, module in _CLASSES.items()
    }
    strays = [name for name, value in found.items() if not isinstance(value, type)]
    if strays:
        raise ImportError(f"{', '.join(strays)} of the Run:ai SDK is no class", name=_PACKAGE)
    return Sdk(**found)


def _forget() -> None:
    prefix = f"{_PACKAGE}."
    for name in [name for name in sys.modules if name == _PACKAGE or name.startswith(prefix)]:
        del sys.modules[name]
