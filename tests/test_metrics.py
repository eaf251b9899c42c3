import numpy as np
import pytest

from kseq2seq.metrics import (
    accuracy_by_position,
    bleu,
    chrf,
    edit_distance,
    exact_match,
    matches,
    measure,
    sacrebleu_score,
    signature,
    token_accuracy,
)


def test_exact_match_counts_whole_answers():
    assert exact_match(["ab", "c", ""], ["ab", "d", ""]) == pytest.approx(2 / 3)
    assert exact_match([["a"], ["b"]], [["a"], ["b", "c"]]) == 0.5
    assert exact_match(np.array([[1, 2], [3, 4]]), np.array([[1, 2], [3, 5]])) == 0.5
    assert exact_match(["a", "b"], ["a", "x"], sample_weight=[3, 1]) == 0.75


def test_token_accuracy_counts_positions_of_the_longer():
    assert token_accuracy(["abcd", "x"], ["abxd", "xyz"]) == pytest.approx(4 / 7)
    assert token_accuracy([""], [""]) == 1.0


@pytest.mark.parametrize(
    ("y_true", "y_pred", "shares"),
    [
        # The second prediction has a token too many.
        (["abc", "ab", "a"], ["xbc", "abd", "a"], [2 / 3, 1, 1 / 2]),
        # The first prediction lacks two tokens.
        (["abc", "ab"], ["a", "ab"], [1, 1 / 2, 0]),
        ([["ab", "c"], []], [["ab"], ["d"]], [1 / 2, 0]),
        (np.array([[1, 2], [3, 4]]), np.array([[1, 2], [4, 4]]), [1 / 2, 1]),
        (["", ""], ["", ""], []),
    ],
)
def test_accuracy_by_position_counts_the_pairs_whose_longer_side_has_it(
    y_true, y_pred, shares
):
    found = accuracy_by_position(y_true, y_pred)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, shares, rtol=1e-12)
    assert found.shape == (len(shares),)


def test_accuracy_by_position_averages_to_token_accuracy():
    y_true, y_pred = ["abcde", "xy", "", "q"], ["abzd", "xyz", "r", ""]
    counts = np.array([4, 2, 2, 1, 1])  # pairs of lengths 5, 3, 1 and 1
    shares = accuracy_by_position(y_true, y_pred)
    assert shares @ counts / counts.sum() == pytest.approx(5 / 10)
    assert token_accuracy(y_true, y_pred) == 5 / 10


def test_edit_distance_counts_tokens():
    assert edit_distance(["kitten"], ["sitting"]) == 3
    assert edit_distance([["ab", "c"]], [["ab", "d", "e"]]) == 2
    assert edit_distance(["abcd", "ab"], ["abcx", "ab"], normalize=True) == 1 / 6


def test_bleu_and_chrf_are_sacrebleus():
    text = ["the cat sat on the mat today"]
    assert bleu(text, text) == pytest.approx(100)
    assert chrf(text, text) == pytest.approx(100)
    assert bleu(text, ["a dog ran"]) < 10


@pytest.mark.parametrize(
    ("y_true", "y_pred", "score", "order"),
    [
        (["eins", "zwei"], ["eins", "zwei"], 100, "yes"),
        (["eins", "zwei"], ["eins", "drei"], 50, "yes"),
        (["eins, zwei"], ["eins, zwei"], 100, "yes"),  # three tokens
        # Two of three tokens are right, and the one pair of tokens that there is.
        (["a b", "c"], ["a b", "d"], 100 * (2 / 3 * 1) ** 0.5, "yes"),
        (["eins, zwei."], ["eins, zwei."], 100, "no"),  # four tokens
        (["a b c d", "e"], ["a b c d", "e"], 100, "no"),
        (["a b c d", "e"], ["a b", "e"], 0, "no"),  # no three tokens predicted
    ],
)
def test_bleu_of_short_answers_counts_the_runs_that_there_are(
    y_true, y_pred, score, order
):
    found, signed = sacrebleu_score("bleu", y_true, y_pred)
    assert found == bleu(y_true, y_pred) == pytest.approx(score)
    assert f"eff:{order}|" in signed and signed == signature("bleu", y_true)


@pytest.mark.parametrize("metric", ["bleu", "chrf"])
def test_a_signature_says_whether_capitals_counted(metric):
    upper, lower = ["A DOG RUNS FAST NOW"], ["a dog runs fast now"]
    score, signature = sacrebleu_score(metric, upper, lower, lowercase=True)
    assert score == pytest.approx(100) and "case:lc" in signature
    score, signature = sacrebleu_score(metric, upper, lower)
    assert score < 50 and "case:mixed" in signature
    with pytest.raises(ValueError, match="metric must be 'bleu' or 'chrf'"):
        sacrebleu_score("ter", upper, lower)


@pytest.mark.parametrize(
    "metric", [exact_match, token_accuracy, accuracy_by_position, edit_distance, bleu]
)
@pytest.mark.parametrize("pair", [([], []), (["a"], [])])
def test_no_or_unequal_answers_are_refused(metric, pair):
    with pytest.raises(ValueError, match="as many predictions as answers; got"):
        metric(*pair)


SEVERAL = [["kitten", "sitting"], "abc", ["ax", "b"]]
ANSWERS = ["sittin", "abc", "b"]


def test_the_best_of_several_right_answers_counts():
    assert matches(SEVERAL, ANSWERS).tolist() == [False, True, True]
    assert edit_distance(SEVERAL, ANSWERS) == 1 / 3
    # one edit; the nearest have 7, 3 and 1 tokens
    assert edit_distance(SEVERAL, ANSWERS, normalize=True) == 1 / 11
    assert token_accuracy(SEVERAL, ANSWERS) == (6 + 3 + 1) / (7 + 3 + 1)
    assert accuracy_by_position(SEVERAL, ANSWERS)[6] == 0


def test_several_right_answers_may_be_token_lists():
    several = [[["a", "b"], ["b"]], ["a"]]
    names = ["exact_match", "token_error_rate"]
    measured = measure(several, [["b"], ["b"]], names)
    assert measured == {"exact_match": 0.5, "token_error_rate": 0.5}
    rows = np.arange(8).reshape(2, 2, 2)
    assert exact_match(rows, [[2, 3], [5, 4]]) == 0.5


def test_sacrebleu_counts_several_right_answers_of_any_number():
    from sacrebleu.metrics import BLEU

    several = [["a small dog runs", "one dog runs there"], "the cat sat on a mat"]
    answers = ["one dog runs here", "the cat sat on a mat"]
    columns = [["a small dog runs", several[1]], ["one dog runs there", None]]
    assert bleu(several, answers) == BLEU().corpus_score(answers, columns).score
    assert bleu(several, answers, sample_weight=[0, 1]) == pytest.approx(100)
    assert "nrefs:var" in sacrebleu_score("bleu", several, answers)[1]
    assert "nrefs:var" in signature("chrf", several)
    assert "nrefs:2" in signature("bleu", [several[0]] * 2)


def test_a_source_without_a_right_answer_is_told():
    with pytest.raises(ValueError, match=r"y_true\[1\] holds no right answer"):
        exact_match(["a", []], ["a", "b"])
