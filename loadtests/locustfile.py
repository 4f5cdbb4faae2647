"""The users for Locust's own command line and web page.

    locust -f loadtests/locustfile.py --host http://127.0.0.1:8000 --users 4

Records go to --out (default: loadtests/out). `python -m loadtests` has the shapes and the report.
"""

from locust import events  # first: Locust patches the standard library

# isort: split
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from locust.env import Environment

sys.path.insert(0, str(Path(__file__).parents[1]))  # Locust imports this file by its path

from loadtests.bench import Bench, RefusedHost, Settings, UnusableServer, check_host
from loadtests.report import REQUESTS
from loadtests.run_log import RunLog
from loadtests.spoken_sockets import VIAS
from loadtests.users import (
    Caller,
    Conversation,
    Enrolment,
    Hostile,
    Listener,
    OneShot,
    Storm,
    report_to_locust,
)

__all__ = ["Conversation", "Enrolment", "Hostile", "Listener", "OneShot", "Storm"]


def add_options(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--allow-remote",
        action="store_true",
        help="allow a server on another machine; it must be yours",
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--via", choices=VIAS, default="http")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "out")


def begin(environment: Environment, **_: object) -> None:
    """Ends the process if there is no server that can be loaded."""
    options = environment.parsed_options or Namespace()
    url = environment.host or ""
    try:
        check_host(url, options.allow_remote)
        run_log = RunLog(options.out / REQUESTS)
        run_log.on_record = report_to_locust(environment)
        Caller.bench = Bench(url, Settings(seed=options.seed, via=options.via), run_log)
    except (RefusedHost, UnusableServer) as error:
        sys.exit(str(error))


events.init_command_line_parser.add_listener(add_options)  # type: ignore[no-untyped-call]
events.test_start.add_listener(begin)  # type: ignore[no-untyped-call]
