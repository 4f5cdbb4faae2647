"""What a realtime client told of its conversation, whether that is as it should be, and the table.

Knows nothing about how the client was run.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from interop.checks.weather import RESULT
from interop.scripted_llm import REPLY

CUT_SHARE = 0.8  # of the whole reply's sound, at most; a reply is sent 3 s ahead of its playback
HEAD = (
    "client",
    "works",
    "turns answered",
    "replies cut",
    "voice → noticed, ms, p50 / longest",
    "last answer whole",
    "function called, and its result spoken",
    "errors",
)


@dataclass(frozen=True, slots=True)
class ConversationRow:
    """`told`: the last line of a client in interop/checks; {} where it ended without one, and then
    `trouble` has the cause."""

    client: str
    num_turns: int  # that it should have had
    told: dict[str, Any]
    trouble: str = ""

    @property
    def noticed_ms(self) -> list[float]:
        turns = self.told.get("turns", ())
        return [turn["noticed_ms"] for turn in turns if turn["noticed_ms"] is not None]

    @property
    def interruptions(self) -> list[dict[str, Any]]:
        return [turn for turn in self.told.get("turns", ()) if turn["is_interruption"]]

    @property
    def num_cut(self) -> int:
        """Replies of which less than all was sent, and nothing behind the voice."""
        most_s = CUT_SHARE * self.told.get("last_sound_s", 0.0)
        cuts = [turn["cut"] for turn in self.interruptions]
        return sum(cut["sound_s"] <= most_s and cut["late_s"] == 0 for cut in cuts)

    @property
    def is_whole(self) -> bool:
        return self.told.get("last_reply", "").split() == REPLY.split()

    @property
    def has_called(self) -> bool:
        arguments = self.told.get("tool_arguments") or "null"
        is_right = json.loads(arguments) == {"town": "Ulm"}
        return is_right and RESULT in self.told["tool_reply"]

    @property
    def works(self) -> bool:
        is_heard = len(self.noticed_ms) == self.num_turns
        is_cut = self.num_cut == len(self.interruptions)
        is_right = self.is_whole and self.has_called and not self.told["errors"]
        return is_heard and is_cut and is_right

    def as_json(self) -> dict[str, object]:
        told = self.told or {"trouble": self.trouble}
        return {"client": self.client, **told, "works": self.works}


def table(rows: Sequence[ConversationRow]) -> str:
    lines = [" | ".join(HEAD), " | ".join("---" for _ in HEAD)]
    lines += [" | ".join(_cells(row)) for row in rows]
    return "\n".join(f"| {line} |" for line in lines)


def _cells(row: ConversationRow) -> list[str]:
    if not row.told:
        return [row.client, "**no**", *["-"] * (len(HEAD) - 3), "no answer"]
    turns, noticed = row.told["turns"], row.noticed_ms
    return [
        row.client,
        "yes" if row.works else "**no**",
        f"{len(turns)} of {row.num_turns}",
        f"{row.num_cut} of {len(row.interruptions)}",
        f"{median(noticed):.0f} / {max(noticed):.0f}" if noticed else "-",
        "yes" if row.is_whole else "**no**",
        "yes" if row.has_called else "**no**",
        str(len(row.told["errors"])),
    ]
