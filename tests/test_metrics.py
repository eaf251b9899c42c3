import numpy as np
import pytest

from kseq2seq.metrics import bleu, chrf, edit_distance, exact_match, token_accuracy


def test_exact_match_counts_whole_answers():
    assert exact_match(["ab", "c", ""], ["ab", "d", ""]) == pytest.approx(2 / 3)
    assert exact_match([["a"], ["b"]], [["a"], ["b", "c"]]) == 0.5
    assert exact_match(np.array([[1, 2], [3, 4]]), np.array([[1, 2], [3, 5]])) == 0.5
    assert exact_match(["a", "b"], ["a", "x"], sample_weight=[3, 1]) == 0.75


def test_token_accuracy_counts_positions_of_the_longer():
    assert token_accuracy(["abcd", "x"], ["abxd", "xyz"]) == pytest.approx(4 / 7)
    assert token_accuracy([""], [""]) == 1.0


def test_edit_distance_counts_tokens():
    assert edit_distance(["kitten"], ["sitting"]) == 3
    assert edit_distance([["ab", "c"]], [["ab", "d", "e"]]) == 2
    assert edit_distance(["abcd", "ab"], ["abcx", "ab"], normalize=True) == 1 / 6


def test_bleu_and_chrf_are_sacrebleus():
    text = ["the cat sat on the mat today"]
    assert bleu(text, text) == pytest.approx(100)
    assert chrf(text, text) == pytest.approx(100)
    assert bleu(text, ["a dog ran"]) < 10


@pytest.mark.parametrize("metric", [exact_match, token_accuracy, edit_distance, bleu])
@pytest.mark.parametrize("pair", [([], []), (["a"], [])])
def test_no_or_unequal_answers_are_refused(metric, pair):
    with pytest.raises(ValueError, match="as many predictions as answers; got"):
        metric(*pair)
