"""SequenceRegressor: real-valued sequences, in scikit-learn's shape."""

import copy
import pickle
import warnings

import keras
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.utils.estimator_checks import estimator_checks_generator
from strategies import label

import kseq2seq
from kseq2seq import SequenceRegressor
from kseq2seq.codec import Scale, Scaling
from kseq2seq.ragged import RaggedValues
from kseq2seq.training import SampleAnswers

WAVE = np.sin(np.arange(120) * 0.4) * 5 + 20
WINDOWS = np.lib.stride_tricks.sliding_window_view(WAVE, 12)
X, Y = WINDOWS[:, :9, None], WINDOWS[:, 9:, None]
SMALL = {"units": 8, "epochs": 2, "random_state": 0, "validation_fraction": 0.0}
LEVELS = [0.1, 0.5, 0.9]


def small(**parameters):
    """Return a regressor that is fitted in a second or two."""
    return SequenceRegressor(**{**SMALL, **parameters})


def weights_of(regressor):
    return [w for m in regressor.models_ for w in m.training.get_weights()]


def assert_same(one, other):
    for a, b in zip(weights_of(one), weights_of(other), strict=True):
        np.testing.assert_array_equal(a, b)


LEFT_OUT = {
    # Batches are drawn at random, and a weight is no second copy in another batch.
    "check_sample_weight_equivalence_on_dense_data",
    # Sums in float32 of a batch of another size differ in the seventh digit.
    "check_methods_subset_invariance",
    # For estimators of other array libraries.
    "check_array_api_input",
}


def checks():
    """Return scikit-learn's checks of a regressor, by their names."""
    regressor = small(units=16, epochs=40, learning_rate=0.02)
    with warnings.catch_warnings():
        found = list(estimator_checks_generator(regressor))
    for number, (estimator, check) in enumerate(found):
        name = getattr(check, "func", check).__name__
        if name not in LEFT_OUT:
            yield pytest.param(estimator, check, id=f"{number}-{name}")


@pytest.mark.parametrize(("estimator", "check"), list(checks()))
def test_scikit_learns_checks(estimator, check):
    check(estimator)


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"decoder": "autoregressive", "first_values": "last"},
        {"attention_kind": "general", "scaling": "window", "bidirectional": True},
        {"decoder": "autoregressive", "teacher_forcing": 0.5, "n_estimators": 2},
    ],
    ids=label,
)
def test_it_learns_a_wave(settings):
    regressor = SequenceRegressor(units=16, epochs=60, random_state=0, **settings)
    regressor.fit(X[:70], Y[:70])
    assert regressor.score(X[70:], Y[70:]) > 0.9
    assert set(regressor.history_) >= {"loss", "absolute_error", "val_loss"}


@pytest.mark.parametrize("target", [Y, Y[:, 0], Y[:, 0, 0]], ids=["3", "2", "1"])
def test_answers_have_the_shape_of_the_targets(target):
    regressor = small(quantiles=LEVELS).fit(X, target)
    assert regressor.predict(X[:5]).shape == target[:5].shape
    quantiles = regressor.predict_quantiles(X[:5])
    assert quantiles.shape == (*target[:5].shape, 3)
    assert (np.diff(quantiles, axis=-1) >= 0).all()
    flat = [each.reshape(len(X), -1) for each in (target, regressor.predict(X))]
    assert regressor.score(X, target) == pytest.approx(r2_score(*flat))


@pytest.mark.parametrize("scaling", ["feature", "window"])
def test_values_of_any_size_are_learned_alike(scaling):
    one = small(scaling=scaling).fit(X, Y)
    other = small(scaling=scaling).fit(X * 2e6 - 7e6, Y * 2e6 - 7e6)
    answers = (other.predict(X * 2e6 - 7e6) + 7e6) / 2e6
    np.testing.assert_allclose(answers, one.predict(X), atol=1e-4)


def test_a_source_of_its_own_size_is_answered_in_that_with_a_scale_for_each():
    """Twice the past and twice the units: twice the answer, wherever it stands."""
    regressor = small(scaling="window", quantiles=LEVELS).fit(X, Y)
    np.testing.assert_allclose(
        regressor.predict(X * 100 + 3), regressor.predict(X) * 100 + 3, rtol=1e-5
    )
    np.testing.assert_allclose(
        regressor.predict_quantiles(X * 100 + 3),
        regressor.predict_quantiles(X) * 100 + 3,
        rtol=1e-5,
    )


