"""Fits that start from what an earlier one has learned."""

import copy
import pickle
import warnings

import keras
import numpy as np
import pytest
from strategies import LABELS, X, Y, scatter_weights, small_classifier, small_estimator

import kseq2seq
from kseq2seq import Seq2SeqEstimator, SequenceClassifier, SequenceRegressor, load
from kseq2seq.training.optimizer_state import OptimizerState

FRAMES = np.random.default_rng(0).normal(size=(len(X), 6, 2))
SIZES = {"batch_size": len(X), "epochs": 2, "dropout": 0.0}


def answering(**parameters):
    return small_estimator(**{**SIZES, **parameters}), Y


def classifying(**parameters):
    return small_classifier(**{**SIZES, **parameters}), LABELS


BOTH = pytest.mark.parametrize(
    "make", [answering, pytest.param(classifying, marks=pytest.mark.slow)]
)


def weights(estimator):
    return [np.array(weight) for weight in estimator._network.get_weights()]


def assert_same(one, other, rtol=0.0):
    for a, b in zip(one, other, strict=True):
        np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol)


class Fails(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        raise RuntimeError("the power is gone")


@pytest.fixture(scope="module")
def one_pass_of_texts():
    return answering()[0].partial_fit(X, Y)


@BOTH
def test_a_fit_forgets_and_a_warm_one_goes_on(make):
    estimator, y = make(optimizer=keras.optimizers.SGD(0.5))
    first = estimator.fit(X, y).history_["loss"]
    assert estimator.fit(X, y).history_["loss"] == first
    estimator.set_params(warm_start=True)
    assert estimator.fit(X, y).history_["loss"][0] < first[-1]


def test_after_a_pass_answers_come_from_what_is_traced_and_have_its_weights():
    estimator = answering()[0].fit(X, Y)
    traced, before = estimator.generator_, estimator.log_prob(X, Y)
    estimator.partial_fit(X, Y)
    assert estimator.generator_ is traced
    learned = estimator.log_prob(X, Y)
    assert (learned != before).any()
    np.testing.assert_array_equal(learned, copy.deepcopy(estimator).log_prob(X, Y))
    longer = [y * 3 for y in Y]
    estimator.partial_fit(X, longer)
    assert estimator.generator_ is not traced
    assert estimator.max_length_ > max(map(len, Y)) + 1
    again = copy.deepcopy(estimator)
    assert list(again.predict(X)) == list(estimator.predict(X))


@pytest.mark.parametrize(
    ("kind", "data", "traced", "answer"),
    [
        (SequenceClassifier, (X, LABELS), "_probability_model", "predict_proba"),
        (SequenceRegressor, (FRAMES, FRAMES[:, :2]), "_generator", "predict"),
    ],
)
def test_after_a_pass_so_do_probabilities_and_values(kind, data, traced, answer):
    estimator = kind(units=6, random_state=0, **SIZES).fit(*data)
    model, before = getattr(estimator, traced), getattr(estimator, answer)(data[0])
    estimator.partial_fit(*data)
    assert getattr(estimator, traced) is model
    learned = getattr(estimator, answer)(data[0])
    assert (learned != before).any()
    copied = copy.deepcopy(estimator)
    np.testing.assert_array_equal(learned, getattr(copied, answer)(data[0]))


def rates_of_dropout(estimator):
    layers = estimator.models_.training.layers
    return {layer.rate for layer in layers if hasattr(layer, "rate")}


def test_what_suited_the_first_data_stays(tmp_path, monkeypatch):
    """The share that is dropped, where it was left to the number of pairs."""
    estimator = small_estimator().fit(X, Y)
    assert estimator.dropout_ == 0.5 and rates_of_dropout(estimator) == {0.5}
    path = estimator.save(tmp_path / "m.kseq2seq", include_optimizer=True)
    loaded = load(path)
    pickled = pickle.loads(pickle.dumps(estimator))
    assert loaded.dropout is None
    monkeypatch.setattr("kseq2seq.estimators.settings._MANY_PAIRS", len(X))
    for fitted in (estimator, loaded, pickled):
        fitted.partial_fit(X, Y)
        assert fitted.dropout_ == 0.5 and rates_of_dropout(fitted) == {0.5}
    assert_same(weights(loaded), weights(estimator))
    loaded.set_params(warm_start=True, extend_vocabulary=True).fit(["c", *X], ["z", *Y])
    assert rates_of_dropout(loaded) == {0.5}
    assert rates_of_dropout(estimator.fit(X, Y)) == {0.1}
    with pytest.raises(ValueError, match=r"dropout was None and is 0\.4"):
        estimator.set_params(dropout=0.4).partial_fit(X, Y)


@BOTH
def test_so_many_passes_are_a_fit_of_so_many_epochs(make):
    """Momentum and all: with one batch an epoch only the optimizer's state counts."""
    whole, y = make(optimizer=keras.optimizers.Adam(0.05), epochs=3)
    passes, _ = make(optimizer=keras.optimizers.Adam(0.05), epochs=3)
    whole.fit(X, y)
    for _ in range(3):
        passes.partial_fit(X, y)
    assert_same(weights(passes), weights(whole), rtol=1e-4)
    assert len(passes.history_["loss"]) == 1
    assert passes.get_params() | {"optimizer": 0} == whole.get_params() | {
        "optimizer": 0
    }


def test_passes_go_on_in_a_copy_and_at_another_rate():
    estimator, y = answering(learning_rate=0.03)
    loss = estimator.fit(X, y).history_["loss"][0]
    again = copy.deepcopy(estimator).partial_fit(X, y)
    assert again.history_["loss"][0] < loss
    before = weights(again)
    assert_same(
        weights(again.set_params(learning_rate=1e-9).partial_fit(X, y)), before, 1e-6
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("source_tokenizer", "whitespace"),
        ("target_tokenizer", "whitespace"),
        ("shared_vocabulary", True),
        ("reverse_source", True),
        ("lowercase", True),
        ("unicode_normalization", "NFD"),
        ("unknown", "error"),
    ],
)
def test_data_are_read_as_at_the_first_fit(name, value, one_pass_of_texts, tmp_path):
    estimator = copy.deepcopy(one_pass_of_texts)
    before, answers = weights(estimator), list(estimator.predict(X))
    with pytest.raises(ValueError, match=f"{name} was .* and is .*Set it back"):
        estimator.set_params(**{name: value}).partial_fit(X, Y)
    assert_same(weights(estimator), before)
    assert list(estimator.predict(X)) == answers
    again = load(estimator.save(tmp_path / "model.kseq2seq"))
    assert getattr(again, name) == getattr(one_pass_of_texts, name)
    again.partial_fit(X, Y)


