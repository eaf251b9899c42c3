import copy
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

import kseq2seq
from kseq2seq import Seq2SeqEstimator
from kseq2seq.answering import answer_stream
from kseq2seq.batching import close_and_pad
from kseq2seq.datasets import make_echo
from kseq2seq.training import FreeRunningValidation, forcing_probability
from kseq2seq.vocabulary import UNK, Vocabulary

SMALL = {
    "units": 8,
    "bidirectional": False,
    "epochs": 1,
    "batch_size": 16,
    "validation_fraction": 0.0,
    "random_state": 0,
}
X, Y = ["ab", "ba", "abb", "a"] * 4, ["x", "y", "xy", ""] * 4


def small(**parameters):
    return Seq2SeqEstimator(**{**SMALL, **parameters})


def test_keras_alone_loads_each_model_in_a_fresh_process(fitted, tmp_path):
    models = {**vars(fitted.models_), "generator": fitted.generator_}
    for name, model in models.items():
        model.save(tmp_path / f"{name}.keras")
    code = (
        "import keras, kseq2seq, numpy as np\n"
        f"for name in {[*models]}:\n"
        "    model = keras.models.load_model(name + '.keras')\n"
        "print(model.predict(np.array([[4, 5, 6, 3]]), verbose=0)['ids'].tolist())\n"
    )
    command = [sys.executable, "-c", code]
    shown = subprocess.run(
        command, capture_output=True, text=True, check=True, cwd=tmp_path
    ).stdout
    ids = fitted.generator_.predict(np.array([[4, 5, 6, 3]]), verbose=0)["ids"]
    assert shown.strip().splitlines()[-1] == str(ids.tolist())


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


def test_integer_rows_give_integer_rows_of_the_same_width():
    rows = np.random.default_rng(0).integers(0, 5, size=(64, 4))
    estimator = small(epochs=60, learning_rate=0.02, dropout=0.0, units=32)
    predictions = estimator.fit(rows, rows[:, :2]).predict(rows)
    assert predictions.shape == (64, 2) and predictions.dtype.kind == "i"
    assert (predictions == rows[:, :2]).mean() > 0.9
    assert estimator.predict([[1, 2, 3, 4, 0, 9]]).shape == (1, 2)


def test_token_lists_give_token_lists():
    X = [["one"], ["two", "one"]] * 8
    y = [["1"], ["2", "1"]] * 8
    estimator = small(epochs=40, learning_rate=0.03, dropout=0.0).fit(X, y)
    assert estimator.predict([["two", "one"]]) == [["2", "1"]]


def test_words_are_split_and_joined_by_the_tokenizers():
    estimator = small(source_tokenizer="word", target_tokenizer="whitespace")
    estimator.fit(["one, two", "two!"] * 4, ["1 2", "2"] * 4)
    assert "￭," in estimator.source_vocabulary_
    assert estimator.target_vocabulary_.tokens == ["2", "1"]


def test_subwords_are_learned_from_the_texts_and_kept(tmp_path):
    X, y = ["low lower", "newer, wider", "lowest"] * 8, ["a low", "a wider", "b"] * 8
    sizes = {"source_tokenizer": "bpe:280", "target_tokenizer": "unigram:270"}
    estimator = small(**sizes, epochs=40, learning_rate=0.03, dropout=0.0).fit(X, y)
    assert estimator.get_params()["source_tokenizer"] == "bpe:280"
    assert estimator.source_tokenizer_.get_vocab_size() <= 280
    assert estimator.predict(X[:3]) == y[:3]
    unseen = ["lowest, newer", "x ß"]
    kept = kseq2seq.load(estimator.save(tmp_path / "m.kseq2seq"))
    again = pickle.loads(pickle.dumps(estimator))
    assert kept.predict(unseen) == again.predict(unseen) == estimator.predict(unseen)


