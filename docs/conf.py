"""The site of these documents: `make docs` builds it, with every warning an error.

Needs no network and puts none into a page: no remote script, font or image. Diagrams are drawn
while the site is built, so a diagram with a mistake stops the build.
"""

import re
from pathlib import Path
from typing import ClassVar

import mermaidx  # type: ignore[import-untyped]
from docutils import nodes  # type: ignore[import-untyped]
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

DOCS = Path(__file__).parent

project = "chatterbox-serve"
extensions = ["myst_parser"]
exclude_patterns = ["generate.py"]
html_theme = "furo"
html_title = project
html_show_sphinx = False
html_copy_source = False
html_show_sourcelink = False
pygments_style = "tango"
nitpicky = True
myst_heading_anchors = 4
myst_fence_as_directive = ["mermaid"]
smartquotes = False

_FRAME = "background: white; padding: 1em; overflow-x: auto"  # in the dark mode too
_PAGE = re.compile(r"\]\((\w[\w-]*)\.md\)")
_ABOVE = re.compile(r"\[([^\]]+)\]\((\.\./[\w./-]+\.md)(?:#[\w-]+)?\)")  # Markdown beside docs/


class Mermaid(SphinxDirective):
    """A diagram as an SVG within the page."""

    has_content = True
    option_spec: ClassVar[dict[str, object]] = {}

    def run(self) -> list[nodes.Node]:
        source = "\n".join(self.content)
        try:
            svg: str = mermaidx.render(source).svg()
        except RuntimeError as error:
            raise self.error(f"the diagram cannot be drawn: {error}") from error
        name = f"diagram-{self.env.new_serialno('mermaid')}"  # the SVG's style belongs to its id
        page = f'<div style="{_FRAME}">{svg.replace("my-svg", name)}</div>'
        return [nodes.raw("", page, format="html")]


def _add_contents(app: Sphinx, name: str, source: list[str]) -> None:
    """The pages that index.md links to, in that order, are the site's contents. The file itself
    has no directive, so that it reads well where Markdown is shown without Sphinx."""
    if name == "index":
        pages = "\n".join(dict.fromkeys(_PAGE.findall(source[0])))
        source[0] += f"\n```{{toctree}}\n:hidden:\n\n{pages}\n```\n"


def _offer_files_above(app: Sphinx, name: str, source: list[str]) -> None:
    """Markdown outside docs/ is no page of the site: it can be downloaded."""
    source[0] = _ABOVE.sub(lambda link: f"{{download}}`{link[1]} <{link[2]}>`", source[0])


def setup(app: Sphinx) -> None:
    app.add_directive("mermaid", Mermaid)
    app.connect("source-read", _offer_files_above)
    app.connect("source-read", _add_contents)
