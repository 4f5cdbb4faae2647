"""Runs a load test against a running server. docs/loadtests.md describes the shapes and the users.

    python -m loadtests --shape steady --users conversation --callers 4 --minutes 1 --out DIR

Writes requests.jsonl, summary.json and report.html into DIR. The last line is one JSON object.
Exits with 2 if the test cannot begin, and with 1 if a request fails, if a timing is impossible, if
fewer turns are played than `--turns` asks for, or if a search finds no capacity or less than the
server claims.
"""

from loadtests.run import LEVELS, Load, run  # first: Locust patches the standard library

# isort: split
import argparse
import json
import sys
from pathlib import Path

from app.client.speech_client import DEFAULT_URL
from loadtests.bench import RefusedHost, Settings, UnusableServer, check_host
from loadtests.spoken_sockets import VIAS
from loadtests.users import USERS

SHAPES = (*LEVELS, "poisson", "saturation")


def roles(text: str) -> tuple[str, ...]:
    found = tuple(USERS) if text == "mixed" else tuple(text.split(","))
    if unknown := set(found) - set(USERS):
        raise argparse.ArgumentTypeError(f"unknown users: {', '.join(sorted(unknown))}")
    return found


def positive(text: str) -> float:
    if not (value := float(text)) > 0:
        raise argparse.ArgumentTypeError("must be more than 0")
    return value


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m loadtests", description=__doc__)
    parser.add_argument("--url", default=DEFAULT_URL)
    parser.add_argument("--shape", choices=SHAPES, default="steady")
    parser.add_argument(
        "--users",
        type=roles,
        default=("conversation",),
        help=f"mixed, or a list of {','.join(USERS)}: one caller of each kind, all others are of "
        "the first kind; poisson has streams alone",
    )
    parser.add_argument(
        "--callers", type=int, default=4, help="number of callers, or the most of a varying shape"
    )
    parser.add_argument(
        "--minutes",
        type=positive,
        default=1.0,
        help="length of the run; of saturation: of each level",
    )
    parser.add_argument(
        "--turns",
        type=int,
        default=0,
        help="fewer played turns fail the run; of saturation: a level",
    )
    parser.add_argument("--out", type=Path, default=Path("loadtests/out"))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=positive, default=1.0, help="requests per second of poisson")
    parser.add_argument(
        "--most-open", type=int, default=256, help="the most open requests of poisson"
    )
    parser.add_argument(
        "--ttfa-ms", type=positive, default=1000.0, help="the p95 bound of saturation"
    )
    parser.add_argument("--think-s", type=float, default=1.0, help="mean pause between turns")
    parser.add_argument(
        "--prebuffer-s",
        type=float,
        default=0.0,
        help="each player waits at least so long after the first audio",
    )
    parser.add_argument(
        "--start", choices=("smooth", "soonest"), help="default: the server's own start"
    )
    parser.add_argument(
        "--grace-s",
        type=float,
        default=5.0,
        help="running sessions may end in this time after the run",
    )
    parser.add_argument(
        "--timeout-s", type=positive, default=60.0, help="give up when no byte arrives"
    )
    parser.add_argument(
        "--ack-within-s",
        type=positive,
        default=5.0,
        help="give up on the acknowledgement of a cancel",
    )
    parser.add_argument(
        "--via", choices=VIAS, default="http", help="how speech is asked for that is played"
    )
    parser.add_argument("--voice", help="default: the server's first voice")
    parser.add_argument(
        "--allow-remote",
        action="store_true",
        help="allow a server on another machine; it must be yours",
    )
    return parser.parse_args()


def main() -> int:
    args = parse_options()
    load = Load(
        shape=args.shape,
        users=args.users,
        num_callers=args.callers,
        seconds=args.minutes * 60,
        rate_per_s=args.rate,
        most_open=args.most_open,
        grace_s=args.grace_s,
        ttfa_ms=args.ttfa_ms,
        num_turns=args.turns,
    )
    settings = Settings(
        seed=args.seed,
        think_s=args.think_s,
        prebuffer_s=args.prebuffer_s,
        start=args.start,
        via=args.via,
        timeout_s=args.timeout_s,
        ack_within_s=args.ack_within_s,
        voice=args.voice,
    )
    try:
        check_host(args.url, args.allow_remote)
        summary = run(args.url, load, settings, args.out)
    except (RefusedHost, UnusableServer) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(json.dumps(summary) + "\n")
    return 0 if summary["passed"] else 1


if __name__ == "__main__":
    sys.exit(main())
