"""An OpenAI-compatible language model that says what its script has: a real HTTP server.

    python -m interop.scripted_llm PORT

Every reply is a few sentences, streamed word by word. A message that asks for the weather is
answered with a call of the function `weather`, where it is offered, and the result of the call with
a sentence that has it. Imports the standard library only.
"""

import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PIECE_S = 0.01
REPLY = (
    "Thank you for asking. This is a longer answer, so that it can be interrupted while it is "
    "spoken. It goes on for some sentences. And this is the end of it."
)


class Replies(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            for chunk in _chunks(body):
                self._write(f"data: {json.dumps(chunk)}\n\n")
                time.sleep(PIECE_S)
            self._write("data: [DONE]\n\n")
            self.wfile.write(b"0\r\n\r\n")
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # the reply was cancelled

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""

    def _write(self, text: str) -> None:
        content = text.encode()
        self.wfile.write(b"%x\r\n%s\r\n" % (len(content), content))
        self.wfile.flush()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that leaves is no error."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


def _chunks(body: dict[str, Any]) -> list[dict[str, Any]]:
    last = body["messages"][-1]
    if body.get("tools") and last["role"] == "user" and "weather" in str(last["content"]):
        function = {"name": "weather", "arguments": '{"town": "Ulm"}'}
        call = {"index": 0, "id": "call_weather", "type": "function", "function": function}
        return [_chunk({"tool_calls": [call]}), _chunk({}, "tool_calls"), _usage()]
    reply = f"The weather is {last['content']}." if last["role"] == "tool" else REPLY
    words = [_chunk({"content": f"{word} "}) for word in reply.split()]
    return [*words, _chunk({}, "stop"), _usage()]


def _chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def _usage() -> dict[str, Any]:
    return {"choices": [], "usage": {"prompt_tokens": 20, "completion_tokens": 30}}


def server(port: int = 0) -> ThreadingHTTPServer:
    """On a free port where `port` is 0."""
    return _Server(("127.0.0.1", port), Replies)


if __name__ == "__main__":
    server(int(sys.argv[1])).serve_forever()