def test_pickles_from_before_go_on(one_pass_of_texts):
    state = one_pass_of_texts.__getstate__()
    del state["_read_with"]
    old = Seq2SeqEstimator.__new__(Seq2SeqEstimator)
    old.__setstate__(state)
    assert old.partial_fit(X, Y)._read_with == one_pass_of_texts._read_with


def test_a_warm_fit_that_fails_leaves_what_was_learned():
    estimator, y = answering(warm_start=True)
    before = weights(estimator.fit(X, y))
    answers = estimator.predict(X)
    history = estimator.history_
    estimator.set_params(callbacks=[Fails()])
    for fit in (estimator.fit, estimator.partial_fit):
        with pytest.raises(RuntimeError, match="power"):
            fit(X, y)
        assert_same(weights(estimator), before)
        assert estimator.history_ == history
        assert list(estimator.predict(X)) == list(answers)
    assert estimator.epochs == 2 and estimator.validation_fraction == 0.0


@BOTH
def test_other_models_cannot_be_gone_on_with(make):
    estimator, y = make(warm_start=True)
    estimator.fit(X, y).set_params(units=16)
    with pytest.raises(ValueError, match="units was 8 and is 16"):
        estimator.fit(X, y)
    with pytest.raises(ValueError, match="units was 8 and is 16"):
        estimator.partial_fit(X, y)


def test_a_layer_that_is_frozen_stays_and_the_others_move(tmp_path):
    estimator, y = answering(epochs=1)
    estimator.fit(X, y).save(tmp_path / "base.kseq2seq")
    tuned = kseq2seq.load(tmp_path / "base.kseq2seq").set_params(warm_start=True)
    layer = next(
        layer
        for layer in tuned._network._flatten_layers()
        if layer.name == "source_embedding"
    )
    layer.trainable = False
    before = {v.path: np.array(v) for v in tuned._network.weights}
    tuned.partial_fit(X, y).fit(X, y)
    moved = {
        v.path for v in tuned._network.weights if (np.array(v) != before[v.path]).any()
    }
    assert moved and not any("source_embedding" in path for path in moved)
    assert any("source_embedding" in path for path in before)


def test_new_pairs_may_have_new_tokens_and_longer_answers():
    estimator, _ = answering(warm_start=True)
    longest = estimator.fit(X, Y).max_length_
    generator = estimator.generator_
    estimator.fit(["abz", "ba"] * 4, ["x" * 10, "y"] * 4)
    assert estimator.max_length_ > longest
    assert estimator.generator_ is not generator
    assert estimator.source_vocabulary_.tokens == ["a", "b"]
    estimator.fit(X, Y)
    assert estimator.max_length_ == 1 + 15  # shorter pairs take nothing away