def test_scales_by_hand():
    windows = np.array([[[1.0], [3.0], [np.nan]], [[5.0]] * 3, [[0.0]] * 3])
    mean, deviation = Scale.of_windows(windows)
    assert mean.ravel().tolist() == [2.0, 5.0, 0.0]
    assert deviation.ravel().tolist() == [1.0, 5.0, 1.0]  # what is flat keeps its size
    sources = RaggedValues.of([np.array([[1.0, 10.0], [3.0, 30.0]]), np.ones((1, 2))])
    targets = np.array([[[1.0]], [[5.0]]])
    window = Scaling.learn("window", sources, targets)
    scaled = window.scaled_sources(sources).flat
    assert scaled[:, 0].tolist() == [-1.0, 1.0, 0.0]  # by each source
    column = np.array([10.0, 30.0, 1.0])  # by all of training
    np.testing.assert_allclose(scaled[:, 1], (column - column.mean()) / column.std())
    scale = window.of_targets(sources)
    np.testing.assert_allclose(scale.undo(scale.apply(targets)), targets)
    assert scale.apply(targets).ravel().tolist() == [-1.0, 4.0]
    plain = Scaling.learn(None, sources, targets)
    np.testing.assert_array_equal(plain.scaled_sources(sources).flat, sources.flat)


def test_sequences_of_different_lengths():
    rng = np.random.default_rng(0)
    ragged = [x[: rng.integers(4, 10)] for x in X]
    regressor = small().fit(ragged, Y)
    together = regressor.predict(ragged)
    alone = np.concatenate([regressor.predict([x]) for x in ragged[:6]])
    np.testing.assert_allclose(together[:6], alone, rtol=1e-6)
    flat = small().fit([x[:, 0] for x in ragged], Y)
    assert_same(regressor, flat)  # single values need no axis of their own
    equal = small().fit(X, Y)  # knows no gaps, and answers any length all the same
    mixed = equal.predict(ragged[:6])
    np.testing.assert_allclose(mixed[2:3], equal.predict(ragged[2:3]), rtol=1e-6)


def test_what_is_missing_is_passed_by():
    gaps = X.copy()
    gaps[:, 3] = np.nan
    targets = Y.copy()
    targets[::2, 1] = np.nan
    with pytest.raises(ValueError, match=r"X\[0, 3, 0\] is nan.*missing='mask'"):
        small().fit(gaps, Y)
    with pytest.raises(ValueError, match=r"y\[0, 1, 0\] is nan"):
        small().fit(X, targets)
    regressor = small(missing="mask").fit(gaps, targets)
    shorter = np.delete(gaps, 3, axis=1)
    np.testing.assert_allclose(
        regressor.predict(gaps), regressor.predict(shorter), rtol=1e-6
    )
    there = targets.copy()
    there[~np.isnan(there)] += 1  # the loss sees these, and these alone
    assert regressor.score(gaps[1::2], targets[1::2]) == regressor.score(gaps, targets)
    with pytest.raises(ValueError, match="nothing but NaN"):
        small(missing="mask").fit(X, Y * np.nan)
    with pytest.raises(ValueError, match="the data of fit had no gaps"):
        small(missing="mask").fit(X, Y).predict(gaps)


def test_a_sequence_of_weight_0_might_as_well_not_be_there():
    weights = np.ones(len(X))
    weights[::3] = 0
    kept = weights > 0
    noise = np.where(kept[:, None, None], Y, 1e9)
    one = small(validation_fraction=0.2).fit(X, noise, sample_weight=weights)
    other = small(validation_fraction=0.2).fit(X[kept], Y[kept])
    assert_same(one, other)
    assert one.score(X, noise, weights) == pytest.approx(one.score(X[kept], Y[kept]))
    heavy = small().fit(X, Y, sample_weight=np.where(np.arange(len(X)) < 9, 9.0, 1.0))
    assert not np.array_equal(heavy.predict(X), small().fit(X, Y).predict(X))


KEPT = [
    {"quantiles": LEVELS, "n_estimators": 2},
    {"scaling": "window", "attention_kind": "additive", "num_layers": 2},
    {"decoder": "autoregressive", "first_values": "last", "cell": "gru"},
    {"scaling": None, "bidirectional": True, "encoder_units": 6},
]


