"""What an estimator learns from: kinds of values, tokens, vocabularies, bad data."""

import pickle

import keras
import numpy as np
import pytest
from scipy.sparse import eye_array
from sklearn.base import clone
from strategies import X, Y, small_estimator

import kseq2seq
from kseq2seq.datasets import make_echo
from kseq2seq.training import FreeRunningValidation
from kseq2seq.vocabulary import UNK, Vocabulary


def test_integer_rows_give_integer_rows_of_the_same_width():
    rows = np.random.default_rng(0).integers(0, 5, size=(64, 4))
    estimator = small_estimator(epochs=60, learning_rate=0.02, dropout=0.0, units=32)
    predictions = estimator.fit(rows, rows[:, :2]).predict(rows)
    assert predictions.shape == (64, 2) and predictions.dtype.kind == "i"
    assert (predictions == rows[:, :2]).mean() > 0.9
    assert estimator.predict([[1, 2, 3, 4, 0, 9]]).shape == (1, 2)


def test_token_lists_give_token_lists():
    X = [["one"], ["two", "one"]] * 8
    y = [["1"], ["2", "1"]] * 8
    estimator = small_estimator(epochs=40, learning_rate=0.03, dropout=0.0).fit(X, y)
    assert estimator.predict([["two", "one"]]) == [["2", "1"]]


def test_words_are_split_and_joined_by_the_tokenizers():
    estimator = small_estimator(source_tokenizer="word", target_tokenizer="whitespace")
    estimator.fit(["one, two", "two!"] * 4, ["1 2", "2"] * 4)
    assert "￭," in estimator.source_vocabulary_
    assert estimator.target_vocabulary_.tokens == ["2", "1"]


def test_subwords_are_learned_from_the_texts_and_kept(tmp_path):
    X, y = ["low lower", "newer, wider", "lowest"] * 8, ["a low", "a wider", "b"] * 8
    sizes = {"source_tokenizer": "bpe:280", "target_tokenizer": "unigram:270"}
    estimator = small_estimator(
        **sizes, epochs=40, learning_rate=0.03, dropout=0.0
    ).fit(X, y)
    assert estimator.get_params()["source_tokenizer"] == "bpe:280"
    assert estimator.source_tokenizer_.get_vocab_size() <= 280
    assert estimator.predict(X[:3]) == y[:3]
    unseen = ["lowest, newer", "x ß"]
    kept = kseq2seq.load(estimator.save(tmp_path / "m.kseq2seq"))
    again = pickle.loads(pickle.dumps(estimator))
    assert kept.predict(unseen) == again.predict(unseen) == estimator.predict(unseen)


def test_texts_are_prepared_on_both_sides_and_measured_so(tmp_path):
    watch = FreeRunningValidation()
    estimator = small_estimator(
        lowercase=True,
        unicode_normalization="NFC",
        epochs=30,
        learning_rate=0.03,
        dropout=0.0,
        callbacks=[watch],
    )
    X, y = ["Ab", "bA", "e\u0301"] * 8, ["X", "y", "E\u0301"] * 8
    estimator.fit(X, y, validation_data=(X[:3], y[:3]))
    assert estimator.source_vocabulary_.tokens == ["a", "b", "\u00e9"]
    assert estimator.predict(["AB", "ba", "\u00c9"]) == ["x", "y", "\u00e9"]
    assert estimator.score(X, y) == 1 == estimator.history_["val_exact_match"][-1]
    kept = kseq2seq.load(estimator.save(tmp_path / "m.kseq2seq"))
    assert kept.score(X, y) == 1


def test_unk_is_no_answer_unless_training_showed_it():
    X, y = ["a", "b"] * 8, ["ab", "ab", "ac", "b"] * 4
    always, never = (
        small_estimator(min_frequency=8).fit(X, y),
        small_estimator().fit(X, y),
    )
    assert UNK not in always._forbidden_ids and UNK in never._forbidden_ids


def test_unknown_tokens_raise_when_asked():
    estimator = small_estimator(unknown="error").fit(X, Y)
    with pytest.raises(ValueError, match=r"X\[1\]: the token 'q'"):
        estimator.predict(["ab", "aq"])


def test_zero_weight_pairs_teach_nothing():
    X, y = ["a", "b"] * 16, ["x", "y"] * 16
    estimator = small_estimator(epochs=30, learning_rate=0.02, dropout=0.0)
    estimator.fit(X, y, sample_weight=[1.0, 0.0] * 16)
    assert estimator.predict(["a", "b"]) == ["x", "x"]


