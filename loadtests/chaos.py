"""Breaks a server while callers speak: one fault every 20 s, drawn by a seed out of 22.

    python -m loadtests.chaos --minutes 20 --seed 1

Starts a server of its own on a free port, with small limits and one key for the attackers and one
for the callers. Each round has an open loop of streams, whole files, sockets and cancels, and one
fault among them. Then every caller must have an explicit end, the sound of each must be that of a
quiet server, no slot may be held, /health must have told the truth within 5 s, and service must be
back within the fault's bound. Every fault comes once before one comes again.

Prints a line for each round. The last line is one JSON object. Exits with 1 if a rule is broken.
"""

import argparse
import contextlib
import itertools
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import yaml

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script from a checkout

from deployments.server import ServerProcess, running
from loadtests.bench import Bench, Settings
from loadtests.chaos_callers import Callers
from loadtests.chaos_rounds import run_round
from loadtests.chaos_verdict import Row, row_of
from loadtests.clock_fault import ClockJump
from loadtests.faults import Attacked, Fault, FullDisk, Hogs, Redeployed, Signalled
from loadtests.keys_file import write_keys
from loadtests.run_log import RunLog
from loadtests.victim import Part, Victim

ROOT = Path(__file__).parents[1]
EVERY_S = 20.0
UPLOADS_SIZE = "4m"
CALLERS, ATTACKERS = "chaos-callers", "chaos-attackers"  # keys
LIMITS = {
    "remember_s": 20.0,
    "request_timeout_s": 60.0,
    "first_audio_s": 20.0,
    "stalled_reader_s": 5.0,
    "body_s": 5.0,
}
ADMISSION = {"max_bodies_per_key": 64, "max_sockets_per_key": 64, "max_requests_per_key": 128}
SETTINGS = Settings(timeout_s=45.0, ack_within_s=15.0, enrol_within_s=90.0)
FORGOTTEN_WITHIN_S = 150.0  # an id of a dead ingress is free a minute after request_timeout_s


def all_faults(jumps_clock: bool) -> list[Fault]:
    signals = [Signalled(part, kills) for part in Part for kills in (False, True)]
    return [
        *signals,
        Hogs(),
        Attacked("slow-bodies", 300),
        Attacked("idle-sockets", 300),
        Attacked("small-requests", 48),
        Attacked("stalled-readers", 8),
        FullDisk(),
        Redeployed(),
        ClockJump(jumps_clock),
    ]


def in_drawn_order(faults: Sequence[Fault], seed: int) -> Iterator[Fault]:
    """For ever. Every fault comes once before one comes again."""
    rng = random.Random(f"{seed} faults")
    for _ in itertools.count():
        yield from rng.sample(faults, len(faults))


def config(folder: Path) -> Path:
    """serve_config.yaml with small limits, keys and a folder of uploads. One step of the flow:
    chaos is about requests. One row in a call of the vocoder: every sound is then the same sample
    by sample, beside any others."""
    content = yaml.safe_load((ROOT / "serve_config.yaml").read_text())
    content["applications"][0]["args"] |= {
        "limits": LIMITS,
        "admission": ADMISSION,
        "access": {"keys_file": str(write_keys(folder, (CALLERS, ATTACKERS)))},
        "uploads": str(folder / "uploads"),
    }
    content["applications"][0]["args"]["vocoder"] |= {"euler_steps": 1, "max_rows": 1}
    path = folder / "chaos.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


