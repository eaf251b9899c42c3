"""What a fitted estimator answers, scores and shows, whole or as a stream."""

import copy
import io
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from matplotlib import pyplot
from sklearn.exceptions import NotFittedError
from strategies import X, Y, small_estimator

from kseq2seq import Seq2SeqEstimator, load
from kseq2seq.answering import AttentionMap, answer_stream


def test_it_learns_to_reverse_words(fitted):
    assert fitted.predict(["abcd", "ddca"]) == ["dcba", "acdd"]
    words = ["abca", "dcb", "bbda", "c", "acdb", "dada"]
    assert fitted.score(words, [word[::-1] for word in words]) >= 0.8


def test_attention_looks_where_the_answer_stands(fitted):
    weights, source_tokens, target_tokens = fitted.attention(["abc"])[0]
    assert source_tokens == ["a", "b", "c", "<end>"]
    assert target_tokens == ["c", "b", "a", "<end>"]
    assert weights.shape == (4, 4)
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-5)


def test_order_and_batches_change_no_answer(fitted):
    words = ["abcd", "a", "", "dcbaabcd", "bb"]
    together = fitted.predict(words)
    assert [fitted.predict([word])[0] for word in words] == together
    assert fitted.predict(words[::-1]) == together[::-1]


def test_a_source_longer_than_any_and_one_with_unknown_tokens_are_answered(fitted):
    answers = fitted.predict(["abcd" * 50, "xyz", ""])
    assert len(answers) == 3 and all(isinstance(answer, str) for answer in answers)


def test_score_weighs_pairs(fitted):
    right, wrong = ("ab", fitted.predict(["ab"])[0]), ("ab", "zz")
    X, y = zip(right, wrong, strict=True)
    assert fitted.score(X, y) == 0.5
    assert fitted.score(X, y, sample_weight=[3, 1]) == 0.75


def test_score_refuses_answers_of_another_kind(fitted):
    with pytest.raises(TypeError, match="y held strings when .* got token lists"):
        fitted.score(["ab"], [["b", "a"]])


def test_before_fit_everything_says_so(tmp_path):
    estimator = Seq2SeqEstimator()
    for use in (
        lambda: estimator.predict(["a"]),
        lambda: estimator.score(["a"], ["b"]),
        lambda: estimator.attention(["a"]),
        lambda: estimator.save(tmp_path / "m"),
    ):
        with pytest.raises(NotFittedError, match=r"not fitted yet. Call fit\(X, y\)"):
            use()


def test_a_model_without_attention_refuses_what_needs_it():
    estimator = small_estimator(attention_kind=None).fit(X, Y)
    with pytest.raises(ValueError, match="no attention. Fit one with attention_kind"):
        estimator.attention(["a"])
    with pytest.raises(ValueError, match="replace_unknown=True needs attention"):
        estimator.set_params(replace_unknown=True).predict(["ab"])


class Column:
    """Values with labels of their own, as a column of a table has them."""

    def __init__(self, values):
        self.values = dict(enumerate(values, 7))

    def __iter__(self):
        return iter(self.values.values())

    def __len__(self):
        return len(self.values)

    def __getitem__(self, label):
        return self.values[label]


def test_a_column_without_a_label_0_is_answered_though_all_is_unknown(fitted):
    with pytest.warns(UserWarning, match="no token of 'xyz'"):
        assert len(fitted.predict(Column(["xyz", "zz"]))) == 2


def test_score_refuses_weights_that_are_not_one_a_pair(fitted):
    for weights in ([1.0], [0.0, 0.0], [1.0, float("nan")]):
        with pytest.raises(ValueError, match="sample_weight must be"):
            fitted.score(["ab", "a"], ["ba", "a"], sample_weight=weights)


def test_a_notebook_shows_attention_as_its_picture(fitted):
    shown = fitted.attention(["abc"])[0]
    picture = pyplot.imread(io.BytesIO(shown._repr_png_()))
    height, width, _ = picture.shape
    assert 150 < height < 1000 and 150 < width < 1000
    np.testing.assert_array_equal(picture[..., 3], 1.0)  # opaque, on any background
    assert not pyplot.get_fignums()
    empty = AttentionMap(np.ones((0, 1)), ["<end>"], [])
    assert empty._repr_png_() is None


def test_attention_takes_an_iterator(fitted):
    (weights, tokens, _), _ = fitted.attention(iter(["abc", "d"]))
    assert tokens == [*"abc", "<end>"] and weights.shape[1] == 4


def in_blocks_of(size, monkeypatch):
    monkeypatch.setattr(answer_stream, "SOURCES_A_BLOCK", size)
    monkeypatch.setattr(answer_stream, "BATCH_SIZE", size)


