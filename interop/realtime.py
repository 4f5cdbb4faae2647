"""Real, unmodified clients of OpenAI's Realtime API in a conversation: python -m interop.realtime.

Starts a scripted language model and a server that hears, with the embedded model. LiveKit's and
Pipecat's realtime classes hold a conversation of TURNS turns, of which every second one interrupts
the reply before it, and then one with the call of a function. With --barge-ins,
benchmarks/realtime_barge_in.py measures that number of interruptions first. With --write, the table
goes into docs/interop.md. The last line is one JSON object. Exits with 1 where a client does not
work.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import numpy as np
import soxr
import yaml

from benchmarks.recorded_call import RATE, read_call
from deployments.server import running
from interop.conversation_rows import ConversationRow, table
from interop.environments import ROOT, python_of
from interop.page import write_part
from interop.scenario import until_it_speaks
from interop.scripted_llm import server

CLIENTS = {"livekit": "livekit_realtime", "pipecat": "pipecat_realtime"}
CLIENT_RATE = 24_000
WITHIN_S = 240.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", default="livekit,pipecat")
    parser.add_argument("--turns", type=int, default=10)
    parser.add_argument("--barge-ins", type=int, default=0)
    parser.add_argument("--write", action="store_true", help="into docs/interop.md")
    args = parser.parse_args()
    names = [name for name in args.clients.split(",") if name]
    pythons = {name: python_of(name) for name in names}
    llm = server()
    threading.Thread(target=llm.serve_forever, daemon=True).start()
    rows = []
    was_measured = True
    with tempfile.TemporaryDirectory() as folder:
        utterances = Path(folder) / "utterances"
        write_utterances(utterances)
        config = configured(Path(folder), f"http://127.0.0.1:{llm.server_port}/v1")
        with running(config, Path(folder) / "serve.log") as served:
            until_it_speaks(served.url)
            if args.barge_ins:
                measure = ROOT / "benchmarks" / "realtime_barge_in.py"
                command = [sys.executable, measure, "--url", served.url, "--n", args.barge_ins]
                measured = subprocess.run([str(part) for part in command], check=False, cwd=ROOT)
                was_measured = measured.returncode == 0
            for name, python in pythons.items():
                rows.append(converse(python, name, served.url, utterances, args.turns))
                sys.stdout.write(json.dumps(rows[-1].as_json()) + "\n")
    told = table(rows)
    sys.stdout.write(told + "\n")
    if args.write:
        write_part("python -m interop.realtime", f"{args.turns} turns each.\n\n{told}")
    passed = was_measured and all(row.works for row in rows)
    report = {"realtime": [row.as_json() for row in rows], "passed": passed}
    sys.stdout.write(json.dumps(report) + "\n")
    return 0 if passed else 1


def write_utterances(folder: Path) -> None:
    """Those of the recorded call, with a little of what is around each."""
    folder.mkdir()
    call = read_call()
    for number, moment in enumerate(call.of_kind("interruption")):
        cut = call.cut(moment.began_s, moment.ended_s).astype(np.float32) / 32_768
        sound = soxr.resample(cut, RATE, CLIENT_RATE)
        content = (np.clip(sound, -1, 1) * 32_767).astype("<i2").tobytes()
        (folder / f"{number:02}.pcm").write_bytes(content)


def configured(folder: Path, llm_url: str) -> Path:
    content = yaml.safe_load((ROOT / "interop" / "serve_config.yaml").read_text())
    args = content["applications"][0]["args"]
    args["hearing"] = {}
    args["realtime"] = {"llm": {"base_url": llm_url, "model": "scripted"}}
    path = folder / "serve_config.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def converse(
    python: Path, name: str, url: str, utterances: Path, num_turns: int
) -> ConversationRow:
    command = [python, "-m", f"interop.checks.{CLIENTS[name]}", url, utterances, num_turns]
    try:
        done = subprocess.run(
            [str(part) for part in command],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=WITHIN_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        told = (error.stderr or b"").decode(errors="replace")[-1500:]
        return ConversationRow(name, num_turns, {}, f"no end within {WITHIN_S:g} s: {told}")
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode or not lines:
        return ConversationRow(name, num_turns, {}, done.stderr[-1500:])
    heard = json.loads(lines[-1])
    return ConversationRow(heard["client"], num_turns, heard)


if __name__ == "__main__":
    sys.exit(main())
