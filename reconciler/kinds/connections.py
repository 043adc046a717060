"""Tools and connections of an environment asset: as written -> canonical form <-> the API's.

A connection exposes a port of the container for a tool that runs in it, or links to a tool outside
of it. In canonical form it is a flat mapping under its name:

    Jupyter: {tool_type: jupyter-notebook, connection_type: ExternalUrl, container_port: 8888}
    Runs:    {tool_type: wandb, external_url: "https://wandb.ai/team"}

with `is_custom_url`, `external_url` (ExternalUrl), `is_custom_port` (NodePort) and `protocol`
(ServingPort) where they differ from their documented default. The ports are the tools' usual ones.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import AfterValidator, Field, StrictBool, StrictInt, model_validator

from reconciler.kinds.api_fields import (
    SHORTHAND,
    as_mapping,
    named_list,
    present,
    shape,
    written,
)
from reconciler.kinds.base import Strict, field_fault
from reconciler.kinds.named_lists import ByName
from reconciler.kinds.runai_asset import Fault
from reconciler.support.suggest import did_you_mean

EXTERNAL_TOOLS = ("wandb", "comet")


class Tool(NamedTuple):
    """A connection that `tools: [...]` stands for."""

    name: str
    tool_type: str
    port: int


_JUPYTER = Tool("Jupyter", "jupyter-notebook", 8888)
_VSCODE = Tool("VSCode", "visual-studio-code", 8080)
_TENSORBOARD = Tool("TensorBoard", "tensorboard", 6006)
_RSTUDIO = Tool("RStudio", "rstudio", 8787)
_MLFLOW = Tool("MLflow", "mlflow", 5000)
TOOLS: Mapping[str, Tool] = {
    "jupyter": _JUPYTER,
    "vscode": _VSCODE,
    "tensorboard": _TENSORBOARD,
    "rstudio": _RSTUDIO,
    "mlflow": _MLFLOW,
}
_OTHER_NAMES: Mapping[str, Tool] = {
    "jupyter-notebook": _JUPYTER,
    "jupyter-lab": _JUPYTER,
    "jupyterlab": _JUPYTER,
    "visual-studio-code": _VSCODE,
    "code-server": _VSCODE,
}
_WITHOUT_PORT = ("pycharm", "matlab", "custom", "chatbot-ui")


_INFO = {
    "ExternalUrl": ("externalUrlInfo", ("is_custom_url", "external_url")),
    "NodePort": ("nodePortInfo", ("is_custom_port",)),
    "ServingPort": ("servingPortInfo", ("protocol",)),
}
"""By type of connection, the API's object with what only that type has."""


class Connection(Strict):
    """A port of the container with its tool, or a link to a tool outside."""

    tool_type: Literal[
        "jupyter-notebook",
        "pycharm",
        "visual-studio-code",
        "tensorboard",
        "rstudio",
        "mlflow",
        "custom",
        "matlab",
        "chatbot-ui",
        "wandb",
        "comet",
    ] = Field(description="The tool; wandb and comet run outside the container.")
    connection_type: Literal["LoadBalancer", "NodePort", "ExternalUrl", "ServingPort"] | None = (
        Field(default=None, description="How the port is exposed; ExternalUrl by default.")
    )
    container_port: Annotated[StrictInt, Field(ge=1, le=65535)] | None = Field(
        default=None, description="Port in the container.", examples=[8888]
    )
    is_custom_url: StrictBool = Field(
        default=False, description="ExternalUrl: the URL is stated with each workspace."
    )
    external_url: str | None = Field(
        default=None,
        min_length=1,
        description="ExternalUrl: its default. An outside tool: its URL, which may hold ${NAME}.",
        examples=["https://wandb.ai/my-team/${PROJECT_NAME}"],
    )
    is_custom_port: StrictBool = Field(
        default=False, description="NodePort: the port is stated with each workspace."
    )
    protocol: Literal["grpc", "http"] | None = Field(default=None, description="ServingPort only.")

    @model_validator(mode="after")
    def _check(self) -> "Connection":
        if self.tool_type in EXTERNAL_TOOLS:
            self._check_external()
        else:
            self._check_internal()
        return self

    def _check_external(self) -> None:
        if self.external_url is None:
            fix = "add external_url"
            raise field_fault(f"{self.tool_type} runs outside and needs its URL", fix)
        extra = sorted(self.model_fields_set - {"tool_type", "external_url"})
        if extra:
            raise field_fault(
                f"{self.tool_type} runs outside the container and has no {', '.join(extra)}",
                "keep tool_type and external_url only",
                (extra[0],),
            )

    def _check_internal(self) -> None:
        if self.container_port is None:
            raise field_fault("a connection needs its port", "add container_port, such as 8888")
        kind = self.connection_type or "ExternalUrl"
        for belongs_to, (_, fields) in _INFO.items():
            for field in fields:
                if getattr(self, field) and kind != belongs_to:
                    fix = f"remove it, or set connection_type: {belongs_to}"
                    raise field_fault(f"{field} has no meaning for {kind}", fix, (field,))


