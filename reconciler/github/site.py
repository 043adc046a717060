"""What there is one comment, one artifact and one issue of: a target of one reconciler.yaml."""

import os
import posixpath
from dataclasses import dataclass

from reconciler.github.runner import Runner
from reconciler.support.printable import slug


@dataclass(frozen=True, slots=True)
class Site:
    """A target, and the directory of its reconciler.yaml: "" at the root of the repository."""

    target: str
    directory: str = ""

    @classmethod
    def of(cls, runner: Runner) -> "Site":
        """The one that the inputs of the step name. Raises `ConfigError` if there is no target."""
        given = runner.directory
        if posixpath.isabs(given):
            root = os.path.realpath(runner.get("GITHUB_WORKSPACE", "."))
            given = os.path.relpath(os.path.realpath(given), root)
        path = posixpath.normpath(given)
        return cls(runner.need("RECONCILE_TARGET"), "" if path == "." else path)

    @property
    def name(self) -> str:
        """One name for both; that of the target alone at the root. No target has a colon."""
        return f"{self.directory}:{self.target}" if self.directory else self.target

    @property
    def environment(self) -> str:
        """The GitHub environment whose account may write; the one for plans ends in `-plan`.

        https://docs.github.com/en/rest/deployments/environments takes slashes in names.
        """
        return f"{self.directory}/{self.target}" if self.directory else self.target

    @property
    def slug(self) -> str:
        """The name as part of a path, an artifact's name or a comment of HTML."""
        return slug(self.name)

    def __str__(self) -> str:
        return f"{self.target} in {self.directory}" if self.directory else self.target