@pytest.mark.parametrize(
    ("X", "y", "more", "message"),
    [
        ([], [], {}, "X is empty"),
        (["a"], [], {}, "y is empty"),
        (["a", "b"], ["c"], {}, "got 2 in X and 1 in y"),
        (["a", None], ["b", "c"], {}, r"X\[1\] is None"),
        (["a", "b"], ["c", float("nan")], {}, r"y\[1\] is nan"),
        ("ab", ["c", "d"], {}, "For a single one pass a list"),
        (["a"], ["b"], {"sample_weight": [1, 2]}, r"shape \(1,\).*got \(2,\)"),
        (["a"], ["b"], {"sample_weight": [-1.0]}, "sample_weight must be from 0"),
        (["a"], ["b"], {"sample_weight": ["x"]}, "sample_weight must be"),
        (["a"], ["b"], {"sample_weight": [3e38]}, "sample_weight must be from 0 to"),
        (["a"], ["b"], {"sample_weight": ["1"]}, "sample_weight must be numbers"),
        (["a"], ["b"], {"sample_weight": np.ones(1) + 1j}, "weight must be numbers"),
        (
            eye_array(1),
            ["b"],
            {"sample_weight": [1.0]},
            "got a sparse dia_array. Pass X.toarray",
        ),
        (
            ["a"],
            eye_array(1),
            {"sample_weight": [1.0]},
            "got a sparse dia_array. Pass y.toarray",
        ),
        (
            ["a", "b"],
            ["b", "c"],
            {"sample_weight": np.ma.masked_array([1.0, 2.0], [0, 1])},
            r"sample_weight\[1\] is masked.*filled\(value\)",
        ),
        (
            np.ma.masked_array([[1, 2], [3, 4]], [[0, 0], [0, 1]]),
            [[1], [2]],
            {},
            r"X\[1, 1\] is masked.*filled\(value\)",
        ),
        (["a"], np.array([[2**63]], np.uint64), {}, r"y\[0\] holds 922.*from -2\*\*63"),
        (["a"], ["b"], {"validation_data": (["a"],)}, r"must be a pair \(X, y\)"),
        (["a"], ["b"], {"validation_data": (["a"], ["b", "c"])}, "got 1 in X and 2"),
        (["a"], ["b"], {"validation_data": ([1], [2])}, r"X\[0\] is 1"),
        (
            ["a", "b\ud800"],
            ["b", "c"],
            {"source_tokenizer": "bpe:300"},
            r"X\[1\] holds half a surrogate pair, '\\ud800' at position 1",
        ),
        (
            ["a"],
            [["b"]],
            {"early_stopping_metric": "bleu"},
            "where y holds no texts, must be .*; got 'bleu'",
        ),
        (
            [[1], [2, 3]],
            [["b"], ["c"]],
            {"shared_vocabulary": True},
            r"tokens of one kind, on both sides; .* \[1\].*\['b'\]",
        ),
    ],
)
def test_bad_data_is_refused_before_a_model_is_built(X, y, more, message, monkeypatch):
    monkeypatch.setattr(keras, "Model", None)
    parameters = {
        n: more.pop(n) for n in [*more] if n in small_estimator().get_params()
    }
    with pytest.raises((ValueError, TypeError), match=message):
        small_estimator(**parameters).fit(X, y, **more)


def test_one_pair_is_enough_to_fit():
    assert small_estimator(validation_fraction=0.1).fit(["a"], ["b"]).predict(["a"])


@pytest.mark.parametrize(
    ("given", "tokens"),
    [
        ("bca", ["b", "c", "a"]),
        (["b", "a", "zz"], ["b", "a", "zz"]),
        (("b", "a"), ["b", "a"]),
        (np.array(["b", "a"]), ["b", "a"]),
        (np.array(["b", "a"], dtype=object), ["b", "a"]),
        (Vocabulary(["b", "a"]), ["b", "a"]),
    ],
    ids=["str", "list", "tuple", "array", "object array", "Vocabulary"],
)
def test_a_given_vocabulary_is_used_and_kept(given, tokens, tmp_path):
    estimator = small_estimator(source_vocabulary=given, attention_kind=None).fit(X, Y)
    assert estimator.source_vocabulary_.tokens == tokens
    assert estimator.models_.encoder.get_layer("source_embedding").input_dim == (
        4 + len(tokens)
    )
    for again in (
        kseq2seq.load(estimator.save(tmp_path / "m.kseq2seq")),
        pickle.loads(pickle.dumps(estimator)),
    ):
        assert again.source_vocabulary_.tokens == tokens
        assert again.predict(X) == estimator.predict(X)
        copied = clone(again)
        assert list(copied.source_vocabulary) == tokens
    assert clone(estimator).source_vocabulary is not None


def test_given_integers_are_a_vocabulary():
    X, y = make_echo(20, n_in=3, n_out=2, n_values=3, random_state=0)
    estimator = small_estimator(
        source_vocabulary=range(5), target_vocabulary=np.arange(3)
    )
    estimator.fit(X, y)
    assert estimator.source_vocabulary_.tokens == [0, 1, 2, 3, 4]
    assert set(np.unique(estimator.predict([[4, 3, 0]]))) <= {0, 1, 2}


def test_one_vocabulary_may_serve_both_sides():
    X, y = ["ab", "ba", "aab"] * 4, ["xa", "xb", "xab"] * 4
    estimator = small_estimator(shared_vocabulary=True, epochs=1, reverse_source=True)
    estimator.fit(X, y)
    assert estimator.source_vocabulary_.tokens == estimator.target_vocabulary_.tokens
    assert set(estimator.source_vocabulary_.tokens) == set("abx")
    assert estimator._source.encode(["ab"]).tolist() == [
        estimator.target_vocabulary_.encode("ba")
    ]


@pytest.mark.parametrize(
    ("changes", "X", "match"),
    [
        ({"target_tokenizer": "word"}, ["a b"], "needs the same tokenizer"),
        ({"source_vocabulary": "ab"}, ["ab"], "source_vocabulary is given"),
        ({}, [["a", "b"]], "of one kind, on both sides; got token lists"),
    ],
)
def test_what_cannot_share_a_vocabulary_is_told(changes, X, match):
    estimator = small_estimator(shared_vocabulary=True, **changes)
    with pytest.raises((ValueError, TypeError), match=match):
        estimator.fit(X * 8, ["ab"] * 8)