@contextlib.contextmanager
def little_room(folder: Path) -> Iterator[bool]:
    """A small file system at the folder. False where none could be mounted."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={UPLOADS_SIZE},mode=700", "chaos", str(folder)]
    try:
        is_mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:  # a system without `mount`
        is_mounted = False
    try:
        yield is_mounted
    finally:
        if is_mounted:
            subprocess.run(["umount", str(folder)], check=True)


def victim_of(server: ServerProcess, path: Path, uploads: Path | None) -> Victim:
    return Victim(
        Bench(server.url, SETTINGS, RunLog()),
        "chatterbox",
        server.processes,
        {**os.environ, "CHATTERBOX_API_KEY": ATTACKERS},
        server,
        path,
        uploads,
    )


def wreak(victim: Victim, faults: Sequence[Fault], seed: int, minutes: float) -> list[Row]:
    """The rows of all rounds."""
    callers = Callers(victim.bench, seed)
    callers.learn()
    rows: list[Row] = []
    give_up_s = time.monotonic() + minutes * 60
    for number, fault in enumerate(in_drawn_order(faults, seed)):
        began_s = time.monotonic()
        if began_s > give_up_s:
            break
        rows.append(row_of(run_round(victim, fault, callers, f"{seed} round {number}")))
        sys.stdout.write(line_of(rows[-1]) + "\n")
        sys.stdout.writelines(f"    {rule}\n" for rule in rows[-1].broken_rules)
        sys.stdout.flush()
        time.sleep(max(0.0, began_s + EVERY_S - time.monotonic()))
    return rows


HEAD = (
    f"{'fault':<26}{'sessions':>9}{'well':>6}{'refused':>9}{'error':>7}"
    f"{'silence':>9}{'first':>7}{'back':>7}{'left':>6}"
)


def line_of(row: Row) -> str:
    back = "never" if row.back_after_s is None else f"{row.back_after_s:.1f}"
    return (
        f"{row.fault:<26}{row.sessions:>9}{row.ended_well:>6}{row.refused:>9}"
        f"{row.ended_with_error:>7}{row.longest_silence_s:>9.1f}{row.longest_first_s:>7.1f}"
        f"{back:>7}{row.left_behind:>6}  {row.counted}"
    )


def remembered(server: ServerProcess) -> list[str]:
    """Ids and cancels that the registry still holds when it should have forgotten all."""
    give_up_s = time.monotonic() + FORGOTTEN_WITHIN_S
    while True:
        time.sleep(LIMITS["remember_s"])
        counts: dict[str, int] = json.loads(server.run_inside("loadtests.inventory"))
        told = {n: num for n, num in counts.items() if n.endswith((": ids", ": cancels")) and num}
        if not told or time.monotonic() > give_up_s:
            return [f"{name}: {num}" for name, num in told.items()]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--faults", default="", help="only those whose name has one of these words, comma-separated"
    )
    parser.add_argument(
        "--jump-clock", action="store_true", help="let the clock of this machine jump by an hour"
    )
    parser.add_argument("--log", type=Path, help="where the server's log is kept")
    args = parser.parse_args()
    os.environ["CHATTERBOX_API_KEY"] = CALLERS
    words = args.faults.split(",")
    chosen = [f for f in all_faults(args.jump_clock) if any(word in f.name for word in words)]
    with contextlib.ExitStack() as undo:
        folder = Path(undo.enter_context(tempfile.TemporaryDirectory()))
        path = config(folder)
        has_room = undo.enter_context(little_room(folder / "uploads"))
        server = undo.enter_context(running(path, args.log or folder / "serve.log"))
        victim = victim_of(server, path, folder / "uploads" if has_room else None)
        not_done = {f.name: why for f in chosen if (why := f.missing(victim)) is not None}
        sys.stdout.writelines(f"not done: {name}: {why}\n" for name, why in not_done.items())
        sys.stdout.write(HEAD + "\n")
        faults = [fault for fault in chosen if fault.name not in not_done]
        rows = wreak(victim, faults, args.seed, args.minutes)
        left = remembered(server)
    broken = [f"{row.fault}: {rule}" for row in rows for rule in row.broken_rules]
    broken += [f"the registry still holds {what}" for what in left]
    broken += victim.bench.run_log.faults
    report = {"benchmark": "chaos", "seed": args.seed, "passed": bool(rows) and not broken}
    report |= {"broken_rules": broken, "not_done": not_done, "rounds": list(map(asdict, rows))}
    sys.stdout.write(json.dumps(report) + "\n")
    return 0 if report["passed"] else 1


if __name__ == "__main__":
    sys.exit(main())
