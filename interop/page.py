"""The parts of docs/interop.md that a run writes."""

import re
import time

from interop.environments import ROOT

PAGE = ROOT / "docs" / "interop.md"


def with_part(page: str, command: str, content: str) -> str:
    """`command` made the part before, too. Raises ValueError for a page without such a part."""
    mark = re.escape(f"<!-- made by {command} -->")
    part = re.compile(rf"({mark}\n).*?(\n<!-- end -->)", re.DOTALL)
    written, num = part.subn(lambda found: f"{found[1]}{content}{found[2]}", page)
    if num != 1:
        raise ValueError(f"the page has {num} parts that were made by {command}")
    return written


def write_part(command: str, content: str) -> None:
    """With today's date before it."""
    dated = f"{time.strftime('%Y-%m-%d')}, {content}"
    PAGE.write_text(with_part(PAGE.read_text(), command, dated))