def test_texts_are_prepared_on_both_sides_and_measured_so(tmp_path):
    watch = FreeRunningValidation()
    estimator = small(
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
    always, never = small(min_frequency=8).fit(X, y), small().fit(X, y)
    assert UNK not in always._forbidden_ids and UNK in never._forbidden_ids


def test_unknown_tokens_raise_when_asked():
    estimator = small(unknown="error").fit(X, Y)
    with pytest.raises(ValueError, match=r"X\[1\]: the token 'q'"):
        estimator.predict(["ab", "aq"])


def test_the_same_seed_gives_the_same_weights_bit_for_bit():
    keras.utils.set_random_seed(1)
    first = small(epochs=2, recurrent_dropout=0.2).fit(X, Y)
    keras.utils.set_random_seed(2)
    state = np.random.get_state()[1].copy()
    second = small(epochs=2, recurrent_dropout=0.2).fit(X, Y)
    assert (np.random.get_state()[1] == state).all()
    for one, other in zip(
        first.models_.training.get_weights(),
        second.models_.training.get_weights(),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)
    third = small(epochs=2, random_state=1).fit(X, Y)
    assert first.history_["loss"] != third.history_["loss"]


@pytest.mark.slow
def test_a_refit_forgets_the_past():
    estimator = small().fit(["zz", "z"] * 8, ["q", "r"] * 8)
    again = estimator.fit(X, Y).models_.training.get_weights()
    fresh = small().fit(X, Y).models_.training.get_weights()
    for one, other in zip(again, fresh, strict=True):
        np.testing.assert_array_equal(one, other)
    assert "z" not in estimator.source_vocabulary_


def test_init_only_assigns_and_clone_keeps_every_parameter():
    values = {
        name: f"value of {name}" for name in Seq2SeqEstimator().get_params(deep=False)
    }
    estimator = Seq2SeqEstimator(**values)
    assert estimator.get_params(deep=False) == values
    copied = clone(estimator)
    assert copied.get_params(deep=False) == values
    assert copied.set_params(units=3).units == 3


def test_a_clone_is_not_fitted(fitted):
    with pytest.raises(NotFittedError):
        clone(fitted).predict(["ab"])


@pytest.mark.slow
def test_early_stopping_watches_the_held_back_part():
    estimator = small(epochs=300, patience=2, validation_fraction=0.25, dropout=0.9)
    estimator.fit(X, Y)
    losses = estimator.history_["val_loss"]
    assert len(losses) < 300
    assert min(losses) not in losses[-2:]


def test_validation_data_may_be_given():
    estimator = small(epochs=2).fit(X, Y, validation_data=(["ab"], ["x"]))
    assert len(estimator.history_["val_loss"]) == 2


def test_zero_weight_pairs_teach_nothing():
    X, y = ["a", "b"] * 16, ["x", "y"] * 16
    estimator = small(epochs=30, learning_rate=0.02, dropout=0.0)
    estimator.fit(X, y, sample_weight=[1.0, 0.0] * 16)
    assert estimator.predict(["a", "b"]) == ["x", "x"]


def test_a_kept_matrix_is_the_embedding():
    matrix = np.random.default_rng(0).normal(size=(6, 3)).astype("float32")
    estimator = small(source_embedding=matrix, freeze_embeddings=True).fit(X, Y)
    layer = estimator.models_.training.get_layer("source_embedding")
    np.testing.assert_array_equal(np.asarray(layer.embeddings), matrix)


def test_a_function_makes_callbacks_for_each_fit():
    estimator = small(callbacks=[lambda: FreeRunningValidation(["exact_match"])])
    estimator.set_params(validation_fraction=0.25, epochs=2)
    first = estimator.fit(X, Y).callbacks_[0]
    assert len(estimator.history_["val_exact_match"]) == 2
    assert estimator.fit(X, Y).callbacks_[0] is not first


def test_callbacks_are_copied_for_each_fit_and_can_be_read():
    class Counting(keras.callbacks.Callback):
        epochs = 0

        def on_epoch_end(self, epoch, logs=None):
            self.epochs += 1

    callback = Counting()
    estimator = small(epochs=3, callbacks=[callback]).fit(X, Y)
    assert callback.epochs == 0 and estimator.callbacks_[0].epochs == 3


@pytest.mark.parametrize("path", ["save", "pickle", "copy"])
def test_what_was_kept_answers_the_same(fitted, tmp_path, path):
    if path == "save":
        again = kseq2seq.load(fitted.save(tmp_path / "m.kseq2seq"))
    elif path == "pickle":
        again = pickle.loads(pickle.dumps(fitted))
    else:
        again = copy.deepcopy(fitted)
    words = ["abcd", "", "ddd", "xyz"]
    assert again.predict(words) == fitted.predict(words)
    assert str(again.get_params()) == str(fitted.get_params())
    assert again.history_ == fitted.history_


def test_a_fresh_process_answers_the_same(fitted, tmp_path):
    model, pickled = tmp_path / "m.kseq2seq", tmp_path / "m.pickle"
    fitted.save(model)
    pickled.write_bytes(pickle.dumps(fitted))
    code = (
        "import sys, pickle, pathlib, kseq2seq\n"
        "print(kseq2seq.load(sys.argv[1]).predict(['abcd', 'ca', '']))\n"
        "model = pickle.loads(pathlib.Path(sys.argv[2]).read_bytes())\n"
        "print(model.predict(['abcd', 'ca', '']))\n"
    )
    command = [sys.executable, "-c", code, str(model), str(pickled)]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert shown.splitlines() == [str(fitted.predict(["abcd", "ca", ""]))] * 2


@pytest.mark.slow
@pytest.mark.parametrize(
    "parameters",
    [
        {"cell": "gru", "num_layers": 2, "bidirectional": True},
        {"attention_kind": None, "encoder_units": 4},
        {"source_embedding": "one_hot", "target_embedding": np.ones((6, 2))},
        {"kernel_initializer": keras.initializers.HeNormal(), "optimizer": "sgd"},
        {"optimizer": keras.optimizers.RMSprop(0.01), "target_tokenizer": "word"},
        {"random_state": np.random.RandomState(0)},
    ],
    ids=["gru", "no attention", "embeddings", "initializer", "optimizer", "random"],
)
def test_every_setting_survives_the_model_file(parameters, tmp_path):
    estimator = small(**parameters).fit(X, Y)
    again = kseq2seq.load(estimator.save(tmp_path / "m.kseq2seq"))
    assert again.predict(X) == estimator.predict(X)
    for one, other in zip(
        again.models_.training.get_weights(),
        estimator.models_.training.get_weights(),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)


@pytest.mark.slow
def test_a_loaded_estimator_refits_like_the_first(tmp_path):
    estimator = small().fit(X, Y)
    again = kseq2seq.load(estimator.save(tmp_path / "m.kseq2seq")).fit(X, Y)
    assert again.history_ == estimator.history_


def test_code_of_your_own_is_refused_by_the_model_file_but_not_by_fit(tmp_path):
    estimator = small(source_tokenizer=(list, "".join)).fit(X, Y)
    with pytest.raises(TypeError, match="a model file holds no code"):
        estimator.save(tmp_path / "m.kseq2seq")
    assert not list(tmp_path.iterdir())


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


def test_attention_of_a_model_without_it_is_refused():
    with pytest.raises(ValueError, match="no attention. Fit one with attention_kind"):
        small(attention_kind=None).fit(X, Y).attention(["a"])


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"cell": "lsmt"}, "Did you mean 'lstm'"),
        (
            {"attention_kind": "dott"},
            "must be 'dot', .* or None; got 'dott'",
        ),
        (
            {"source_tokenizer": "chars"},
            "source_tokenizer .*Did you mean 'char'",
        ),
        ({"unknown": "unknown"}, "unknown must be 'unk' or 'error'"),
        ({"units": 0}, "units must be"),
        ({"epochs": 0}, "epochs must be"),
        ({"epochs": 1.5}, "epochs must be"),
        ({"batch_size": -1}, "batch_size must be"),
        ({"batch_size": 10**13}, "batch_size must be .* to 1000000"),
        ({"max_length": 0}, "max_length must be"),
        ({"min_frequency": 0}, "min_frequency must be"),
        ({"max_size": "many"}, "max_size must be"),
        ({"validation_fraction": 1.0}, "validation_fraction must be"),
        ({"label_smoothing": -0.1}, "label_smoothing must be"),
        ({"patience": 0}, "patience must be"),
        ({"optimizer": "adma"}, "Did you mean 'adam'"),
        ({"learning_rate": -1}, "learning_rate must be"),
        ({"clip_norm": 0}, "clip_norm must be"),
        ({"verbose": 5}, "verbose must be"),
        (
            {"callbacks": [dict]},
            "class 'dict'> returned {}",
        ),
        ({"callbacks": 3}, "callbacks must be"),
        ({"random_state": -1}, "random_state must be"),
        ({"source_embedding": np.ones((3, 2))}, r"shape \(6, width\)"),
        ({"bias_initializer": "zerros"}, "Did you mean 'zeros'"),
        ({"bias_initializer": "orthogonal"}, "fills an array of 1 dimensions"),
        ({"embeddings_initializer": "constant"}, "embeddings_initializer must be"),
        ({"max_length": 10**13}, "max_length must be a whole number from 1 to"),
        ({"source_tokenizer": (str.index, "".join)}, "the tokenizer failed on 'ab'"),
        ({"source_tokenizer": (lambda t: [1], "".join)}, "must return strings; for"),
        ({"decoder": "repet"}, "decoder must be .* got 'repet'. Did you mean 'repeat"),
        ({"reverse_source": 1}, "reverse_source must be True or False; got 1"),
        ({"teacher_forcing": 1.5}, "teacher_forcing must be .* at most 1; got 1.5"),
        ({"teacher_forcing": -0.5}, "teacher_forcing must be"),
        (
            {"teacher_forcing_schedule": "inverse_sigmod"},
            "teacher_forcing_schedule must be .*Did you mean 'inverse_sigmoid'",
        ),
        ({"tol": -0.1}, "tol must be a number of at least 0; got -0.1"),
        ({"tol": 0.0}, "tol=0 can never be reached: with label_smoothing=0.1"),
        ({"source_vocabulary": "a"}, r"X\[0\]: the token 'b' at position 1 is not in"),
        ({"target_vocabulary": ["x"]}, r"y\[1\]: the token 'y' at position 0"),
        ({"lowercase": "yes"}, "lowercase must be True or False"),
        ({"unicode_normalization": "NFX"}, "must be 'NFC', .* or None; got 'NFX'"),
        ({"source_vocabulary": 5}, r"vocabulary of X must be a list .* got 5 \(int\)"),
        ({"source_vocabulary": {"a", "b"}}, "vocabulary of X must be a list"),
        ({"target_vocabulary": [["x"]]}, "vocabulary of y must be a list"),
        ({"target_vocabulary": "xyx"}, "distinct; 'x' occurs twice"),
        ({"source_tokenizer": "bpe:999999999"}, "at most 1,000,000; got 'bpe:999"),
        ({"replace_unknown": True, "attention_kind": None}, "where attention points"),
        (
            {"replace_unknown": True, "target_tokenizer": "word"},
            "those of X are 'char' tokens and those of y 'word' tokens",
        ),
        (
            {"min_frequency": 99},
            "leaves no token of X, whose most frequent .* 16 times",
        ),
    ],
)
def test_bad_parameters_are_refused_before_a_model_is_built(
    parameters, message, monkeypatch
):
    monkeypatch.setattr(keras, "Model", None)
    with pytest.raises((ValueError, TypeError), match=message):
        small(**parameters).fit(X, Y)


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
    parameters = {n: more.pop(n) for n in [*more] if n in small().get_params()}
    with pytest.raises((ValueError, TypeError), match=message):
        small(**parameters).fit(X, y, **more)


