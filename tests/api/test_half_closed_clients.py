"""What docs/limitations.md says of clients that close their sending side."""

import json
import socket
from contextlib import closing

import pytest

from tests.support.api_clients import serving, speech
from tests.support.fakes import FakeSynthesizer
from tests.support.raw_http import connected, until_closed

BODY = json.dumps(speech()).encode()
HEAD = (
    "POST /v1/audio/speech HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    f"Content-Length: {len(BODY)}\r\nConnection: close\r\n\r\n"
)


@pytest.mark.parametrize("is_half_closed", [True, False])
def test_only_a_client_that_keeps_its_sending_side_open_is_answered(is_half_closed):
    synthesizer = FakeSynthesizer(hold_at=0)
    with serving(synthesizer) as url, closing(connected(url)) as client:
        client.sendall(HEAD.encode() + BODY)
        if is_half_closed:
            client.shutdown(socket.SHUT_WR)
        else:
            synthesizer.wait_until_holding()
            synthesizer.release()
        answer = until_closed(client)
    assert answer.startswith(b"HTTP/1.1 200") is not is_half_closed
    assert bool(answer) is not is_half_closed
