from benchmarks.first_sound import CELLS, SUSPECTS
from tests.support.last_line import run_script

TOKEN_S = 0.004


def test_a_send_behind_a_blocked_loop_waits_for_the_tokens_of_the_next_cell():
    options = ["--rounds", "1", "--token-s", str(TOKEN_S), "--flow-s", "0.02"]
    _, report = run_script("first_sound.py", *options)
    rows = report["rows"]
    assert len(rows) == 2 * len(SUSPECTS)
    waiting = [row for row in rows if row["suspect"] == SUSPECTS[-1].name]
    assert [row["transport"] for row in waiting] == ["http", "socket"]
    assert all(row["lag_ms"] >= CELLS[1] * TOKEN_S * 1000 for row in waiting)
