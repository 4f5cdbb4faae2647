"""Measures T3's tokens per second and the cost of a cancel, for our engine, upstream's loop and the
bare transformer.

    python benchmarks/t3.py --model random-english --num-sequences 1,8,16 --tokens 64
    python benchmarks/t3.py --model random-english --num-sequences 1,16 --words
    python benchmarks/t3.py --model random-turbo --dtype int8 --before ../the-commit-before

The floor: a decode step reads every weight once, at the bandwidth of a copy, which is measured
first. All sides have the same weights and prompt lengths, decode the same number of tokens, and
take turns. In int8 the two other sides stay in float32. With `--before`, our engine in float32 at
another commit and our engine now take turns, and nothing else runs. The last line is one JSON
object. Needs no Ray; runs on a CPU or on CUDA.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import NamedTuple

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script from a checkout

from app.engine.checkpoint.source import open_checkpoint
from benchmarks.measure import (
    copy_bandwidth,
    machine,
    parse_counts,
    peak_memory_mb,
    resolve_device,
    say,
)
from benchmarks.t3_cancel import cancel_cost
from benchmarks.t3_sides import Bare, Decoding, Engine, Subject, Upstream, load
from benchmarks.t3_words import word_costs
from benchmarks.two_commits import ROOT, Side, compared, take_turns, workers

DTYPES = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
    "int8": torch.float32,  # of all but the weights of our engine
}
NUM_AT_ONCE = 4
NUM_CANCEL_SEQUENCES = 8  # half of them are cancelled


@dataclass(slots=True)
class Rounds:
    """The results of each side in each round; dictionaries are by number of sequences."""

    upstream: list[Decoding] = field(default_factory=list)
    bare: dict[int, list[Decoding]] = field(default_factory=dict)
    engine: dict[int, list[Decoding]] = field(default_factory=dict)
    at_once_s: list[float] = field(default_factory=list)
    one_by_one_s: list[float] = field(default_factory=list)


class Sides(NamedTuple):
    upstream: Upstream
    bare: Bare
    engine: Engine


def main() -> None:
    options = parse(sys.argv[1:])
    device = torch.device(options.device)
    if options.before is not None:
        say(json.dumps(beside(options)))
        return
    subject = load(open_checkpoint(options.model), device, DTYPES[options.dtype])
    say(f"{options.model}, {options.dtype}, {options.tokens} tokens; {machine(device)}")
    what = {"model": options.model, "device": options.device, "dtype": options.dtype}
    if options.words:
        rows = word_costs(subject, options.num_sequences, options.tokens, options.rounds)
        say(json.dumps({"benchmark": "t3-words", **what, "rows": rows}))
        return
    upstream = Upstream(subject)
    num_prompt = upstream.num_prompt()
    in_int8 = options.dtype == "int8"
    floor_ms = _print_floor(subject, num_prompt, options.tokens, in_int8=in_int8)
    most = max(*options.num_sequences, NUM_AT_ONCE, NUM_CANCEL_SEQUENCES)
    engine = Engine(subject, most, dtype="int8" if in_int8 else "auto")
    rounds = _take_turns(options, Sides(upstream, Bare(subject, num_prompt), engine))
    rows = [_row(num, rounds) for num in options.num_sequences]
    _print_rows(rows, rounds)
    _print_at_once(rounds)
    _print_cancel(engine, subject)
    result = {
        "benchmark": "t3",
        **what,
        "floor_ms_per_step": round(floor_ms, 4),
        "upstream_tokens_per_s": round(_tokens_per_s(rounds.upstream), 2),
        "rows": rows,
        "peak_memory_mb": round(peak_memory_mb(device), 1),
    }
    say(json.dumps(result))


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument(
        "--model", default="random-english", help="a model, as in serve_config.yaml"
    )
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    parser.add_argument("--dtype", choices=["auto", *DTYPES], default="auto")
    parser.add_argument(
        "--num-sequences", type=parse_counts, default=[1, 8, 16], help="for example 1,8,16"
    )
    parser.add_argument("--tokens", type=int, default=64, help="tokens per sequence")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--words", action="store_true", help="only what following the words costs a step"
    )
    parser.add_argument("--before", type=Path, help="a checkout of the commit to compare with")
    options = parser.parse_args(arguments)
    if options.tokens < 1 or options.rounds < 1:
        parser.error("--tokens and --rounds must be at least 1")
    options.device = resolve_device(options.device)
    if options.dtype == "auto":
        options.dtype = "bfloat16" if options.device == "cuda" else "float32"
    return options


def beside(options: argparse.Namespace) -> Mapping[str, object]:
    """The result of the two commits."""
    sides = [Side("before", options.before, "float32"), Side("now", ROOT, options.dtype)]
    turns = [{"num_sequences": n, "num_tokens": options.tokens} for n in options.num_sequences]
    with workers(sides, "t3", options.model) as started:
        found = take_turns(started, turns, options.rounds)
    rows = [
        {"num_sequences": turn["num_sequences"], **compared(by_side[0], by_side[1], "tokens_per_s")}
        for turn, by_side in zip(turns, found, strict=True)
    ]
    for row in rows:
        say(json.dumps(row))
    what = {"model": options.model, "dtype": options.dtype}
    return {"benchmark": "t3-before", **what, "rows": rows}


def _print_floor(subject: Subject, num_prompt: int, num_tokens: int, *, in_int8: bool) -> float:
    """The time in which a step of our engine can read every weight once, in milliseconds."""
    bandwidth = copy_bandwidth(subject.device)
    weights = _bytes_per_step(subject, in_int8=in_int8)
    floor_ms = 1e3 * weights / bandwidth
    spec = subject.spec.t3
    context = num_prompt + num_tokens
    per_position = 2 * spec.num_layers * spec.num_heads * spec.head_dim * subject.dtype.itemsize
    memory = per_position * context * subject.num_rows
    say(f"bandwidth of a copy: {bandwidth / 1e9:.1f} GB/s")
    say(f"floor: {floor_ms:.3f} ms per step, to read {weights / 1e6:.0f} MB of weights once")
    say(
        f"       plus {1e3 * memory / bandwidth:.3f} ms per sequence, to read {memory / 1e6:.1f} MB"
        f" of keys and values of {context} positions in {subject.num_rows} rows"
    )
    return floor_ms


def _bytes_per_step(subject: Subject, *, in_int8: bool) -> int:
    """The weights of the backbone and the head. A step reads only a few rows of an embedding.
    `in_int8`: one byte of each; the norms, which have more, are too small to count."""
    tables = ("wte.", "wpe.", "embed_tokens.")
    backbone = subject.t3.tfmr.named_parameters()
    read = [weight for name, weight in backbone if not name.startswith(tables)]
    every = (*read, *subject.t3.speech_head.parameters())
    return sum(weight.numel() if in_int8 else weight.nbytes for weight in every)


def _take_turns(options: argparse.Namespace, sides: Sides) -> Rounds:
    """Runs a short warm-up round first, for the kernels and the voice's prefix."""
    _take_turn(Rounds(), sides, options.num_sequences, num_tokens=2)
    rounds = Rounds()
    for number in range(1, options.rounds + 1):
        _take_turn(rounds, sides, options.num_sequences, options.tokens)
        say(f"round {number} of {options.rounds} is done")
    return rounds