def test_too_few_batches_for_one_update_are_told():
    with pytest.raises(ValueError, match="more than the 1 batches of this fit"):
        small(gradient_accumulation_steps=2).fit(X, Y)


def test_lists_of_the_search_are_saved(tmp_path):
    estimator = small(forbidden_tokens=["x"], target_tokenizer="whitespace")
    estimator.fit(X, Y).save(tmp_path / "m")
    assert kseq2seq.load(tmp_path / "m").forbidden_tokens == ["x"]


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


def test_a_whole_learning_rate_is_a_number():
    assert small(learning_rate=1, clip_norm=np.float32(1)).fit(X, Y).predict(X)


def test_score_refuses_weights_that_are_not_one_a_pair(fitted):
    for weights in ([1.0], [0.0, 0.0], [1.0, float("nan")]):
        with pytest.raises(ValueError, match="sample_weight must be"):
            fitted.score(["ab", "a"], ["ba", "a"], sample_weight=weights)


def test_a_fit_that_fails_while_it_trains_keeps_the_fitted_model():
    class Failing(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise RuntimeError("disk full")

    estimator = small().fit(X, Y)
    before = estimator.predict(X)
    estimator.set_params(callbacks=[Failing()])
    with pytest.raises(RuntimeError, match="disk full"):
        estimator.fit(["q", "r"], ["s", "t"])
    assert estimator.predict(X) == before


def test_a_refused_refit_keeps_the_fitted_model():
    estimator = small().fit(X, Y)
    before = estimator.predict(X)
    with pytest.raises(ValueError):
        estimator.fit(["a"], ["b", "c"])
    with pytest.raises(ValueError):
        estimator.set_params(cell="lsmt").fit(["other", "tokens"], ["1", "2"])
    assert estimator.set_params(cell="lstm").predict(X) == before


def test_parameters_set_after_a_fit_wait_for_the_next(tmp_path):
    estimator = small().fit(X, Y)
    before = estimator.predict(X)
    estimator.set_params(units=5, attention_kind=None)
    assert estimator.attention(["ab"])
    assert pickle.loads(pickle.dumps(estimator)).predict(X) == before
    assert kseq2seq.load(estimator.save(tmp_path / "m")).predict(X) == before


def test_one_pair_is_enough_to_fit():
    assert small(validation_fraction=0.1).fit(["a"], ["b"]).predict(["a"])


@pytest.fixture(scope="module")
def backwards():
    """An estimator that reads sources from their end and says their first letters."""
    rng = np.random.default_rng(1)
    X = ["".join(rng.choice(list("abc"), size=1 + i % 5)) for i in range(160)]
    estimator = small(
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


def test_a_decoder_that_repeats_learns_to_echo(tmp_path):
    X, y = make_echo(300, n_in=4, n_out=2, n_values=5, random_state=0)
    estimator = small(
        decoder="repeat",
        attention_kind=None,
        units=48,
        dropout=0.0,
        learning_rate=0.02,
        epochs=25,
        label_smoothing=0.0,
    )
    estimator.fit(X, y)
    new_X, new_y = make_echo(100, n_in=4, n_out=2, n_values=5, random_state=1)
    assert estimator.score(new_X, new_y) > 0.8  # chance is 1 in 25
    assert not any(
        "target_embedding" in w.path for w in estimator.models_.decoder.weights
    )
    again = kseq2seq.load(estimator.save(tmp_path / "m.kseq2seq"))
    np.testing.assert_array_equal(again.predict(new_X), estimator.predict(new_X))


def test_training_stops_at_a_loss_that_is_low_enough():
    settings = {"learning_rate": 0.03, "dropout": 0.0, "label_smoothing": 0.0}
    estimator = small(epochs=300, tol=0.1, **settings).fit(X, Y)
    losses = estimator.history_["loss"]
    assert losses[-1] <= 0.1 < min(losses[:-1])


@pytest.mark.parametrize("schedule", ["constant", "linear"])
def test_it_learns_with_less_teacher_forcing(schedule):
    estimator = small(
        units=24,
        epochs=40,
        learning_rate=0.02,
        dropout=0.0,
        teacher_forcing=0.5,
        teacher_forcing_schedule=schedule,
        label_smoothing=0.0,
    )
    estimator.fit(X, Y)
    assert estimator.predict(["ab", "ba", "abb", "a"]) == ["x", "y", "xy", ""]
    assert estimator.history_["teacher_forcing"] == pytest.approx(
        [forcing_probability(i, 40, start=0.5, schedule=schedule) for i in range(40)]
    )


def test_teacher_forcing_is_the_same_for_the_same_seed_and_can_be_kept(tmp_path):
    first, second, plain = (
        small(epochs=2, teacher_forcing=probability).fit(X, Y)
        for probability in (0.3, 0.3, 1.0)
    )
    for one, other in zip(
        first.models_.training.get_weights(),
        second.models_.training.get_weights(),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)
    assert first.history_["loss"] != plain.history_["loss"]
    assert "teacher_forcing" not in plain.history_
    again = kseq2seq.load(first.save(tmp_path / "m.kseq2seq"))
    assert again.teacher_forcing == 0.3 and again.predict(X) == first.predict(X)
    assert pickle.loads(pickle.dumps(first)).predict(X) == first.predict(X)


@pytest.mark.parametrize(
    ("given", "tokens"),
    [
        ("bca", ["b", "c", "a"]),
        (["b", "a", "zz"], ["b", "a", "zz"]),
        (("b", "a"), ["b", "a"]),
        (np.array(["b", "a"]), ["b", "a"]),
        (Vocabulary(["b", "a"]), ["b", "a"]),
    ],
    ids=["str", "list", "tuple", "array", "Vocabulary"],
)
def test_a_given_vocabulary_is_used_and_kept(given, tokens, tmp_path):
    estimator = small(source_vocabulary=given).fit(X, Y)
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
    estimator = small(source_vocabulary=range(5), target_vocabulary=np.arange(3))
    estimator.fit(X, y)
    assert estimator.source_vocabulary_.tokens == [0, 1, 2, 3, 4]
    assert set(np.unique(estimator.predict([[4, 3, 0]]))) <= {0, 1, 2}


def test_parameters_of_the_search_shape_answers_after_a_fit(fitted):
    estimator = copy.deepcopy(fitted)
    greedy = estimator.predict(["abc", "d"])
    estimator.set_params(beam_size=4)
    assert estimator.predict(["abc", "d"]) == greedy == ["cba", "d"]
    estimator.set_params(beam_size=1, forced_prefix="dd")
    assert all(answer.startswith("dd") for answer in estimator.predict(["abc", ""]))
    estimator.set_params(forced_prefix=None, forbidden_tokens="ca")
    assert not set("ca") & set("".join(estimator.predict(["abc", "aaa"])))
    estimator.set_params(forbidden_tokens=None, min_length=4)
    assert len(estimator.predict(["a"])[0]) >= 4
    estimator.set_params(no_repeat_ngram_size=1)
    (answer,) = estimator.predict(["a"])
    assert len(set(answer)) == len(answer) >= 4
    estimator.set_params(no_repeat_ngram_size=0, min_length=0)
    assert estimator.predict(["abc", "d"]) == greedy


def test_drawn_answers_are_seeded(fitted):
    estimator = copy.deepcopy(fitted).set_params(temperature=5.0)
    drawn = estimator.predict(["abcd"] * 40)
    assert len(set(drawn)) > 10
    assert estimator.predict(["abcd"] * 40) == drawn
    assert estimator.set_params(random_state=1).predict(["abcd"] * 40) != drawn
    estimator.set_params(top_k=1)
    assert set(estimator.predict(["abcd"] * 40)) == {"dcba"}


def test_the_best_answers_come_with_scores_best_first(fitted):
    answers = fitted.predict_n_best(["ab", "dca"], 3)
    assert [row[0].answer for row in answers] == ["ba", "acd"]
    for row in answers:
        scores = [hypothesis.score for hypothesis in row]
        assert scores == sorted(scores, reverse=True) and scores[0] <= 0
        assert len({hypothesis.answer for hypothesis in row}) == 3
    for wrong in (0, 50, 1.5):
        with pytest.raises((ValueError, TypeError), match="n must be a whole number"):
            fitted.predict_n_best(["ab"], wrong)


def test_the_best_answers_need_a_beam(fitted):
    estimator = copy.deepcopy(fitted).set_params(beam_size="a")
    with pytest.raises(TypeError, match="beam_size must be a whole number"):
        estimator.predict_n_best(["ab"], 2)
    estimator.set_params(beam_size=1, temperature=1.0)
    with pytest.raises(ValueError, match=r"set_params\(temperature=None\)"):
        estimator.predict_n_best(["ab"], 2)


def test_a_search_that_cannot_be_is_not_saved(fitted, tmp_path):
    estimator = copy.deepcopy(fitted).set_params(beam_size="a")
    with pytest.raises(TypeError, match="beam_size must be a whole number"):
        estimator.save(tmp_path / "m.kseq2seq")
    assert not list(tmp_path.iterdir())


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


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"beam_size": 0}, "beam_size must be"),
        ({"beam_size": 9}, "beam_size must be at most .* ids to choose from; got 9"),
        ({"length_penalty": "long"}, "length_penalty must be a number"),
        ({"length_penalty": float("nan")}, "length_penalty must be a number"),
        ({"coverage_penalty": -1}, "coverage_penalty must be a number of at least 0"),
        ({"temperature": 1.0, "top_p": 0.0}, "top_p must be"),
        ({"temperature": 1.0, "top_p": 1.5}, "top_p must be"),
        ({"temperature": 1.0, "top_k": 0}, "top_k must be"),
        ({"temperature": 0}, "temperature must be"),
        ({"temperature": 1.0, "beam_size": 2}, "beam_size"),
        ({"top_k": 3}, "top_k"),
        ({"length_penalty": 3000.0, "beam_size": 2}, "at most 100; got 3000"),
        (
            {"coverage_penalty": 10**400, "beam_size": 2},
            "at most 100; got 1000.* charac",
        ),
        ({"temperature": 1e40}, "temperature must be .* below 1000; got 1e"),
        ({"forced_prefix": "az"}, "forced_prefix holds 'z', which is none of the 4"),
        ({"forced_prefix": 3}, r"forced_prefix must be the beginning .* got 3 \(int\)"),
        ({"forced_prefix": "abcd" * 9}, "forced_prefix must be at most max_length="),
        ({"forbidden_tokens": "xyz"}, "forbidden_tokens holds 'x', which is none"),
        ({"forbidden_tokens": iter("a")}, "forbidden_tokens must be a list of tokens"),
        ({"forbidden_tokens": [["a"]]}, "forbidden_tokens must be a list of tokens"),
        ({"forbidden_tokens": 5}, r"forbidden_tokens must be .* got 5 \(int\)"),
        ({"min_length": 99}, "min_length must be a whole number from 0 to 7; got 99"),
        ({"no_repeat_ngram_size": -1}, "no_repeat_ngram_size must be"),
    ],
)
def test_a_search_that_cannot_be_is_refused_and_spoils_nothing(
    fitted, parameters, message
):
    estimator = copy.deepcopy(fitted).set_params(**parameters)
    with pytest.raises((ValueError, TypeError), match=message):
        estimator.predict(["ab"])
    before = {name: getattr(fitted, name) for name in parameters}
    assert estimator.set_params(**before).predict(["ab"]) == ["ba"]


