"""Measures the vocoder's time per second of audio, for our engine and for upstream's single call.

    python benchmarks/s3gen.py --model random-turbo --policy window,chunked --utterance-s 5,10
    python benchmarks/s3gen.py --policy chunked --dtype int8 --before ../the-commit-before

The floor: the floating-point operations of upstream's call, at the rate of a matrix product, which
is measured first. Both sides have the same weights and the same voice, which is warm, and take
turns. Neither side computes the watermark; its time is measured separately. With `--before`, our
engine in float32 at another commit and our engine now take turns, and nothing else runs. The last
line is one JSON object. Needs no Ray; runs on a CPU or on CUDA.
"""

import argparse
import json
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from statistics import median
from typing import NamedTuple

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script from a checkout

from app.core import TOKENS_PER_S
from app.engine.checkpoint.source import open_checkpoint
from app.engine.device.convolution_plans import keep_plans
from benchmarks.measure import (
    machine,
    matmul_rate,
    parse_counts,
    peak_memory_mb,
    resolve_device,
    say,
    timed,
)
from benchmarks.s3gen_sides import Engine, Subject, Timing, Upstream, load, watermark_s
from benchmarks.two_commits import ROOT, Side, compared, take_turns, workers

POLICIES = ("full", "window", "chunked")


class Row(NamedTuple):
    """One setting, measured in every round."""

    policy: str
    utterance_s: int
    num_streams: int


def main() -> None:
    options = parse(sys.argv[1:])
    keep_plans()
    device = torch.device(options.device)
    if options.before is not None:
        say(json.dumps(beside(options)))
        return
    subject = load(open_checkpoint(options.model), device)
    say(f"{options.model}, {options.dtype}; {machine(device)}")
    _print_floor(subject, options.utterance_s)
    upstream = Upstream(subject)
    engines = {
        policy: Engine(subject, policy, options.max_rows, options.dtype)
        for policy in options.policy
    }
    kinds = [
        Row(policy, length, count)
        for length in options.utterance_s
        for policy in options.policy
        for count in options.num_streams
    ]
    whole: dict[int, list[float]] = {length: [] for length in options.utterance_s}
    timings: dict[Row, list[Timing]] = {kind: [] for kind in kinds}
    for engine in engines.values():  # warms the kernels and the voice
        engine.speak(1, 2 * TOKENS_PER_S)
    for number in range(1, options.rounds + 1):
        for length, seconds in whole.items():
            if not options.no_upstream:
                tokens = subject.tokens(0, length * TOKENS_PER_S)
                seconds.append(timed(partial(upstream.speak, tokens), device))
        for kind, runs in timings.items():
            engine = engines[kind.policy]
            runs.append(engine.speak(kind.num_streams, kind.utterance_s * TOKENS_PER_S))
        say(f"round {number} of {options.rounds} is done")
    upstream_s = {length: median(seconds) for length, seconds in whole.items() if seconds}
    rows = [_row(kind, runs, upstream_s) for kind, runs in timings.items()]
    _print_rows(rows, upstream_s)
    say(f"watermark, measured separately: {1e3 * watermark_s(device):.1f} ms per second of audio")
    say(f"peak memory {peak_memory_mb(device):.0f} MB")
    result = {
        "benchmark": "s3gen",
        "model": options.model,
        "device": options.device,
        "dtype": options.dtype,
        "upstream_whole_s": {str(length): round(s, 3) for length, s in upstream_s.items()},
        "rows": rows,
    }
    say(json.dumps(result))


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default="random-turbo", help="a model, as in serve_config.yaml")
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    parser.add_argument(
        "--policy", type=_policies, default=["window"], help="for example window,chunked,full"
    )
    parser.add_argument(
        "--utterance-s", type=parse_counts, default=[10], help="for example 5,30,120"
    )
    parser.add_argument("--num-streams", type=parse_counts, default=[1], help="for example 1,8,32")
    parser.add_argument("--max-rows", type=int, help="cells per call (default: the server's)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--no-upstream", action="store_true", help="skip upstream, which is slow on long utterances"
    )
    parser.add_argument("--dtype", choices=["float32", "int8"], default="float32")
    parser.add_argument("--before", type=Path, help="a checkout of the commit to compare with")
    options = parser.parse_args(arguments)
    if options.rounds < 1:
        parser.error("--rounds must be at least 1")
    options.device = resolve_device(options.device)
    return options


def beside(options: argparse.Namespace) -> Mapping[str, object]:
    """The result of the two commits."""
    sides = [Side("before", options.before, "float32"), Side("now", ROOT, options.dtype)]
    turns = [
        {"num_streams": count, "num_tokens": length * TOKENS_PER_S}
        for length in options.utterance_s
        for count in options.num_streams
    ]
    rows: list[dict[str, object]] = []
    for policy in options.policy:
        with workers(sides, "s3gen", options.model, policy) as started:
            found = take_turns(started, turns, options.rounds)
        rows += [
            {"policy": policy, **turn, **compared(by_side[0], by_side[1], name)}
            for turn, by_side in zip(turns, found, strict=True)
            for name in ("total_s", "first_second_s")
        ]
    for row in rows:
        say(json.dumps(row))
    what = {"model": options.model, "dtype": options.dtype}
    return {"benchmark": "s3gen-before", **what, "rows": rows}


def _policies(text: str) -> list[str]:
    policies = text.split(",")
    if not set(policies) <= set(POLICIES):
        raise ValueError(f"a policy must be one of {POLICIES}")
    return policies


def _print_floor(subject: Subject, lengths: list[int]) -> None:
    """The time of upstream's operations at the rate of a matrix product."""
    rate = matmul_rate(subject.device)
    say(f"rate of a matrix product: {rate / 1e9:.0f} GFLOP/s")
    for length in lengths:
        flops = subject.flops_of_upstream(length * TOKENS_PER_S)
        say(
            f"floor of upstream's call for {length} s of audio: "
            f"{flops / 1e9:.0f} GFLOP, {flops / rate:.2f} s"
        )


def _row(kind: Row, runs: list[Timing], upstream_s: Mapping[int, float]) -> dict[str, object]:
    total_s = median([run.total_s for run in runs])
    audio_s = kind.num_streams * kind.utterance_s
    whole_s = upstream_s.get(kind.utterance_s)
    return {
        "policy": kind.policy,
        "utterance_s": kind.utterance_s,
        "num_streams": kind.num_streams,
        "first_sound_s": round(median([run.first_sound_s for run in runs]), 3),
        "first_second_s": round(median([run.first_second_s for run in runs]), 3),
        "total_s": round(total_s, 3),
        "audio_s_per_s": round(audio_s / total_s, 3),
        "cost_ratio_to_upstream": (
            None if whole_s is None else round(total_s / (kind.num_streams * whole_s), 3)
        ),
    }


def _print_rows(rows: list[dict[str, object]], upstream_s: Mapping[int, float]) -> None:
    for length, seconds in upstream_s.items():
        say(f"upstream: {seconds:.2f} s for {length} s of audio, {length / seconds:.2f} audio-s/s")
    names = list(rows[0])
    say("  ".join(names))
    for row in rows:
        say("  ".join(f"{row[name]!s:>{len(name)}}" for name in names))


if __name__ == "__main__":
    main()