def _take_turn(rounds: Rounds, sides: Sides, num_sequences: Sequence[int], num_tokens: int) -> None:
    engine = sides.engine
    rounds.upstream.append(sides.upstream.decode(num_tokens))
    for num in num_sequences:
        rounds.bare.setdefault(num, []).append(sides.bare.decode(num, num_tokens))
        rounds.engine.setdefault(num, []).append(engine.decode(num, num_tokens))
    one_by_one_s = engine.speak_to_the_end(NUM_AT_ONCE, num_tokens, at_once=False)
    rounds.one_by_one_s.append(one_by_one_s)
    rounds.at_once_s.append(engine.speak_to_the_end(NUM_AT_ONCE, num_tokens, at_once=True))


def _row(num_sequences: int, rounds: Rounds) -> Mapping[str, float]:
    tokens_per_s = _tokens_per_s(rounds.engine[num_sequences])
    return {
        "num_sequences": num_sequences,
        "tokens_per_s": round(tokens_per_s, 2),
        "ms_per_step": round(1e3 * num_sequences / tokens_per_s, 3),
        "ratio_to_upstream": round(tokens_per_s / _tokens_per_s(rounds.upstream), 3),
        "ratio_to_bare": round(tokens_per_s / _tokens_per_s(rounds.bare[num_sequences]), 3),
    }


def _print_rows(rows: Sequence[Mapping[str, float]], rounds: Rounds) -> None:
    upstream = f"{_tokens_per_s(rounds.upstream):.1f} tokens/s"
    say(f"upstream: {upstream}, first token after {_prefill_ms(rounds.upstream):.0f} ms")
    say("sequences  tokens/s  ms/step  x upstream  x bare  all prefilled after ms")
    for row in rows:
        prefill_ms = _prefill_ms(rounds.engine[int(row["num_sequences"])])
        say(
            f"{row['num_sequences']:9}  {row['tokens_per_s']:8.1f}  {row['ms_per_step']:7.2f}  "
            f"{row['ratio_to_upstream']:10.2f}  {row['ratio_to_bare']:6.2f}  {prefill_ms:22.0f}"
        )


def _print_at_once(rounds: Rounds) -> None:
    """The times include the prefills."""
    apart, together = median(rounds.one_by_one_s), median(rounds.at_once_s)
    say(
        f"{NUM_AT_ONCE} requests: {apart:.2f} s one after another, {together:.2f} s at once, "
        f"{apart / together:.2f} times as fast"
    )


def _print_cancel(engine: Engine, subject: Subject) -> None:
    cost = cancel_cost(engine, subject, NUM_CANCEL_SEQUENCES)
    say(
        f"cancel: acknowledged after {1e3 * cost.until_acknowledged_s:.2f} ms; the first step "
        f"without the sequence begins after {1e3 * cost.until_step_without_s:.2f} ms; steps that "
        f"began with the sequence after the call: {cost.most_steps_begun_after}"
    )
    say(
        f"        {1e3 * cost.step_before_s:.2f} ms per step with {cost.num_sequences} sequences, "
        f"{1e3 * cost.step_after_s:.2f} ms after {cost.num_sequences // 2} cancels"
    )


def _tokens_per_s(decodings: Sequence[Decoding]) -> float:
    return median([decoding.tokens_per_s for decoding in decodings])


def _prefill_ms(decodings: Sequence[Decoding]) -> float:
    return 1e3 * median([decoding.prefill_s for decoding in decodings])


if __name__ == "__main__":
    main()