def test_a_language_never_seen_is_told():
    estimator = small().fit(X, Y)
    with pytest.warns(UserWarning, match="no token of 'где' .*was seen in training"):
        answers = estimator.predict(["где", "дом"])
    assert len(answers) == 2


def test_one_vocabulary_may_serve_both_sides():
    X, y = ["ab", "ba", "aab"] * 4, ["xa", "xb", "xab"] * 4
    estimator = small(shared_vocabulary=True, epochs=1, reverse_source=True)
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
    estimator = small(shared_vocabulary=True, **changes)
    with pytest.raises((ValueError, TypeError), match=match):
        estimator.fit(X * 8, ["ab"] * 8)


def test_an_unknown_token_is_copied_from_where_attention_points():
    names = [f"n{i}" for i in range(40)]
    X = [f"{a} is {b}" for a, b in zip(names, reversed(names), strict=True)]
    estimator = small(
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
    plain = estimator.set_params(replace_unknown=False).predict(X)
    assert any("<unk>" in answer for answer in plain)


def test_training_may_stop_by_decoded_answers():
    X = ["ab", "ba", "aab", "bba"] * 8
    estimator = small(
        early_stopping_metric="edit_distance", patience=1, epochs=30, learning_rate=0.01
    )
    with pytest.raises(ValueError, match="'edit_distance' needs validation pairs"):
        estimator.fit(X, X)
    estimator.fit(X, X, validation_data=(X[:4], X[:4]))
    values = estimator.history_["val_edit_distance"]
    if len(values) < 30:
        assert min(values) == values[-2]


def test_replacing_unknown_tokens_needs_attention():
    estimator = small(attention_kind=None, epochs=1).fit(["ab"] * 4, ["b"] * 4)
    with pytest.raises(ValueError, match="replace_unknown=True needs attention"):
        estimator.set_params(replace_unknown=True).predict(["ab"])
