"""When each cell of a stream is there, how long a player stalls, and how much it must buffer: from
the formulas of docs/latency.md (app/sessions/recurrence.py), not from a measurement.

    python benchmarks/recurrence.py
    python benchmarks/recurrence.py --tokens-per-s 60 --call-s 0.1 --token-s 0.002

Without options: the server that started this project (25 tokens a second, 0.19 s for each call of
its flow), with a pipeline that blocks and with one that overlaps, and this server's cells at
several speeds. With options: this server's cells at the speed that they give. The last line is one
JSON object. Knows nothing about models, torch or Ray.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TypedDict

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script from anywhere

from app.config import VocoderSettings
from app.core import LOOK_AHEAD_TOKENS, Cost
from app.engine.s3gen.ladders import choose
from app.sessions import recurrence

LENGTHS = (10, 100, 1000)  # cells: a short sentence, a minute or two, no end in sight
_SHOWN = 4  # gaps


@dataclass(frozen=True, slots=True)
class Stream:
    """One stream: how its cells are cut, and how fast they are made."""

    name: str
    cells: tuple[int, ...]  # tokens in each; the last size is repeated without end
    tokens_per_s: float  # of T3, for this stream
    call_s: float  # of one vocoder call, whatever it voices
    token_s: float = 0.0  # of a vocoder call, for each token of the cell
    held_back_s: float = 0.0  # sound of the newest cell that leaves with the next one
    is_blocking: bool = False  # T3 waits while the vocoder works

    def cost_s(self, num_tokens: int) -> float:
        return self.call_s + self.token_s * num_tokens

    def sizes(self, num_cells: int) -> list[int]:
        return [recurrence.cell_size(self.cells, index) for index in range(num_cells)]


def arrivals_s(stream: Stream, num_cells: int) -> list[float]:
    """A(k). Blocking: T3 makes the tokens of a cell only after the cell before it was voiced."""
    sizes = stream.sizes(num_cells)
    if not stream.is_blocking:
        return recurrence.arrivals_s(sizes, stream.tokens_per_s, stream.cost_s)
    found: list[float] = []
    for size in sizes:
        begins_s = found[-1] if found else LOOK_AHEAD_TOKENS / stream.tokens_per_s
        found.append(begins_s + size / stream.tokens_per_s + stream.cost_s(size))
    return found


def played_s(stream: Stream, num_cells: int) -> list[float]:
    """The sound that left before each cell."""
    return recurrence.played_s(stream.sizes(num_cells), stream.held_back_s)


def prebuffer_s(stream: Stream, num_cells: int) -> float:
    """How long a player must wait after the first sound so that it never runs dry."""
    return recurrence.prebuffer_s(arrivals_s(stream, num_cells), played_s(stream, num_cells))


def gaps_s(stream: Stream, num_cells: int) -> list[float]:
    """The silence before each cell but the first, for a player that starts with the first sound
    and goes on with every cell as it comes."""
    arrived, before = arrivals_s(stream, num_cells), played_s(stream, num_cells)
    plays_until_s, found = arrived[0], []
    for index, (sound_s, next_s) in enumerate(pairwise(before), start=1):
        plays_until_s += next_s - sound_s
        found.append(max(0.0, arrived[index] - plays_until_s))
        plays_until_s = max(plays_until_s, arrived[index])
    return found


def first_server() -> Iterator[Stream]:
    """25 tokens a second, 0.19 s for each call of the flow, cells of 12, 25, 25 … tokens."""
    cells, rate, call_s = (12, 25), 25.0, 0.19
    yield Stream("first server, blocking", cells, rate, call_s, is_blocking=True)
    yield Stream("first server, overlapped", cells, rate, call_s)
    yield Stream("first server, overlapped, first cell 25", (25,), rate, call_s)
    yield Stream("too few tokens: 20 a second", cells, 20.0, call_s)
    yield Stream("too dear a flow: 1.1 s a call", cells, rate, 1.1)


def this_server(tokens_per_s: float, call_s: float, token_s: float = 0.0) -> Stream:
    """The cells that this server chooses at a speed."""
    halo_frames = VocoderSettings().halo_frames
    ladder = choose(Cost(1 / tokens_per_s, 0.0), Cost(call_s, token_s), halo_frames)
    name = f"this server, {tokens_per_s:g} tokens/s, {call_s:g} s a call"
    name += f" and {token_s:g} s a token" if token_s else ""
    name += f", cells {', '.join(map(str, ladder))}"
    held_back_s = recurrence.held_back_s(halo_frames)
    return Stream(name, ladder, tokens_per_s, call_s, token_s, held_back_s)


def examples() -> list[Stream]:
    return [*first_server(), *(this_server(rate, 0.05) for rate in (30, 50, 100, 200))]


class Row(TypedDict):
    name: str
    first_sound_s: float
    gaps_s: list[float]  # before the second cell and the next ones
    prebuffer_s: dict[str, float]  # by the number of cells


def row_of(stream: Stream) -> Row:
    return {
        "name": stream.name,
        "first_sound_s": round(arrivals_s(stream, 1)[0], 3),
        "gaps_s": [round(gap_s, 3) for gap_s in gaps_s(stream, _SHOWN + 1)],
        "prebuffer_s": {str(n): round(prebuffer_s(stream, n), 3) for n in LENGTHS},
    }


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokens-per-s", type=_positive, help="of T3, for one stream")
    parser.add_argument("--call-s", type=_positive, help="of a vocoder call")
    parser.add_argument("--token-s", type=float, default=0.0, help="more, for each token voiced")
    options = parser.parse_args(arguments)
    if (options.tokens_per_s is None) != (options.call_s is None):
        parser.error("--tokens-per-s and --call-s belong together")
    return options


def _positive(text: str) -> float:
    if (value := float(text)) <= 0:
        raise ValueError("more than 0")
    return value


def main() -> None:
    options = parse(sys.argv[1:])
    if options.tokens_per_s is None:
        streams = examples()
    else:
        streams = [this_server(options.tokens_per_s, options.call_s, options.token_s)]
    rows = [row_of(stream) for stream in streams]
    lengths = ", ".join(map(str, LENGTHS))
    sys.stdout.write(f"seconds: first sound, gaps, prebuffer for {lengths} cells\n")
    for row in rows:
        sys.stdout.write(" | ".join(str(value) for value in row.values()) + "\n")
    sys.stdout.write(json.dumps({"benchmark": "recurrence", "rows": rows}) + "\n")


if __name__ == "__main__":
    main()