def test_a_stream_goes_on_without_being_told_the_tokens():
    estimator, _ = answering(warm_start=True, batch_size=8)
    loss = estimator.fit(X, Y).history_["loss"][-1]
    pairs = list(zip(X, Y, strict=True)) * 2
    estimator.fit(iter(pairs * 2), steps_per_epoch=2)
    assert estimator.history_["loss"][0] < loss


def test_rows_of_integers_keep_their_width():
    estimator, _ = answering()
    rows = np.arange(16).reshape(8, 2) % 4
    estimator.partial_fit(rows, rows)
    with pytest.raises(ValueError, match="2 wide at first"):
        estimator.partial_fit(rows, np.repeat(rows, 2, axis=1))
    with pytest.raises(ValueError, match=r"y\[0\].*9"):
        estimator.partial_fit(rows, rows + 9)


def test_classes_may_come_later_where_they_are_named_first():
    classifier, _ = classifying()
    classifier.partial_fit(["ab", "b"], ["q", "q"], classes=["r", "q", "p"])
    assert classifier.classes_.tolist() == ["p", "q", "r"]
    classifier.partial_fit(["ab", "b"], ["p", "r"], classes=["p", "q", "r"])
    with pytest.raises(ValueError, match="'new'.*known"):
        classifier.partial_fit(["ab", "b"], ["p", "new"])
    with pytest.raises(ValueError, match="classes were"):
        classifier.partial_fit(["ab"], ["p"], classes=["p", "q"])


@BOTH
def test_a_pass_has_no_warm_up_and_keeps_no_averages(make):
    estimator, y = make(warmup_steps=2)
    with pytest.raises(ValueError, match="warmup_steps is for fit"):
        estimator.partial_fit(X, y)
    averaging, _ = make(ema_momentum=0.9)
    with pytest.raises(ValueError, match="ema_momentum is for fit.*=None"):
        averaging.partial_fit(X, y)
    with pytest.raises(TypeError, match="warm_start"):
        estimator.set_params(warmup_steps=0, warm_start="yes").fit(X, y)


def test_a_pass_needs_answers():
    with pytest.raises(TypeError, match="y is missing"):
        answering()[0].partial_fit(iter([("a", "b")]), None)


@BOTH
def test_a_file_with_the_optimizer_goes_on_as_if_there_were_none(make, tmp_path):
    estimator, y = make(optimizer=keras.optimizers.Adam(0.05), dropout=0.3)
    estimator.partial_fit(X, y)
    with_it = estimator.save(tmp_path / "with.kseq2seq", include_optimizer=True)
    without = kseq2seq.load(estimator.save(tmp_path / "without.kseq2seq"))
    loaded = kseq2seq.load(with_it)
    again = kseq2seq.load(loaded.save(tmp_path / "2.kseq2seq", include_optimizer=True))
    for each in (estimator, loaded, again, without):
        each.partial_fit(X, y)
    assert_same(weights(loaded), weights(estimator))
    assert_same(weights(again), weights(estimator))
    with pytest.raises(AssertionError):
        assert_same(weights(without), weights(estimator), rtol=1e-3)


@pytest.mark.parametrize("changes", [{"optimizer": "sgd"}, {"clip_norm": None}])
def test_another_optimizer_begins_anew(changes, one_pass):
    """Its first pass is that of a file that has no optimizer."""
    with_it, without = (
        kseq2seq.load(path).set_params(**changes).partial_fit(X, Y) for path in one_pass
    )
    assert_same(weights(with_it), weights(without))


def test_an_optimizers_state_of_another_precision_is_taken_up():
    weight = keras.Variable(np.ones(2, np.float32))
    first, second = keras.optimizers.Adam(0.1), keras.optimizers.Adam(0.1)
    first.build([weight])
    first.apply([keras.ops.ones(2)], [weight])
    state = OptimizerState.of(first)
    wide = {
        name: a.astype("float64") if a.dtype.kind == "f" else a
        for name, a in state.arrays.items()
    }
    OptimizerState(state.kind, wide).give_to(second, [weight])
    for name, array in OptimizerState.of(second).arrays.items():
        np.testing.assert_array_equal(array, state.arrays[name])
        assert array.dtype == state.arrays[name].dtype


@pytest.fixture(scope="module")
def one_pass(tmp_path_factory):
    """The files of an estimator after a pass, with its optimizer and without."""
    folder = tmp_path_factory.mktemp("one_pass")
    estimator, y = answering()
    estimator.partial_fit(X, y)
    return (
        estimator.save(folder / "with.kseq2seq", include_optimizer=True),
        estimator.save(folder / "without.kseq2seq"),
    )


def test_a_refused_pass_keeps_the_optimizer(tmp_path):
    estimator, y = answering()
    estimator.fit(X, y)
    again = copy.deepcopy(estimator)
    again._kept_optimizer = estimator._kept_optimizer
    with pytest.raises(ValueError, match="X and y must be as long"):
        estimator.partial_fit(X, y[:3])
    sizes = [
        one.save(tmp_path / name, include_optimizer=True).stat().st_size
        for one, name in ((estimator, "a"), (again, "b"))
    ]
    plain = estimator.save(tmp_path / "c").stat().st_size
    assert sizes[0] == sizes[1] > 1.5 * plain


