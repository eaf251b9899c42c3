"""An estimator that reads sources from their end."""

import pickle

import numpy as np
import pytest
from strategies import small_estimator

import kseq2seq
from kseq2seq.batching import close_and_pad


@pytest.fixture(scope="module")
def backwards():
    """An estimator that reads sources from their end and says their first letters."""
    rng = np.random.default_rng(1)
    X = ["".join(rng.choice(list("abc"), size=1 + i % 5)) for i in range(160)]
    estimator = small_estimator(
        units=32,
        dropout=0.0,
        learning_rate=0.02,
        epochs=20,
        bidirectional=True,
        reverse_source=True,
    )
    return estimator.fit(X, [word[:2] for word in X])


def test_a_model_that_reads_backwards_gets_reversed_ids_and_answers_right(backwards):
    words = ["abcc", "cab", "bb", "a", "cbaca"]
    assert backwards.predict(words) == [word[:2] for word in words]
    encode = backwards.source_vocabulary_.encode
    for word, answer in zip(words, backwards.predict(words), strict=True):
        ids = close_and_pad([encode(word[::-1])])
        by_hand = backwards.generator_.predict(ids, verbose=0)["ids"][0]
        assert "".join(backwards.target_vocabulary_.decode(by_hand)) == answer


def test_attention_of_a_model_that_reads_backwards_has_the_sources_order(backwards):
    words = ["abcca", "cab", ""]
    encode = backwards.source_vocabulary_.encode
    for word, (weights, columns, rows) in zip(
        words, backwards.attention(words), strict=True
    ):
        assert columns == [*word, "<end>"]
        ids = close_and_pad([encode(word[::-1])])
        given = backwards.generator_.predict(ids, verbose=0)["attention_weights"][0]
        *letters, end = given[: len(rows)].T
        expected = np.array([*letters[::-1], end]).T
        np.testing.assert_allclose(weights, expected, atol=1e-5)
        np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-5)
    weights = backwards.attention(["abcca"])[0].weights
    assert np.abs(weights - weights[:, ::-1]).max() > 0.1  # a swap would show


@pytest.mark.parametrize("path", ["save", "pickle"])
def test_a_kept_model_still_reads_backwards(backwards, tmp_path, path):
    if path == "save":
        again = kseq2seq.load(backwards.save(tmp_path / "m.kseq2seq"))
    else:
        again = pickle.loads(pickle.dumps(backwards))
    words = ["abcc", "cab", "", "xyz", "cbaca"]
    assert again.reverse_source and again.predict(words) == backwards.predict(words)
    for one, other in zip(
        again.attention(words), backwards.attention(words), strict=True
    ):
        np.testing.assert_array_equal(one.weights, other.weights)
