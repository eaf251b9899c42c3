"""Parameters of an estimator: how they are kept, and which are refused."""

import copy
import pickle

import keras
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from strategies import X, Y, small_estimator

import kseq2seq
from kseq2seq import Seq2SeqEnsemble, Seq2SeqEstimator


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


def test_a_kept_matrix_is_the_embedding():
    matrix = np.random.default_rng(0).normal(size=(6, 3)).astype("float32")
    estimator = small_estimator(source_embedding=matrix, freeze_embeddings=True).fit(
        X, Y
    )
    layer = estimator.models_.training.get_layer("source_embedding")
    np.testing.assert_array_equal(np.asarray(layer.embeddings), matrix)


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
        (
            {"source_vocabulary": "a", "unknown": "error"},
            r"X\[0\]: the token 'b' at position 1 is not in",
        ),
        (
            {"target_vocabulary": ["x"], "unknown": "error"},
            r"y\[1\]: the token 'y' at position 0",
        ),
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
        small_estimator(**parameters).fit(X, Y)


def test_too_few_batches_for_one_update_are_told():
    with pytest.raises(ValueError, match="more than the 1 batches of this fit"):
        small_estimator(gradient_accumulation_steps=2).fit(X, Y)


def test_a_whole_learning_rate_is_a_number():
    assert (
        small_estimator(learning_rate=1, clip_norm=np.float32(1)).fit(X, Y).predict(X)
    )


def test_parameters_set_after_a_fit_wait_for_the_next(fitted, tmp_path):
    estimator = copy.deepcopy(fitted)
    before = estimator.predict(X)
    estimator.set_params(units=5, attention_kind=None)
    assert estimator.attention(["ab"])
    assert pickle.loads(pickle.dumps(estimator)).predict(X) == before
    assert kseq2seq.load(estimator.save(tmp_path / "m")).predict(X) == before


class Passing(Seq2SeqEstimator):
    """Passes on what it does not know, with another default."""

    def __init__(self, *, name="none", units=5, **others):
        super().__init__(units=units, **others)
        self.name = name


class Naming(Seq2SeqEstimator):
    """Takes one parameter alone."""

    def __init__(self, *, units=5):
        super().__init__(units=units)


def test_clones_of_subclasses_keep_what_their_constructors_pass_on():
    estimator = Passing(name="mine", dropout=0.5).set_params(batch_size=7)
    parameters = Seq2SeqEstimator(units=5, dropout=0.5, batch_size=7).get_params()
    assert clone(estimator).get_params() == {**parameters, "name": "mine"}
    assert Naming().get_params() == {"units": 5}
    assert clone(Naming(units=6)).units == 6
    with pytest.raises(ValueError, match="Naming has no parameter 'random_state'"):
        Seq2SeqEnsemble(Naming(), 2, random_state=0).fit(X, Y)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"unit": 3}, "Seq2SeqEstimator has no parameter 'unit'. Did you mean 'units'"),
        ({"units__x": 3}, "'units__x' names a parameter of units, and units is 8, "),
        ({"x" * 999: 3}, r"has no parameter 'x{56}\.\.\.\.$"),
    ],
)
def test_set_params_says_which_names_it_does_not_know(parameters, message):
    estimator = small_estimator(units=8)
    with pytest.raises(ValueError, match=message):
        estimator.set_params(dropout=0.9, **parameters)
    assert estimator.dropout != 0.9
