"""A load test against a server that runs; docs/loadtests.md has its shapes and its users.

    python -m loadtests --shape steady --users conversation --callers 4 --minutes 1 --out DIR

Writes requests.jsonl, summary.json and report.html into DIR. Last line JSON; exits with 1 where a
request failed or a timing cannot be true, with 2 where the load test could not begin.
"""

from loadtests.run import LEVELS, Load, run  # first: Locust patches what the rest imports

# isort: split
import argparse
import json
import sys
from pathlib import Path

from app.client.speech_client import DEFAULT_URL
from loadtests.bench import RefusedHost, Settings, UnusableServer, check_host
from loadtests.users import USERS

SHAPES = (*LEVELS, "poisson", "saturation")


def roles(text: str) -> tuple[str, ...]:
    found = tuple(USERS) if text == "mixed" else tuple(text.split(","))
    if unknown := set(found) - set(USERS):
        raise argparse.ArgumentTypeError(f"no such users: {', '.join(sorted(unknown))}")
    return found


def positive(text: str) -> float:
    if not (value := float(text)) > 0:
        raise argparse.ArgumentTypeError("more than 0")
    return value


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m loadtests", description=__doc__)
    parser.add_argument("--url", default=DEFAULT_URL)
    parser.add_argument("--shape", choices=SHAPES, default="steady")
    parser.add_argument(
        "--users",
        type=roles,
        default=("conversation",),
        help=f"mixed, or some of {','.join(USERS)}: one of each, the first fills up; "
        "an open loop has streams alone",
    )
    parser.add_argument("--callers", type=int, default=4, help="at most, where the shape varies")
    parser.add_argument(
        "--minutes", type=positive, default=1.0, help="of the search: of each level"
    )
    parser.add_argument("--out", type=Path, default=Path("loadtests/out"))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=positive, default=1.0, help="requests per second, poisson")
    parser.add_argument("--most-open", type=int, default=256, help="at once, poisson")
    parser.add_argument("--ttfa-ms", type=positive, default=1000.0, help="bound of the search")
    parser.add_argument("--think-s", type=float, default=1.0, help="between turns, on average")
    parser.add_argument("--prebuffer-s", type=float, default=0.0, help="of each player")
    parser.add_argument("--grace-s", type=float, default=5.0, help="for sessions at the end")
    parser.add_argument("--timeout-s", type=positive, default=60.0, help="without any byte")
    parser.add_argument("--ack-within-s", type=positive, default=5.0, help="of a cancel")
    parser.add_argument("--voice", help="by default the first")
    parser.add_argument("--allow-remote", action="store_true", help="the server is yours")
    return parser.parse_args()


def main() -> int:
    args = parsed()
    load = Load(
        shape=args.shape,
        users=args.users,
        num_callers=args.callers,
        seconds=args.minutes * 60,
        rate_per_s=args.rate,
        most_open=args.most_open,
        grace_s=args.grace_s,
        ttfa_ms=args.ttfa_ms,
    )
    settings = Settings(
        seed=args.seed,
        think_s=args.think_s,
        prebuffer_s=args.prebuffer_s,
        timeout_s=args.timeout_s,
        ack_within_s=args.ack_within_s,
        voice=args.voice,
    )
    try:
        check_host(args.url, args.allow_remote)
        told = run(args.url, load, settings, args.out)
    except (RefusedHost, UnusableServer) as fault:
        sys.stderr.write(f"{fault}\n")
        return 2
    sys.stdout.write(json.dumps(told) + "\n")
    return 0 if told["passed"] else 1


if __name__ == "__main__":
    sys.exit(main())
