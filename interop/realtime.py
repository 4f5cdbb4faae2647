"""Real, unmodified clients of OpenAI's Realtime API in a conversation: python -m interop.realtime.

Starts a scripted language model and a server that hears, with the embedded model. LiveKit's and
Pipecat's realtime classes hold a conversation of TURNS turns, of which every second one interrupts
the reply before it. With --barge-ins, benchmarks/realtime_barge_in.py measures as many
interruptions first. The last line is one JSON object. Exits with 1 where a client does not work.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import numpy as np
import soxr
import yaml

from benchmarks.recorded_call import RATE, read_call
from deployments.server import running
from interop.environments import ROOT, python_of
from interop.scenario import until_it_speaks
from interop.scripted_llm import REPLY, server

CLIENTS = {"livekit": "livekit_realtime", "pipecat": "pipecat_realtime"}
CLIENT_RATE = 24_000
WITHIN_S = 240.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", default="livekit,pipecat")
    parser.add_argument("--turns", type=int, default=10)
    parser.add_argument("--barge-ins", type=int, default=0)
    args = parser.parse_args()
    names = [name for name in args.clients.split(",") if name]
    pythons = {name: python_of(name) for name in names}
    llm = server()
    threading.Thread(target=llm.serve_forever, daemon=True).start()
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        utterances = Path(folder) / "utterances"
        write_utterances(utterances)
        config = configured(Path(folder), f"http://127.0.0.1:{llm.server_port}/v1")
        with running(config, Path(folder) / "serve.log") as served:
            until_it_speaks(served.url)
            if args.barge_ins:
                measure = ROOT / "benchmarks" / "realtime_barge_in.py"
                command = [sys.executable, measure, "--url", served.url, "--n", args.barge_ins]
                subprocess.run([str(part) for part in command], check=False, cwd=ROOT)
            for name, python in pythons.items():
                rows.append(converse(python, name, served.url, utterances, args.turns))
                sys.stdout.write(json.dumps(rows[-1]) + "\n")
    passed = all(row["works"] for row in rows)
    sys.stdout.write(json.dumps({"realtime": rows, "passed": passed}) + "\n")
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


def converse(python: Path, name: str, url: str, utterances: Path, num_turns: int) -> dict[str, Any]:
    """What the client tells, and whether it works: each turn was heard and answered, the client
    saw no error, and the last reply was whole."""
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
    except subprocess.TimeoutExpired:
        return {"client": name, "works": False, "trouble": f"no end within {WITHIN_S:g} s"}
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode or not lines:
        return {"client": name, "works": False, "trouble": done.stderr[-1500:]}
    told: dict[str, Any] = json.loads(lines[-1])
    works = (
        len(told["turns"]) == num_turns
        and all(turn["noticed_ms"] is not None for turn in told["turns"])
        and not told["errors"]
        and told["last_reply"].split() == REPLY.split()
    )
    return {**told, "works": works}


if __name__ == "__main__":
    sys.exit(main())
