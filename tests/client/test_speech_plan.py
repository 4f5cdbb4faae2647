"""A plan is told to a person."""

from app.client.speech_plan import plan_of


def test_a_plan_names_what_is_said_otherwise_and_what_is_left_out():
    text = "Pay $5, 🙂 now."
    body = {
        "segments": [
            {
                "text": "Pay five dollars, now.",
                "pause_before_s": 1.5,
                "words": [
                    {"text": "Pay", "start": 0, "end": 3},
                    {"text": "five", "start": 4, "end": 6},
                    {"text": "dollars,", "start": 4, "end": 6},
                    {"text": "now.", "start": 10, "end": 14},
                ],
            }
        ],
        "pause_after_s": 2,
        "dropped": [{"text": "🙂", "start": 8, "end": 9, "reason": "emoji"}],
        "dropped_characters": 1,
    }
    assert list(plan_of(body).lines(text)) == [
        "(pause of 1.5 s)",
        "Pay five dollars, now.",
        "    '$5' is said as 'five dollars,'",
        "(pause of 2 s)",
        "left out: '🙂' (emoji)",
    ]
