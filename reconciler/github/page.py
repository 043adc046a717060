"""Pages of Markdown for GitHub: what `reconcile` wrote, below the line that says what it is of."""

from pathlib import Path

from reconciler.errors import ConfigError
from reconciler.github.origin import origin
from reconciler.github.runner import Runner
from reconciler.github.site import Site


def body(runner: Runner, site: Site, path: Path, above: str = "") -> str:
    """The page to be shown, below what it was made from. It tells of a target alone."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"it cannot be read: {error}", where=str(path)) from error
    if runner.head:  # the test merge, which the line of the origin stands for
        text = text.replace(f" · commit {code(runner.sha[:7])}", "", 1)
    said = f"In {code(site.directory)}:\n\n" if site.directory else ""
    return _below_marker(text, f"{above}{said}{origin(runner)}\n")


def told(site: Site, what: str, text: str, headline: str) -> str:
    """What a command said, under a headline."""
    return f"### reconcile {what}: {title(site)}: {headline}\n\n{fenced(text)}\n"


def title(site: Site) -> str:
    """The target, and where its reconciler.yaml is."""
    place = f" in {code(site.directory)}" if site.directory else ""
    return f"{code(site.target)}{place}"


def code(text: str) -> str:
    """Text as code within a line."""
    return f"`{text.replace('`', '')}`"


def fenced(text: str) -> str:
    """Text as a block of code that it cannot end: the fence is longer than any in it."""
    longest = run = 0
    for sign in text:
        run = run + 1 if sign == "`" else 0
        longest = max(longest, run)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{text.rstrip()}\n{fence}"


def _below_marker(text: str, words: str) -> str:
    first, _, rest = text.partition("\n")
    return f"{first}\n{words}\n{rest}" if first.startswith("<!--") else f"{words}\n{text}"
