"""Reads texts as the program on the path does: one side of benchmarks/text.py.

Runs in a checkout of any commit, so it asks for what the commit has. Each line of stdin is
`[language, text]`; each line of stdout is the milliseconds of one reading: those of the core, so
that other work on the machine does not count.
"""

import json
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec

Reader = Callable[[str, str], object]
CHARACTERS = "".join(map(chr, range(32, 256)))


def reader() -> Reader:
    if find_spec("app.text.plan") is not None:
        from app.text.plan import TextRules, plan_text  # noqa: PLC0415

        def read(text: str, language: str) -> object:
            characters = CHARACTERS if language == "en" else None
            rules = TextRules(language, strip_markdown=True, characters=characters)
            return plan_text(text, rules)

        return read
    from app.text.markup import (  # type: ignore[import-not-found]  # noqa: PLC0415
        parse_markup,
        without_emoji,
        without_markdown,
    )

    return lambda text, language: parse_markup(without_emoji(without_markdown(text)), language)


def main() -> None:
    read = reader()
    for line in sys.stdin:
        language, text = json.loads(line)
        start_s = time.process_time()
        read(text, language)
        sys.stdout.write(f"{(time.process_time() - start_s) * 1e3}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