@pytest.mark.parametrize("settings", KEPT, ids=label)
def test_files_pickles_and_copies_answer_the_same(settings, tmp_path):
    regressor = small(**settings).fit(X, Y)
    path = regressor.save(tmp_path / "regressor.kseq2seq")
    for other in (
        kseq2seq.load(path),
        pickle.loads(pickle.dumps(regressor)),
        copy.deepcopy(regressor),
    ):
        assert type(other) is SequenceRegressor
        np.testing.assert_array_equal(other.predict(X), regressor.predict(X))
        assert other.get_params() == regressor.get_params()
        if "quantiles" in settings:
            np.testing.assert_array_equal(
                other.predict_quantiles(X), regressor.predict_quantiles(X)
            )


def test_a_loaded_table_knows_its_columns(tmp_path):
    table = WINDOWS[:, :9]
    regressor = small().fit(table, Y)
    assert regressor.n_features_in_ == 9
    loaded = kseq2seq.load(regressor.save(tmp_path / "table.kseq2seq"))
    with pytest.raises(ValueError, match="X has 5 features.* expecting 9"):
        loaded.predict(table[:, :5])
    assert regressor.predict(X[:, :5]).shape == (len(X), 3, 1)  # sequences may be so


@pytest.mark.slow
@pytest.mark.parametrize("settings", KEPT[:3], ids=label)
def test_what_is_exported_reads_and_answers_in_units_of_the_data(settings, tmp_path):
    import tensorflow as tf

    regressor = small(**settings).fit(X, Y)
    folder = regressor.export(tmp_path / "exported")
    model = tf.saved_model.load(str(folder / "saved_model"))
    assert_answers(regressor, model.serve(X.astype("float32")))


@pytest.mark.slow
@pytest.mark.backends("tensorflow")
@pytest.mark.parametrize("settings", KEPT[:3], ids=label)
def test_other_runtimes_answer_the_same(settings, tmp_path):
    import onnxruntime
    from ai_edge_litert.interpreter import Interpreter

    regressor = small(**settings).fit(X, Y)
    folder = regressor.export(tmp_path / "onnx", "onnx")
    session = onnxruntime.InferenceSession(folder / "model.onnx")
    (source,) = session.get_inputs()
    answers = session.run(None, {source.name: X.astype("float32")})
    names = [output.name for output in session.get_outputs()]
    assert_answers(regressor, dict(zip(names, answers, strict=True)))

    folder = regressor.export(
        tmp_path / "litert", "litert", max_source_length=X.shape[1]
    )
    run = Interpreter(str(folder / "model.tflite")).get_signature_runner()
    each = [run(source_values=row[None]) for row in X[:3].astype("float32")]
    values = np.concatenate([one["values"] for one in each])
    np.testing.assert_allclose(values, regressor.predict(X[:3]), rtol=1e-4)


def assert_answers(regressor, answers):
    np.testing.assert_allclose(answers["values"], regressor.predict(X), rtol=1e-4)
    if regressor.quantiles:
        quantiles = regressor.predict_quantiles(X)
        np.testing.assert_allclose(answers["quantiles"], quantiles, rtol=1e-4)


def test_the_same_seed_gives_the_same_weights_and_a_refit_forgets():
    one, other = (small(epochs=1, dropout=0.2).fit(X, Y) for _ in range(2))
    assert_same(one, other)
    assert_same(one.fit(X, Y), other)
    assert_same(clone(one).fit(X, Y), other)


def test_fits_continue():
    regressor = small(warm_start=True).fit(X, Y)
    before = weights_of(regressor)
    scaling = regressor._scaling
    regressor.fit(X * 2, Y * 2)
    assert regressor._scaling is scaling  # the models were trained on it
    assert not np.array_equal(before[0], weights_of(regressor)[0])
    passes = small()
    for _ in range(2):
        passes.partial_fit(X, Y)
    assert len(passes.history_["loss"]) == 1
    with pytest.raises(ValueError, match="units was 8 and is 9"):
        regressor.set_params(units=9).fit(X, Y)
    with pytest.raises(ValueError, match="missing was 'error' and is 'mask'"):
        passes.set_params(missing="mask").partial_fit(X, Y)
    with pytest.raises(ValueError, match="2 features a frame, as in fit; got 1|must"):
        small(warm_start=True).fit(np.repeat(X, 2, 2), Y).fit(X, Y)