def _check_tool(word: str) -> str:
    if word in TOOLS or word in _OTHER_NAMES:
        return word
    if word in _WITHOUT_PORT or word in EXTERNAL_TOOLS:
        outside = word in EXTERNAL_TOOLS
        what, need = ("runs outside and needs its URL", "external_url: URL")
        if not outside:
            what, need = ("has no usual port", "container_port: PORT")
        raise field_fault(
            f"{word} {what}",
            f"write it under connections: {{{word}: {{tool_type: {word}, {need}}}}}",
        )
    raise field_fault(f"there is no tool {word!r}", did_you_mean(word, list(TOOLS), "it may be"))


Tools = Annotated[
    list[
        Annotated[str, Field(json_schema_extra={"enum": list(TOOLS)}), AfterValidator(_check_tool)]
    ]
    | None,
    SHORTHAND,
    Field(
        description="Tools in the image, each made a connection with its usual port.",
        examples=[["jupyter", "tensorboard"]],
    ),
]
_INSIDE = ("tool_type", "connection_type", "container_port")
_OUTSIDE = ("tool_type", "external_url")


def _read(entry: Mapping[str, Any]) -> tuple[str, Any]:
    inside = as_mapping(entry.get("internalToolInfo") or {})
    outside = as_mapping(entry.get("externalToolInfo") or {})
    canonical: dict[str, Any] = {}
    if inside:
        canonical.update(present(inside, *_INSIDE))
        for info, fields in _INFO.values():
            if found := inside.get(info):
                canonical.update(present(as_mapping(found), *fields))
    is_external = bool(entry.get("isExternal"))
    if outside and not inside:
        canonical.update(present(outside, *_OUTSIDE))
    elif outside:  # both: nothing that a manifest could state, so it has to differ
        canonical["external_tool"] = present(outside, *_OUTSIDE)
    if is_external != (canonical.get("tool_type") in EXTERNAL_TOOLS):
        canonical["is_external"] = is_external
    return entry.get("name") or "", canonical


def _write(name: str, connection: Mapping[str, Any]) -> dict[str, Any]:
    if connection["tool_type"] in EXTERNAL_TOOLS:
        outside = written(connection, *_OUTSIDE)
        return {"name": name, "isExternal": True, "externalToolInfo": outside}
    inside = written(connection, *_INSIDE)
    if connection["connection_type"] in _INFO:  # an empty one is what the user interface sends
        info, fields = _INFO[connection["connection_type"]]
        inside[info] = written(connection, *fields)
    return {"name": name, "isExternal": False, "internalToolInfo": inside}


def _state(connection: Mapping[str, Any]) -> dict[str, Any]:
    default = ("connection_type", "ExternalUrl")
    return {name: value for name, value in connection.items() if (name, value) != default}


_SHAPE = shape(
    *("name", "is_external"),
    internal_tool_info=shape(*_INSIDE, **{info: shape(*fields) for info, fields in _INFO.values()}),
    external_tool_info=shape(*_OUTSIDE),
)
Connections = Annotated[
    dict[Annotated[str, Field(min_length=1)], Connection] | None,
    ByName("name"),
    named_list("name", _read, _write, _SHAPE, _state),
    Field(
        description="Connections by name, beyond those that `tools` makes.",
        examples=[{"UI": {"tool_type": "custom", "container_port": 8080}}],
    ),
]


def expand_connections(
    tools: Sequence[str] | None,
    connections: Mapping[str, Connection] | None,
    faults: list[Fault],
) -> dict[str, Any]:
    """The canonical mapping of both."""
    canonical: dict[str, Any] = {}
    for word in tools or ():
        tool = TOOLS.get(word) or _OTHER_NAMES[word]
        canonical[tool.name] = {
            "tool_type": tool.tool_type,
            "connection_type": "ExternalUrl",
            "container_port": tool.port,
        }
    for name, connection in (connections or {}).items():
        if name in canonical:
            what = f"a connection named {name} is there already: tools makes one"
            fix = "remove the tool, or name the connection differently"
            faults.append((("spec", "connections", name), what, fix))
        canonical[name] = _canonical(connection)
    return canonical


def _canonical(connection: Connection) -> dict[str, Any]:
    if connection.tool_type in EXTERNAL_TOOLS:
        return {"tool_type": connection.tool_type, "external_url": connection.external_url}
    canonical: dict[str, Any] = {
        "tool_type": connection.tool_type,
        "connection_type": connection.connection_type or "ExternalUrl",
        "container_port": connection.container_port,
    }
    stated = {field: getattr(connection, field) for _, fields in _INFO.values() for field in fields}
    return {**canonical, **{field: value for field, value in stated.items() if value}}


def fold_tools(connections: Mapping[str, Any]) -> tuple[list[str], dict[str, Any]]:
    """The words of `tools` that make some of these stated connections, and the others."""
    words = {
        tool.name: word
        for word, tool in TOOLS.items()
        if connections.get(tool.name) == {"tool_type": tool.tool_type, "container_port": tool.port}
    }
    rest = {name: item for name, item in connections.items() if name not in words}
    return list(words.values()), rest
