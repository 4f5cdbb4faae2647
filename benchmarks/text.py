"""What reading a text costs before the model gets it: markup, characters, spoken forms, segments.

    python benchmarks/text.py [--before PATH] [--rounds 40]

`--before` is a checkout of the commit to compare with. Each side is a process of its own; the
sides take turns, one text at a time. The aim: at most 10 ms for 280 characters at p95, on one core.
The last line is JSON: ms of one core for 280 characters, p50 and p95, by side and by kind of text.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

HERE = Path(__file__).parents[1]
WORKER = Path(__file__).with_name("text_worker.py")
NUM_CHARS = 280
AIM_MS = 10.0

_PROSE = (
    "The old lighthouse stood at the end of the pier, and nobody had lived in it for years. "
    "Every night we saw a light in its window, though, and we told each other stories about it. "
)
TEXTS = {  # kind: language and text
    "prose": ("en", _PROSE * 2),
    "numbers": (
        "en",
        "On 2026-11-24 at 9:30PM Dr. Lee paid $5.3 billion, 50% of 1,234.5 km, to a.b@example.com "
        "(see https://example.com/x?y=1), call 206-555-0147. It was the 24th; 23 * 5 = 115. ",
    ),
    "markdown": (
        "en",
        "## Shopping\n\n- **Milk**, 2 l\n- Two *loaves* of bread\n\n1. Go [there](http://a.b/c)\n"
        "2. Come back\n\n| Day | Meal |\n|---|---|\n| Mon | Soup |\n\nThat is all 🙂. Thanks! ",
    ),
    "ssml": (
        "en",
        '<speak>Hello <break time="500ms"/> <prosody rate="slow">my friend</prosody>, '
        '<sub alias="World Wide Web">WWW</sub> &amp; more. </speak>',
    ),
    "unicode": ("en", "Ｆｕｌｌ width, ﬁne soft\u00adhyphens, café, “quotes” … 𝐛𝐨𝐥𝐝 Привет 5 ½. "),  # noqa: RUF001
    "german": ("de", "Am 24. Dezember um 9:30 Uhr zahlte Dr. Müller z. B. 3,50 € für 2 kg. "),
    "chinese": ("zh", "2026年11月24日上午9:30，我们花了3.5元买了2公斤苹果。天气很好！"),  # noqa: RUF001
    "japanese": ("ja", "2026年11月24日の9時30分に、りんごを3個買いました。今日は良い天気ですね。"),
}


class Side:
    """A process that reads texts as the program in `root` does."""

    def __init__(self, root: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(WORKER)],
            cwd=root,
            env={"PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def read_ms(self, language: str, text: str) -> float:
        """For one reading of the text."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([language, text]) + "\n")
        self._process.stdin.flush()
        return float(self._process.stdout.readline())

    def close(self) -> None:
        self._process.terminate()
        self._process.wait()


def measure(sides: dict[str, Side], rounds: int) -> dict[str, dict[str, list[float]]]:
    """ms for 280 characters, by side and kind. The first round warms up and does not count."""
    found: dict[str, dict[str, list[float]]] = {
        name: {kind: [] for kind in TEXTS} for name in sides
    }
    for number in range(rounds + 1):
        for kind, (language, text) in TEXTS.items():
            whole = (text * (NUM_CHARS // len(text) + 1))[:NUM_CHARS]
            whole = f"{whole[:-4]} {number % 100}."  # no text is read twice
            for name, side in sides.items():
                taken = side.read_ms(language, whole)
                if number:
                    found[name][kind].append(taken)
    return found


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--before", type=Path, help="a checkout of the commit to compare with")
    parser.add_argument("--rounds", type=int, default=40)
    given = parser.parse_args(argv)
    roots = {"now": HERE} | ({"before": given.before.resolve()} if given.before else {})
    sides = {name: Side(root) for name, root in roots.items()}
    try:
        found = measure(sides, given.rounds)
    finally:
        for side in sides.values():
            side.close()
    sys.stdout.write(f"{json.dumps(summary(found))}\n")


def summary(found: dict[str, dict[str, list[float]]]) -> dict[str, object]:
    told: dict[str, object] = {"aim_p95_ms": AIM_MS}
    for name, kinds in found.items():
        everything = [taken for each in kinds.values() for taken in each]
        told[name] = _percentiles(everything)
        told[f"{name}_by_kind"] = {kind: _percentiles(each) for kind, each in kinds.items()}
    return told


def _percentiles(taken: list[float]) -> dict[str, float]:
    p50, p95 = np.percentile(taken, [50, 95])
    return {"p50_ms": round(float(p50), 2), "p95_ms": round(float(p95), 2)}


if __name__ == "__main__":
    main()