def test_a_pass_stops_by_nothing_whatever_a_fit_would_stop_by():
    estimator, y = answering(early_stopping_metric="exact_match", patience=2)
    assert len(estimator.partial_fit(X, y).history_["loss"]) == 1
    rows = [[i % 3, 1] for i in range(len(X))]
    again, _ = answering(early_stopping_metric="bleu", patience=2)
    assert len(again.partial_fit(rows, rows).history_["loss"]) == 1


@pytest.mark.parametrize("settings", [{}, {"shared_vocabulary": True}])
def test_new_tokens_get_places_and_what_was_learned_stays(settings, tmp_path):
    X, y = ["ab", "ba", "aab", "bba"] * 4, ["ba", "ab", "baa", "abb"] * 4
    estimator = Seq2SeqEstimator(
        units=8, epochs=1, random_state=0, validation_fraction=0, **settings
    ).fit(X, y)
    before = {v.path: np.array(v) for v in estimator.models_.training.weights}
    estimator.models_.encoder.trainable = False
    tokens = list(estimator.target_vocabulary_.tokens)
    estimator.set_params(warm_start=True, extend_vocabulary=True, learning_rate=1e-30)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        estimator.fit(["ab", "zb"] * 4, ["bc", "cd"] * 4)
    assert list(estimator.target_vocabulary_.tokens)[:2] == tokens
    assert {*"abcd"} <= {*estimator.target_vocabulary_.tokens}
    assert "z" in estimator.source_vocabulary_.tokens
    assert not estimator.models_.encoder.trainable
    for variable in estimator.models_.training.weights:
        old = before[variable.path]
        new = np.array(variable)[tuple(map(slice, old.shape))]
        np.testing.assert_allclose(new, old, rtol=1e-6)
    if settings:
        assert estimator.source_vocabulary_ is estimator.target_vocabulary_
    loaded = load(estimator.save(tmp_path / "grown.kseq2seq"))
    assert loaded.predict(["zb", "ab"]) == estimator.predict(["zb", "ab"])
    estimator.set_params(learning_rate=0.02, epochs=60, label_smoothing=0.0)
    estimator.models_.encoder.trainable = True
    estimator.fit(["ab", "zb"] * 4, ["bc", "cd"] * 4)
    assert estimator.predict(["ab", "zb"]) == ["bc", "cd"]


@pytest.mark.parametrize("going_on", ["fit", "partial_fit"])
def test_target_tokens_that_are_unknown_are_no_secret(going_on):
    X, y = ["ab", "ba", "aab", "bba"] * 4, ["ba", "ab", "baa", "abb"] * 4
    estimator = Seq2SeqEstimator(units=4, epochs=1, random_state=0, warm_start=True)
    estimator.fit(X, y)
    new = [answer.upper() + "a" for answer in y]
    share = sum(map(len, y)) / sum(map(len, new))
    message = f"{share:.1%} of the tokens of y, such as 'B', 'A', are unknown"
    with pytest.warns(UserWarning, match=message):
        getattr(estimator, going_on)(X, new)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        getattr(estimator, going_on)(X, y)


def test_what_is_fed_beside_one_hot_tokens_stays_where_tokens_are_new():
    """It stands behind the tokens in the decoder's kernel, whose rows then move."""
    settings = {"input_feeding": True, "target_embedding": "one_hot", "dropout": 0.0}
    estimator = small_estimator(**settings, batch_size=8).fit(X, Y)
    scatter_weights(estimator.models_.training)
    inputs = {
        "source_ids": np.array([[4, 5, 3]]),
        "decoder_input_ids": np.array([[2, 4, 5]]),
    }
    before = np.array(estimator.models_.training(inputs))
    estimator.set_params(extend_vocabulary=True, learning_rate=1e-30)
    estimator.partial_fit(["abz"] * 8, ["xyz"] * 8)
    after = np.array(estimator.models_.training(inputs))
    assert after.shape[-1] == before.shape[-1] + 1
    np.testing.assert_allclose(after[..., :-1], before, rtol=1e-5)


def test_a_classifier_gives_places_to_new_tokens_too():
    classifier = SequenceClassifier(units=4, epochs=1, random_state=0)
    classifier.partial_fit(["ab", "ba"] * 4, [0, 1] * 4)
    classifier.set_params(extend_vocabulary=True).partial_fit(["cd"] * 8, [0] * 8)
    assert {*classifier.source_vocabulary_.tokens} == {*"abcd"}
    assert classifier.predict_proba(["cd"]).shape == (1, 2)