def test_a_stream_that_fails_is_answered_up_to_there(fitted, monkeypatch):
    in_blocks_of(4, monkeypatch)

    words = ["abcd", "", "b", "dd", "ca"]

    def sources():
        yield from words
        raise OSError("connection lost")

    answers = fitted.predict(sources())
    assert [next(answers) for _ in words] == fitted.predict(words)
    with pytest.raises(OSError, match="connection lost"):
        next(answers)


def test_what_is_wrong_in_a_stream_is_named_with_its_place(fitted, monkeypatch):
    in_blocks_of(4, monkeypatch)
    answers = fitted.predict(iter(["a"] * 5 + [None]))
    assert [next(answers) for _ in range(4)] == ["a"] * 4
    with pytest.raises(TypeError, match=r"the stream from source 4 on: .*X\[1\] is"):
        next(answers)


def test_a_stream_does_not_draw_the_same_block_by_block(fitted, monkeypatch):
    in_blocks_of(20, monkeypatch)
    estimator = copy.deepcopy(fitted).set_params(temperature=5.0)
    first = list(estimator.predict(iter(["abcd"] * 40)))
    assert first[:20] != first[20:]
    assert list(estimator.predict(iter(["abcd"] * 40))) == first


def test_threads_draw_what_the_seed_says(fitted):
    estimator = copy.deepcopy(fitted).set_params(temperature=5.0)
    expected = estimator.predict(["abcd"] * 20)
    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(estimator.predict, [["abcd"] * 20] * 12))
    assert answers == [expected] * 12


def test_a_stream_is_answered_as_it_comes(fitted, monkeypatch):
    in_blocks_of(4, monkeypatch)
    drawn = []

    def sources():
        for word in ["abcd", "", "b", "dd", "ca", "a"]:
            drawn.append(word)
            yield word

    answers = fitted.predict(sources())
    assert not drawn
    assert next(answers) == "dcba" and len(drawn) == 4
    assert list(answers) == fitted.predict(["", "b", "dd", "ca", "a"])


def test_a_language_never_seen_is_told(fitted):
    with pytest.warns(UserWarning, match="no token of 'где' .*was seen in training"):
        answers = fitted.predict(["где", "дом"])
    assert len(answers) == 2


def test_an_unknown_token_is_copied_from_where_attention_points():
    names = [f"n{i}" for i in range(40)]
    X = [f"{a} is {b}" for a, b in zip(names, reversed(names), strict=True)]
    estimator = small_estimator(
        source_tokenizer="whitespace",
        target_tokenizer="whitespace",
        min_frequency=10,
        bidirectional=False,
        epochs=60,
        learning_rate=0.02,
        validation_fraction=0,
        replace_unknown=True,
    )
    answers = estimator.fit(X, X).predict(X)
    for source, answer in zip(X, answers, strict=True):
        assert set(answer.split()) <= set(source.split())
    for source, answer, best in zip(
        X, answers, estimator.predict_n_best(X, 3), strict=True
    ):
        assert answer in [text for text, _ in best]
        for text, _ in best:
            assert set(text.split()) <= {*source.split(), "is"}
    assert list(estimator.predict_n_best(iter(X[:2]), 3)) == (
        estimator.predict_n_best(X[:2], 3)
    )
    plain = estimator.set_params(replace_unknown=False).predict(X)
    assert any("<unk>" in answer for answer in plain)


def test_an_empty_source_that_training_never_saw_gets_an_empty_answer(tmp_path):
    X, y = ["ab", "ba", "aab", "bba"] * 4, ["ba", "ab", "baa", "abb"] * 4
    estimator = Seq2SeqEstimator(units=8, epochs=1, random_state=0, min_length=1)
    loaded = load(estimator.fit(X, y).save(tmp_path / "never_empty.kseq2seq"))
    for fitted in (estimator, loaded):
        answers = fitted.predict(["", "ab", ""])
        assert (answers[0], answers[2]) == ("", "")
        assert answers[1:2] == fitted.predict(["ab"])
        assert fitted.predict([""]) == [""]
        assert list(fitted.predict(iter(["", ""]))) == ["", ""]
    nothing, something = estimator.predict_n_best(["", "ab"], 2)
    assert nothing == [("", 0.0)]
    assert len(something) == 2
    weights, tokens, _ = estimator.attention([""])[0]
    assert (weights.size, list(tokens)) == (0, []) or not weights.any()


def test_where_training_had_empty_sources_the_model_answers():
    X, y = ["ab", "", "aab", ""] * 4, ["ba", "ab", "baa", "abb"] * 4
    settings = {"units": 8, "epochs": 1, "random_state": 0, "min_length": 1}
    estimator = Seq2SeqEstimator(**settings, warm_start=True)
    assert estimator.fit(X, y).predict([""]) != [""]
    estimator.fit(X[::2], y[::2])  # what it has learned stays learned
    assert estimator.predict([""]) != [""]
    later = Seq2SeqEstimator(**settings).partial_fit(X[::2], y[::2])
    assert later.predict([""]) == [""]
    later.partial_fit(X, y)
    assert later.predict([""]) != [""]
