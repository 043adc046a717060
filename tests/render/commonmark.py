"""Judges Markdown as a CommonMark parser (with GitHub's tables) reads it: is data only code?"""

from collections.abc import Iterator

from markdown_it import MarkdownIt
from markdown_it.token import Token

_PARSER = MarkdownIt("commonmark", {"html": True}).enable("table").enable("strikethrough")
_OWN_HTML = (
    "<details><summary><b>",
    "</details>",
    "<!-- reconcile:",
)


def tokens(text: str) -> Iterator[Token]:
    """All tokens, those inside of paragraphs and headings as well."""
    for token in _PARSER.parse(text):
        yield token
        yield from token.children or ()


def markup(text: str) -> str:
    """Everything of the page that is no code: what GitHub would look for mentions in."""
    return "\n".join(
        token.content
        for token in tokens(text)
        if token.type not in ("code_inline", "fence", "inline") and token.content
    )


def code(text: str) -> list[str]:
    """What stands in code, block by block."""
    return [token.content for token in tokens(text) if token.type in ("code_inline", "fence")]


def foreign(text: str) -> list[str]:
    """Elements that the renderer never makes itself: each of them got in with data."""
    found = []
    for token in tokens(text):
        if token.type in ("image", "html_inline", "code_block", "table_open", "hr", "s_open"):
            found.append(f"{token.type}: {token.content}")
        elif token.type == "html_block" and not all(
            line.startswith(_OWN_HTML) for line in token.content.splitlines() if line
        ):
            found.append(f"html: {token.content}")
        elif token.type == "fence" and token.info not in ("diff", "mermaid", "text"):
            found.append(f"fence: {token.info}")
        elif token.type == "link_open" and "/actions/runs/" not in str(token.attrs["href"]):
            found.append(f"link: {token.attrs}")
    return found
