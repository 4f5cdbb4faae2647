import pytest

from interop.conversation_rows import HEAD, ConversationRow, table
from interop.scripted_llm import REPLY

TOLD = {
    "client": "Pipecat realtime",
    "turns": [
        {"is_interruption": False, "noticed_ms": 120, "cut": None},
        {"is_interruption": True, "noticed_ms": 180, "cut": {"sound_s": 3.9, "late_s": 0.0}},
    ],
    "last_reply": REPLY,
    "last_sound_s": 10.0,
    "tool_arguments": '{"town": "Ulm"}',
    "tool_reply": "The weather is rain.",
    "errors": [],
}


def row(**changes):
    return ConversationRow("Pipecat realtime", 2, {**TOLD, **changes})


def test_a_conversation_as_it_should_be_works():
    assert row().works
    assert row().as_json()["works"] is True


@pytest.mark.parametrize(
    "changes",
    [
        {"turns": TOLD["turns"][:1]},
        {"turns": [TOLD["turns"][0], TOLD["turns"][1] | {"noticed_ms": None}]},
        {"turns": [TOLD["turns"][0], TOLD["turns"][1] | {"cut": {"sound_s": 9.8, "late_s": 0.0}}]},
        {"turns": [TOLD["turns"][0], TOLD["turns"][1] | {"cut": {"sound_s": 3.9, "late_s": 0.1}}]},
        {"last_reply": "Thank you for asking."},
        {"tool_arguments": ""},
        {"tool_arguments": '{"town": "Bonn"}'},
        {"tool_reply": "I do not know."},
        {"errors": ["response_failed"]},
    ],
)
def test_whatever_is_missing_does_not_work(changes):
    assert not row(**changes).works


def test_a_client_that_ended_without_an_answer_tells_why():
    ended = ConversationRow("livekit", 2, {}, "Traceback")
    assert ended.as_json() == {"client": "livekit", "trouble": "Traceback", "works": False}


def test_the_table_has_a_line_for_each_client():
    told = table([row(), ConversationRow("livekit", 2, {}, "Traceback")])
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in told.splitlines()]
    assert {len(cells) for cells in lines} == {len(HEAD)}
    assert lines[2] == [
        "Pipecat realtime",
        "yes",
        "2 of 2",
        "1 of 1",
        "150 / 180",
        "yes",
        "yes",
        "0",
    ]
    assert lines[3][:2] == ["livekit", "**no**"]
