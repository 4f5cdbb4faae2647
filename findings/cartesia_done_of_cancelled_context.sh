#!/usr/bin/env bash
# Library:   cartesia 4.2.0 (websockets 17.4), Python 3.11, Linux. No part of this project is used.
#
# Behaviour: With the synchronous client, a context is cancelled and the next context is opened on
#            the same connection. If the server answers the cancel with `done` for the cancelled
#            context, the `receive()` of the next context yields that message and ends: its own
#            sound is never heard, and nothing is raised. `cancel()` takes the queue of its context
#            away, so the message counts as one of an unknown context, and `receive()` ends at the
#            `done` of an unknown context.
#            If the server does not answer, the next context is heard. But then a `receive()` of
#            the cancelled context that is still being read never ends; with a timeout it raises.
#
# Expected:  A message of a cancelled context ends no other context.
#
# Affected:  Servers that speak this protocol: no answer to a cancel is right for both ways in which
#            the synchronous client may be used. The asynchronous client keeps contexts apart.
#
# Seen:      2026-11-30, two cores:
#   cartesia 4.2.0, chunks of 3 that the next context hears: 0 where the cancel is answered, 3 where it is not; the cancelled context's own receive(): ends where the cancel is answered, times out where it is not
#
# Exits with 0 where the client behaves like this, with 1 where the behaviour has changed. Takes 20 s.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    cartesia==4.2.0 websockets==17.4

cat >"$folder/contexts.py" <<'PYTHON'
import base64
import json
import logging
import sys
import threading

from cartesia import Cartesia
from websockets.sync.server import serve

logging.disable(logging.ERROR)  # the client leaves while the server speaks
NUM_CHUNKS = 3
OPTIONS = {
    "model_id": "sonic-3",
    "voice": {"id": "any"},
    "output_format": {"container": "raw", "encoding": "pcm_s16le", "sample_rate": 24_000},
    "timeout": 2.0,
}


def serving(answers_cancels):
    """A server whose contexts have three chunks, of which an open one gets the first."""

    def speak(socket):
        for frame in socket:
            asked = json.loads(frame)
            named = {"context_id": asked["context_id"], "status_code": 200}
            done = json.dumps({"type": "done", "done": True, **named})
            sound = base64.b64encode(bytes(960)).decode()
            chunk = {"type": "chunk", "data": sound, "done": False, "step_time": 1.0, **named}
            if asked.get("cancel"):
                if answers_cancels:
                    socket.send(done)
            elif asked["continue"]:
                socket.send(json.dumps(chunk))
            else:
                for _ in range(NUM_CHUNKS - 1):
                    socket.send(json.dumps(chunk))
                socket.send(done)

    server = serve(speak, "127.0.0.1", 0)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"ws://127.0.0.1:{server.socket.getsockname()[1]}"


def cancelled(connection, *, reads_on):
    context = connection.context(**OPTIONS)
    context.push("One. ")
    for _ in context.receive():
        context.cancel()
        if not reads_on:
            break


def next_context(url):
    client = Cartesia(api_key="any", base_url=url, websocket_base_url=url)
    with client.tts.websocket_connect() as connection:
        cancelled(connection, reads_on=False)
        context = connection.context(**OPTIONS)
        context.push("Two. ")
        context.no_more_inputs()
        mine = [event.type for event in context.receive() if event.context_id == context._context_id]
    return mine.count("chunk")


def own_loop(url):
    client = Cartesia(api_key="any", base_url=url, websocket_base_url=url)
    with client.tts.websocket_connect() as connection:
        try:
            cancelled(connection, reads_on=True)
        except TimeoutError:
            return "times out"
    return "ends"


answered, silent = serving(True), serving(False)
seen = (next_context(answered), next_context(silent), own_loop(answered), own_loop(silent))
print(
    f"cartesia 4.2.0, chunks of {NUM_CHUNKS} that the next context hears: {seen[0]} where the cancel "
    f"is answered, {seen[1]} where it is not; the cancelled context's own receive(): {seen[2]} "
    f"where the cancel is answered, {seen[3]} where it is not"
)
sys.exit(0 if seen == (0, NUM_CHUNKS, "ends", "times out") else 1)
PYTHON
"$folder/venv/bin/python" "$folder/contexts.py"
