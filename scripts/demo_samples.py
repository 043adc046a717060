# ruff: noqa: INP001, T201
# A script beside others, not part of a package; its result is what it prints.
"""Edits the demo's copy of the sample manifests, the way a person with an editor would.

Usage: demo_samples.py prepare|without-docker|edit|remove DIRECTORY

prepare         give the copy a stack and image names of its own, away from the user's
without-docker  drop everything that needs a Docker engine
edit            change one field of one environment asset
remove          remove one environment asset that nothing else refers to
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

STACK = "reconciler-demo"
EDITED = ".edited"  # a file that names what `edit` chose, so that `remove` chooses another


class Document(NamedTuple):
    """One YAML document of a manifest file: its text and what the text says."""

    path: Path
    text: str
    content: dict[str, Any]


def documents(directory: Path) -> Iterator[Document]:
    """Yield every document of every manifest file, in a fixed order."""
    for path in sorted([*directory.rglob("*.yaml"), *directory.rglob("*.yml")]):
        for text in re.split(r"(?m)^---[ \t]*\n", path.read_text(encoding="utf-8")):
            content = yaml.safe_load(text)
            if isinstance(content, dict):
                yield Document(path, text, content)


def replace(document: Document, text: str) -> None:
    """Write another text in place of a document; an empty one removes it."""
    whole = document.path.read_text(encoding="utf-8")
    parts = re.split(r"(?m)^---[ \t]*\n", whole)
    parts[parts.index(document.text)] = text
    parts = [part for part in parts if part.strip()]
    if any(yaml.safe_load(part) for part in parts):
        document.path.write_text("---\n".join(parts), encoding="utf-8")
    else:
        document.path.unlink()


def identifier(document: Document) -> str:
    """Return KIND.ID of a document."""
    metadata = document.content["metadata"]
    return f"{document.content['kind']}.{metadata.get('id', metadata['name'])}"


def prepare(root: Path, config: dict[str, Any]) -> None:
    """Give the copy a stack and image names of its own."""
    config["stack"] = STACK
    for document in list(documents(root / config["manifests"])):
        if document.content["kind"] == "RayfineImage":
            tag = document.content["spec"]["tag"]
            replace(document, document.text.replace(tag, f"{STACK}/{tag}"))


def without_docker(root: Path, config: dict[str, Any]) -> None:
    """Drop the engine of the target, the images, and the assets that refer to an image."""
    config["targets"]["sandbox"].pop("docker", None)
    for document in list(documents(root / config["manifests"])):
        if "RayfineImage" in yaml.safe_dump(document.content):
            print(f"left out, because it needs a Docker engine: {identifier(document)}")
            replace(document, "")


def edit(root: Path, config: dict[str, Any]) -> None:
    """Change the tag of the image, or else the description, of one environment asset."""
    for field, pattern, change in (
        ("image", r"(?m)^([ \t]+image: .*:\d+\.)(\d+)(.*)$", lambda found: f"{int(found) + 1:02d}"),
        ("description", r"(?m)^([ \t]+description: )(.*)()$", lambda found: f"{found}, edited"),
    ):
        for document in documents(root / config["manifests"]):
            match = re.search(pattern, document.text)
            if document.content["kind"] == "RunaiEnvironment" and match:
                new = match[1] + change(match[2]) + match[3]
                text = document.text.replace(match[0], new, 1)
                print(f"{document.path.relative_to(root)}: {match[0].strip()} -> {new.strip()}")
                replace(document, text)
                (root / EDITED).write_text(identifier(document), encoding="utf-8")
                return
        print(f"no environment asset has a {field} to edit", file=sys.stderr)
    sys.exit(1)


def remove(root: Path, config: dict[str, Any]) -> None:
    """Remove one environment asset, at best one that has no compute asset beside it."""
    edited = (root / EDITED).read_text(encoding="utf-8")
    candidates = [
        document
        for document in documents(root / config["manifests"])
        if document.content["kind"] == "RunaiEnvironment"
        and not document.content["metadata"].get("protect")
        and identifier(document) != edited
    ]
    candidates.sort(key=lambda document: "compute" in document.content["spec"])
    chosen = candidates[0]
    print(f"{chosen.path.relative_to(root)}: removed {identifier(chosen)}")
    replace(chosen, "")


def main() -> None:
    """Carry out the step that the first argument names."""
    steps = {
        "prepare": prepare,
        "without-docker": without_docker,
        "edit": edit,
        "remove": remove,
    }
    if len(sys.argv) != 3 or sys.argv[1] not in steps:
        print(__doc__, file=sys.stderr)
        sys.exit(2)
    root = Path(sys.argv[2])
    path = root / "reconciler.yaml"
    config = yaml.safe_load(path.read_text(encoding="utf-8"))
    steps[sys.argv[1]](root, config)
    path.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")


if __name__ == "__main__":
    main()
