"""Real, unmodified clients of other vendors against a real server: python -m interop.run.

Starts a server of the embedded model, and runs each client in its own environment
(interop/requirements). The table goes to stdout and, with --write, into docs/interop.md. The last
line is one JSON object. Exits with 1 where a client does not work.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

from deployments.server import ServerProcess, running
from interop.environments import ROOT, python_of
from interop.page import write_part
from interop.rows import CLIENTS, ClientOf, Row, table
from interop.scenario import Plan, measure, until_it_speaks
from interop.script import Script
from interop.sessions import SessionLog


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", default="", help="parts of their names, separated by commas")
    parser.add_argument("--barge-ins", type=int, default=20)
    parser.add_argument("--idle", type=float, default=90.0, help="seconds before the next turn")
    parser.add_argument("--no-faults", action="store_true", help="kill nothing, and crowd nothing")
    parser.add_argument("--write", action="store_true", help="into docs/interop.md")
    args = parser.parse_args()
    plan = Plan(args.barge_ins, args.idle, not args.no_faults)
    chosen = [client for client in CLIENTS if _is_chosen(client, args.clients)]
    for name in dict.fromkeys(client.environment for client in chosen):
        python_of(name)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "serve.log"
        with running(ROOT / "interop" / "serve_config.yaml", log) as server:
            until_it_speaks(server.url)
            sessions = SessionLog(server)
            for client in chosen:
                rows.append(_row(client, server, sessions, plan, Path(folder)))
                sys.stdout.write(json.dumps(rows[-1].as_json()) + "\n")
                sys.stdout.flush()
    told = table(rows, plan.idle_s)
    sys.stdout.write(told + "\n")
    if args.write:
        write_part("make interop", f"{plan.num_barge_ins} barge-ins each.\n\n{told}")
    passed = all(row.works for row in rows)
    sys.stdout.write(json.dumps({"interop": [row.as_json() for row in rows], "passed": passed}))
    sys.stdout.write("\n")
    return 0 if passed else 1


def _is_chosen(client: ClientOf, parts: str) -> bool:
    return not parts or any(part.strip() in client.label.lower() for part in parts.split(","))


def _row(
    client: ClientOf, server: ServerProcess, sessions: SessionLog, plan: Plan, folder: Path
) -> Row:
    row = Row(client.label)
    log = folder / f"{client.label.replace(' ', '_')}.log"
    try:
        with Script(
            client.environment, client.module, [server.url, *client.arguments], log
        ) as script:
            measure(script, server, sessions, row, plan)
    except RuntimeError as error:
        row.trouble.append(f"{error}: {log.read_text(errors='replace')[-600:]}")
    return row


if __name__ == "__main__":
    sys.exit(main())
