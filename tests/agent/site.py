"""A control plane to call the agent functions against: a sandbox over HTTP, and a directory."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from reconciler.agent import AgentSettings, using
from reconciler.sandbox import Endpoint
from tests.acceptance import live_side
from tests.laws.stage import Stage

AGENT = "ml-platform-agent"
SEED = """
clusters:
  - name: prod-cluster
    departments:
      - name: default
        projects: [project-01-id, ds-team-project, dev-project]
usage:
  - {kind: environment, name: used, workspaces: [notebook-1], templates: [starter]}
  - {kind: compute, name: used, workspaces: [notebook-2], templates: [starter-2]}
"""


@dataclass
class Site:
    """The sandbox, and a directory whose `reconciler.yaml` leads to it; `lag` is in seconds."""

    stage: Stage
    directory: Path
    lag: float = 0.0
    endpoint: Endpoint = field(init=False)

    def __post_init__(self) -> None:
        self.endpoint = self.stage.endpoint
        (self.directory / "manifests").mkdir(parents=True, exist_ok=True)
        self.configure()

    def configure(self, **changes: Any) -> None:
        """Write reconciler.yaml; `changes` are merged over its top level.

        `proxied` is the address of a proxy in front of the sandbox.
        """
        runai = {
            "base_url": changes.pop("proxied", self.endpoint.base_url),
            "client_id": self.endpoint.client_id,
            "client_secret": {"env": "TEST_RUNAI_SECRET"},
        }
        config = {
            "apiVersion": "reconciler/v1",
            "stack": "ml-platform",
            "default_target": "live",
            "targets": {"live": {"runai": runai, "timeout": 5}},
            **changes,
        }
        (self.directory / "reconciler.yaml").write_text(yaml.safe_dump(config))

    @contextmanager
    def calls(self, **settings: Any) -> Iterator[AgentSettings]:
        """Let the functions work here, with these settings."""
        with using(AgentSettings(directory=self.directory), **settings) as made:
            yield made

    def writes(self) -> int:
        """How many requests were no reads, logins aside."""
        return len(self.stage.server.requests.writes())

    def names(self, kind: str = "RunaiEnvironment") -> list[str]:
        """The names of all live objects of a kind."""
        return sorted(item["meta"]["name"] for item in live_side.assets(self, kind))

    def asset(self, name: str, kind: str = "RunaiEnvironment") -> Mapping[str, Any]:
        """The one live object of this name."""
        found: Mapping[str, Any] = live_side.named(self, name, kind)
        return found

    def make(self, name: str, description: str = "", **meta: Any) -> Mapping[str, Any]:
        """An environment asset that somebody else makes."""
        if description:
            meta["description"] = description
        made: Mapping[str, Any] = live_side.create_live(self, name, {"image": "busybox:1"}, **meta)
        return made


def title(text: str) -> str:
    """The heading of an answer."""
    return text.partition("\n")[0]
