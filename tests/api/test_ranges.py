"""The part of a file that a player asks for, as RFC 9110 has it."""

import pytest
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException

from app.api.ranges import file_answer
from app.api.slow_readers import PART_BYTES

FILE = bytes(range(10))


async def answer(content=FILE, **asked):
    headers = Headers({name.replace("_", "-"): value for name, value in asked.items()})
    response = file_answer(content, "audio/wav", headers, {"X-Seed": "0"})
    sent = []

    async def send(message):
        sent.append(message)

    await response({"type": "http", "asgi": {"spec_version": "2.4"}}, None, send)
    parts = [message["body"] for message in sent[1:]]
    return response, b"".join(parts), [part for part in parts if part]


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ("bytes=0-1", 0, 1),  # Safari's first question
        ("bytes=0-", 0, 9),
        ("bytes=3-5", 3, 5),
        ("bytes=9-9", 9, 9),
        ("bytes=5-99999", 5, 9),
        (f"bytes=0-{2**64 - 1}", 0, 9),  # a player that does not know the size
        ("bytes=-3", 7, 9),
        ("bytes=-99", 0, 9),
        ("Bytes = 2 - 4", 2, 4),
    ],
)
async def test_a_range_gets_its_part(asked, first, last):
    response, body, _ = await answer(range=asked)
    assert response.status_code == 206
    assert response.headers["content-range"] == f"bytes {first}-{last}/10"
    assert response.headers["content-length"] == str(len(body))
    assert body == FILE[first : last + 1]


NO_RANGE = (None, "", "bytes", "bytes=", "bytes=-", "bytes=5-2", "bytes=a-b", "seconds=0-1", "0-1")
MANY = ("bytes=0-1,3-4", "bytes=0-1;q=1", f"bytes={'9' * 5000}-")


@pytest.mark.parametrize("asked", [*NO_RANGE, *MANY])
async def test_whatever_is_no_single_range_of_bytes_gets_the_whole_file(asked):
    response, body, _ = await answer(**({} if asked is None else {"range": asked}))
    assert (response.status_code, body) == (200, FILE)
    assert response.headers["accept-ranges"] == "bytes"
    assert "content-range" not in response.headers


@pytest.mark.parametrize("asked", ["bytes=10-", "bytes=99-100", "bytes=-0", f"bytes={2**63}-"])
async def test_a_range_behind_the_end_is_refused_with_the_size(asked):
    with pytest.raises(HTTPException) as refused:
        await answer(range=asked)
    assert (refused.value.status_code, refused.value.headers) == (
        416,
        {"Content-Range": "bytes */10"},
    )


async def test_a_range_of_an_older_file_gets_the_whole_file():
    tag = (await answer())[0].headers["etag"]
    assert (await answer(range="bytes=0-1", if_range=tag))[0].status_code == 206
    assert (await answer(range="bytes=0-1", if_range='"older"'))[0].status_code == 200


async def test_a_client_that_has_the_file_gets_no_body():
    tag = (await answer())[0].headers["etag"]
    response, body, _ = await answer(if_none_match=f'"older", {tag}')
    assert (response.status_code, body) == (304, b"")
    assert (await answer(b"another", if_none_match=tag))[0].status_code == 200


@pytest.mark.parametrize("has", ["W/{}", '"older", W/{}', "*"])
async def test_a_tag_that_a_proxy_weakened_is_known(has):
    tag = (await answer())[0].headers["etag"]
    assert (await answer(if_none_match=has.format(tag)))[0].status_code == 304
    assert (await answer(range="bytes=0-1", if_range=f"W/{tag}"))[0].status_code == 200


async def test_a_long_file_is_sent_in_parts():
    _, body, parts = await answer(bytes(PART_BYTES * 2 + 1))
    assert len(body) == PART_BYTES * 2 + 1
    assert [len(part) for part in parts] == [PART_BYTES, PART_BYTES, 1]
