"""The site that `make docs` builds: README.md, docs/ and the docstrings, by Sphinx.

The source directory is the repository, so that a link between two pages leads to the same place on
the site as in a checkout. The site fetches nothing from elsewhere, and its search works from files.
"""

from pathlib import Path

from pygments.lexers.special import TextLexer
from sphinx.application import Sphinx

import reconciler

project = "reconciler"
version = release = reconciler.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc"]
root_doc = "docs/index"
include_patterns = ["*.md", "docs/*.md"]
exclude_patterns = [".*", "[a-ce-z]*"]  # all but docs/, unread: .venv alone is large
default_role = "code"  # docstrings write `name`, as Markdown does
myst_heading_anchors = 4
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
html_theme = "furo"
html_title = f"reconciler {release}"
html_show_sphinx = html_show_copyright = html_copy_source = False
suppress_warnings = ["misc.highlighting_failure"]  # shortened output is no JSON


def setup(app: Sphinx) -> None:
    """Show diagrams as their text, and lead from the site's address to its first page."""
    app.add_lexer("mermaid", TextLexer)
    app.connect("build-finished", _write_first_page)


def _write_first_page(app: Sphinx, failure: Exception | None) -> None:
    if failure is None:
        lead = f'<meta http-equiv="refresh" content="0; url={app.config.root_doc}.html">'
        (Path(app.outdir) / "index.html").write_text(f"<!doctype html>{lead}", encoding="utf-8")