def test_a_checkpoint_resumes(tmp_path):
    path = tmp_path / "checkpoint.kseq2seq"
    whole = small(epochs=4, validation_fraction=0.2, quantiles=LEVELS).fit(X, Y)

    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 1:
                raise RuntimeError("stopped")

    broken = clone(whole).set_params(callbacks=[Stop])
    with pytest.raises(RuntimeError, match="stopped"):
        broken.fit(X, Y, checkpoint=path)
    resumed = clone(whole).set_params(callbacks=None)
    resumed.fit(X, Y, checkpoint=path)
    assert_same(resumed, whole)
    assert resumed.history_ == whole.history_
    with pytest.raises(ValueError, match="another loss"):
        clone(whole).set_params(loss="huber").fit(X, Y, checkpoint=path)


def test_losses_metrics_and_callbacks_of_ones_own():
    regressor = small(
        loss=keras.losses.MeanAbsoluteError(),
        metrics=[keras.metrics.MeanSquaredError(name="mse")],
        patience=1,
        validation_fraction=0.3,
    ).fit(X, Y)
    assert {"loss", "val_loss", "mse", "val_mse"} <= set(regressor.history_)
    with pytest.raises(TypeError, match="watch 'val_loss' instead"):
        small(callbacks=[SampleAnswers()]).fit(X, Y)
    with pytest.raises(ValueError, match="'squared_error', 'absolute_error' or 'huber"):
        small(loss="mse").fit(X, Y)


@pytest.mark.slow
def test_searches_see_every_parameter():
    search = GridSearchCV(small(), {"units": [2, 4], "scaling": ["window"]}, cv=2)
    search.fit(X, Y)
    assert search.best_estimator_.predict(X[:2]).shape == (2, 3, 1)
    scores = cross_val_score(small(), WINDOWS[:, :9], WINDOWS[:, 9], cv=2)
    assert scores.shape == (2,)


BAD = [
    ((X, Y[:-1]), {}, "got 109 in X and 108 in y"),
    ((X[:, :, 0, None, None], Y), {}, r"X must be of shape \(n, len\)"),
    ((WAVE, WAVE), {}, r"\(120,\). Reshape your data: a single sequence is X\[None"),
    ((X, Y[..., None]), {}, r"y must be of shape \(n,\), \(n, targets\)"),
    ((X, "abc"), {}, "y must be an array of numbers; got"),
    ((["ab", "cd"], [1.0, 2.0]), {}, "X|could not convert|float"),
    ((X * np.inf, Y), {}, r"X must not hold NaN, infinity .*X\[0, 0, 0\] is inf"),
    ((X * 1e300, Y), {}, "beyond float32"),
    (([X[0], X[1, :4, :0]], Y[:2]), {}, r"X\[1\] must be of shape"),
    (([X[0], np.ones((4, 2))], Y[:2]), {}, "X.0. has 1, and X.1. has 2"),
    ((X, Y), {"scaling": "features"}, "Did you mean 'feature'"),
    ((X, Y), {"missing": "ignore"}, "missing must be 'error' or 'mask'"),
    ((X, Y), {"quantiles": [0.5, 2]}, r"quantiles\[1\] must be"),
    ((X, Y), {"n_estimators": 0}, "n_estimators must be a whole number from 1"),
    ((X, Y), {"decoder": "repeats"}, "Did you mean 'repeat'"),
    ((X, np.repeat(Y, 2, 2)), {"scaling": "window"}, "X has 1. Put them there"),
    ((X, np.repeat(Y, 2, 2)), {"first_values": "last"}, "first_values='last' takes"),
    ((X, Y), {"attention_kind": "monotonic"}, "monotonic attention"),
]


@pytest.mark.parametrize(("data", "settings", "message"), BAD)
def test_bad_input_is_refused_by_name(data, settings, message):
    with pytest.raises((ValueError, TypeError), match=message):
        small(**settings).fit(*data)


def test_calls_that_mean_nothing_are_refused():
    with pytest.raises(NotFittedError):
        small().predict_quantiles(X)
    regressor = small().fit(X, Y)
    with pytest.raises(ValueError, match="fitted without quantiles"):
        regressor.predict_quantiles(X)
    with pytest.raises(ValueError, match="1 features a frame, as in fit; got 2"):
        regressor.predict(np.repeat(X, 2, axis=2))
    with pytest.raises(ValueError, match=r"\(n, 3, 1\), as in fit; got \(109, 2, 1\)"):
        regressor.score(X, Y[:, :2])
    with pytest.raises(ValueError, match="validation_data: X must have 1 features"):
        small().fit(X, Y, validation_data=(np.repeat(X, 2, 2), Y))
    before = weights_of(regressor)
    with pytest.raises(ValueError, match="NaN"):
        regressor.fit(X, Y * np.nan)
    np.testing.assert_array_equal(before[0], weights_of(regressor)[0])
