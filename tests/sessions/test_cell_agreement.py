from app.core import Cost
from app.sessions.cell_agreement import TOPICS_KEPT, CellAgreement


def test_the_first_choice_wins_and_stays():
    agreement = CellAgreement()
    assert agreement.agree("embedded", (13, 26)) == (13, 26)
    assert agreement.agree("embedded", (26, 26)) == (13, 26)


def test_another_model_has_cells_of_its_own():
    agreement = CellAgreement()
    agreement.agree("embedded", (13, 26))
    assert agreement.agree("turbo", (26, 26)) == (26, 26)


def test_the_first_cost_that_t3_tells_counts():
    agreement = CellAgreement()
    assert agreement.t3("embedded") is None
    agreement.tell_t3("embedded", Cost(0.01, 0.0))
    agreement.tell_t3("embedded", Cost(0.02, 0.0))
    assert agreement.t3("embedded") == Cost(0.01, 0.0)


def test_topics_that_nobody_asks_for_are_forgotten():
    agreement = CellAgreement()
    for n in range(TOPICS_KEPT + 1):
        agreement.tell_t3(f"{n}", Cost(0.01, 0.0))
    assert agreement.t3("0") is None
    assert agreement.t3("1") is not None
