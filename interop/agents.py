"""The example agents, as they stand, against a real server: python -m interop.agents.

Starts a server of the embedded model, and runs examples/pipecat_agent.py and
examples/livekit_agent.py in the environments of their frameworks. Each brings its own script of a
language model. With --write, the table goes into docs/interop.md. The last line is one JSON object.
Exits with 1 where an agent does not work.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from deployments.server import running
from interop.agent_rows import AgentRow, row_of, table
from interop.environments import ROOT, python_of
from interop.page import write_part
from interop.scenario import until_it_speaks

EXAMPLES = {"pipecat": "pipecat_agent.py", "livekit": "livekit_agent.py"}  # by environment
WITHIN_S = 120.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--agents", default=",".join(EXAMPLES))
    parser.add_argument("--write", action="store_true", help="into docs/interop.md")
    args = parser.parse_args()
    pythons = {name: python_of(name) for name in args.agents.split(",")}
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with running(ROOT / "interop" / "serve_config.yaml", folder / "serve.log") as server:
            until_it_speaks(server.url)
            for environment, python in pythons.items():
                rows.append(run(python, EXAMPLES[environment], server.url, folder))
    told = table(rows)
    sys.stdout.write(told + "\n")
    if args.write:
        write_part("python -m interop.agents", f"each once.\n\n{told}")
    passed = all(row.works for row in rows)
    report = {"agents": [row.as_json() for row in rows], "passed": passed}
    sys.stdout.write(json.dumps(report) + "\n")
    return 0 if passed else 1


def run(python: Path, example: str, url: str, folder: Path, within_s: float = WITHIN_S) -> AgentRow:
    out = folder / f"{example}.wav"
    command = [str(python), str(ROOT / "examples" / example), "--url", url, "--out", str(out)]
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=within_s,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        told = (error.stderr or b"").decode(errors="replace")
        return AgentRow(example, None, 0.0, 0, f"no end within {within_s:g} s: {told[-1500:]}")
    return row_of(example, done.returncode, out, done.stderr)


if __name__ == "__main__":
    sys.exit(main())
