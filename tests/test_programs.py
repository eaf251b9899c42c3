"""A training by a program that was kept is the training by a new one, bit for bit."""

import threading
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest
from strategies import LABELS, SMALL, X, Y, label

from kseq2seq import (
    Seq2SeqEstimator,
    SequenceClassifier,
    SequenceForecaster,
    SequenceRegressor,
    _tensorflow,
)
from kseq2seq.layers.lookup import find_lookup
from kseq2seq.training import keras_fit, programs

pytestmark = pytest.mark.backends("tensorflow")
VALUES = np.random.default_rng(0).normal(size=(24, 6, 2))
FRAMES = (VALUES, VALUES[:, ::-1, :1])
DATA = {
    "Seq2SeqEstimator": (X, [x[::-1] for x in X]),
    "SequenceClassifier": (X, LABELS),
    "SequenceRegressor": FRAMES,
    "SequenceForecaster": (np.sin(np.arange(60.0)),),
}
LEARNS = {**SMALL, "epochs": 2, "dropout": 0.2}
NO_TEXT = {
    "units": 8,
    "epochs": 2,
    "batch_size": 8,
    "dropout": 0.2,
    "validation_fraction": 0.0,
}


@pytest.fixture(autouse=True)
def pool(monkeypatch):
    """No programs are kept when a test begins."""
    monkeypatch.setattr(programs, "_POOL", programs._Pool())


@pytest.fixture
def traced(monkeypatch):
    """What is traced, as a list that grows."""
    made, trace = [], _tensorflow.run_function

    def count(model, step, *args, **kwargs):
        def counted(batch):
            made.append(model)
            return step(batch)

        return trace(model, counted, *args, **kwargs)

    monkeypatch.setattr(_tensorflow, "run_function", count)
    return made


@pytest.mark.parametrize("compiles", [False, True])
def test_a_run_tells_its_graph_what_is_needed_to_project_a_small_vocabulary(
    compiles, monkeypatch
):
    found = []

    def noted(sequences):
        found.append(find_lookup(sequences))
        return found[-1]

    monkeypatch.setattr("kseq2seq.layers.recurrent.find_lookup", noted)
    if compiles:
        monkeypatch.setattr(keras_fit, "STEPS_WORTH_COMPILING", 0)
    Seq2SeqEstimator(**SMALL, dropout=0.0).fit(*DATA["Seq2SeqEstimator"])
    in_runs = [lookup for lookup in found if lookup and lookup.ids.shape[0]]
    assert in_runs and all(lookup.is_small for lookup in in_runs)
    assert all((lookup.ids.shape[1] is not None) == compiles for lookup in in_runs)


def without_sharing(monkeypatch):
    monkeypatch.setattr(programs, "MOST_WEIGHTS", 0)


def weights(estimator):
    return estimator._network.get_weights()


def assert_same(one, other):
    assert len(one) == len(other)
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        (Seq2SeqEstimator, {}),
        (Seq2SeqEstimator, {"cell": "gru", "attention_kind": "general"}),
        (Seq2SeqEstimator, {"cell": "rnn", "attention_kind": "additive"}),
        (Seq2SeqEstimator, {"attention_kind": "scaled_dot", "num_layers": 2}),
        (Seq2SeqEstimator, {"attention_kind": "monotonic"}),
        (Seq2SeqEstimator, {"attention_kind": "dot", "copy": True}),
        (Seq2SeqEstimator, {"attention_kind": "dot", "input_feeding": True}),
        (Seq2SeqEstimator, {"attention_kind": None, "bidirectional": True}),
        (Seq2SeqEstimator, {"recurrent_dropout": 0.2, "word_dropout": 0.1}),
        (Seq2SeqEstimator, {"ema_momentum": 0.9, "optimizer": "sgd"}),
        (Seq2SeqEstimator, {"validation_fraction": 0.25, "patience": 1}),
        (Seq2SeqEstimator, {"epochs": 6, "warmup_steps": 2}),
        (SequenceClassifier, {}),
        (SequenceClassifier, {"cell": "gru", "num_layers": 2}),
        (SequenceRegressor, {"quantiles": [0.1, 0.9]}),
        (SequenceRegressor, {"n_estimators": 2, "decoder": "repeat"}),
        (SequenceForecaster, {"horizon": 3, "validation_fraction": 0.2}),
    ],
    ids=lambda value: label(value) if isinstance(value, dict) else value.__name__,
)
def test_what_is_taken_up_trains_as_what_is_new(kind, settings, traced):
    data = DATA[kind.__name__]
    usual = LEARNS if data[0] is X else NO_TEXT
    estimator = kind(**{**usual, **settings, "random_state": 1})
    new = estimator.fit(*data)
    first, answers, made = weights(new), new.predict(*data[:1]), len(traced)
    kind(**{**usual, **settings, "random_state": 2}).fit(*data)
    again = estimator.fit(*data)
    assert len(traced) == made  # neither of the two has traced anything
    assert_same(weights(again), first)
    np.testing.assert_array_equal(again.predict(*data[:1]), answers)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16", "float64"])
def test_in_other_precisions(policy, traced):
    before = keras.config.dtype_policy()
    try:
        single = Seq2SeqEstimator(**LEARNS).fit(X, Y)
        made = len(traced)
        keras.config.set_dtype_policy(policy)
        first = weights(Seq2SeqEstimator(**LEARNS).fit(X, Y))
        assert len(traced) > made
        made = len(traced)
        assert_same(weights(Seq2SeqEstimator(**LEARNS).fit(X, Y)), first)
        assert len(traced) == made
    finally:
        keras.config.set_dtype_policy(before)
    assert_same(weights(Seq2SeqEstimator(**LEARNS).fit(X, Y)), weights(single))


def test_a_training_goes_on_in_its_precision_when_the_global_one_has_changed():
    before = keras.config.dtype_policy()
    estimator = Seq2SeqEstimator(**LEARNS)
    try:
        keras.config.set_dtype_policy("mixed_float16")
        estimator.partial_fit(X, Y)
    finally:
        keras.config.set_dtype_policy(before)
    first = weights(estimator)
    estimator.partial_fit(X, Y)
    assert any((a != b).any() for a, b in zip(weights(estimator), first, strict=True))


CHANGES = {
    "units": [4, 6],
    "attention_kind": [None, "dot"],
    "dropout": [0.0, 0.1, 0.3],
    "label_smoothing": [0.0, 0.1],
    "optimizer": ["adam", "sgd", keras.optimizers.Adam(0.01, beta_1=0.5)],
    "learning_rate": [0.001, 0.1],
    "clip_norm": [None, 0.01],
    "ema_momentum": [None, 0.9],
    "gradient_accumulation_steps": [1, 2],
    "warmup_steps": [0, 1],
    "batch_size": [4, 8],
    "residual": [False, True],
    "kernel_initializer": ["glorot_uniform", "he_normal"],
    "validation_fraction": [0.0, 0.25],
}


@pytest.mark.slow
def test_changed_parameters_never_take_up_what_is_not_theirs(traced, monkeypatch):
    """A hundred random changes; what is taken up trains as what shares nothing."""
    rng = np.random.default_rng(0)
    parameters = {**SMALL, "cell": "rnn", "units": 4, "batch_size": 8, "epochs": 2}
    before, expected, taken_up, num_fits = parameters, {}, [], 0
    while num_fits < 100:
        name = str(rng.choice(list(CHANGES)))
        options = CHANGES[name]
        changed = {**parameters, name: options[rng.integers(len(options))]}
        if num_fits % 2:  # every other time back to what was before
            changed = before
        elif changed.get("warmup_steps") and not isinstance(
            changed.get("optimizer", "adam"), str
        ):
            continue
        before, parameters = parameters, changed
        num_fits, made = num_fits + 1, len(traced)
        learned = weights(Seq2SeqEstimator(**parameters).fit(X, Y))
        if len(traced) == made:
            taken_up.append((parameters, learned))
        else:  # traced for these parameters alone
            expected[repr(sorted(parameters.items()))] = learned
    assert len(programs._POOL._programs) == programs.MOST_PROGRAMS
    assert len(taken_up) > 40
    without_sharing(monkeypatch)
    for parameters, learned in taken_up:
        key = repr(sorted(parameters.items()))
        if key not in expected:
            expected[key] = weights(Seq2SeqEstimator(**parameters).fit(X, Y))
        assert_same(learned, expected[key])


def test_fits_in_threads_have_programs_of_their_own():
    seeds = [3, 4, 5, 6]

    def fit(seed):
        return weights(Seq2SeqEstimator(**{**LEARNS, "random_state": seed}).fit(X, Y))

    one_by_one = [fit(seed) for seed in seeds]
    with ThreadPoolExecutor(4) as threads:
        for together, alone in zip(threads.map(fit, seeds), one_by_one, strict=True):
            assert_same(together, alone)


def test_an_estimator_keeps_what_it_learned_while_others_train():
    first = Seq2SeqEstimator(**LEARNS).fit(X, Y)
    learned, answers = weights(first), first.predict(X)
    other = Seq2SeqEstimator(**{**LEARNS, "random_state": 8, "epochs": 5}).fit(X, Y)
    assert_same(weights(first), learned)
    np.testing.assert_array_equal(first.predict(X), answers)
    assert not np.array_equal(weights(other)[0], learned[0])


def test_passes_and_warm_starts_take_programs_up(traced, monkeypatch):
    estimator = Seq2SeqEstimator(**LEARNS).fit(X, Y)
    estimator.set_params(warm_start=True)
    for _ in range(3):
        estimator.partial_fit(X, Y)
    estimator.fit(X, Y)
    made = len(traced)
    for _ in range(3):
        estimator.partial_fit(X, Y)
    estimator.fit(X, Y)
    assert len(traced) == made
    learned = weights(estimator)
    without_sharing(monkeypatch)
    estimator = Seq2SeqEstimator(**LEARNS).fit(X, Y).set_params(warm_start=True)
    for _ in range(2):
        for _ in range(3):
            estimator.partial_fit(X, Y)
        estimator.fit(X, Y)
    assert_same(weights(estimator), learned)


def test_what_is_frozen_stays_frozen_in_a_program(monkeypatch):
    """By the layer, by a weight, and by a layer whose weight is not."""

    def fit():
        estimator = Seq2SeqEstimator(**LEARNS, warm_start=True).fit(X, Y)
        learned = [weights(estimator.fit(X, Y))]
        layers = estimator.models_.training.layers
        with_weights = [layer for layer in layers if layer.trainable_weights]
        for freeze in (
            lambda: setattr(with_weights[0], "trainable", False),
            lambda: setattr(with_weights[0].weights[0], "trainable", True),
            lambda: setattr(with_weights[1].weights[0], "trainable", False),
        ):
            freeze()
            learned.append(weights(estimator.fit(X, Y)))
        return learned

    shared = fit()
    without_sharing(monkeypatch)
    for one, other in zip(shared, fit(), strict=True):
        assert_same(one, other)
    np.testing.assert_array_equal(shared[1][0], shared[0][0])


def test_batches_of_any_length_are_one_program(traced):
    """A pass over longer texts, and a fit of more of them, trace nothing."""
    estimator = Seq2SeqEstimator(**LEARNS).fit(X, Y)
    estimator.partial_fit(X, Y)
    made = len(traced)
    for n in (1, 2, 5):
        estimator.partial_fit([n * x for x in X], [n * y for y in Y])
    Seq2SeqEstimator(**LEARNS).fit([3 * x for x in X] * 3, Y * 3)
    assert len(traced) == made


@keras.saving.register_keras_serializable(package="of_a_user")
class OwnLoss(keras.losses.Loss):
    """What it does depends on what its config does not say."""

    power = 2

    def call(self, y_true, y_pred):
        return keras.ops.mean(keras.ops.abs(y_true - y_pred) ** self.power)


@keras.saving.register_keras_serializable(package="of_a_user")
class OwnMetric(keras.metrics.Mean):
    def update_state(self, y_true, y_pred, sample_weight=None):
        return super().update_state(y_pred)


@pytest.mark.parametrize(
    "own",
    [{"loss": OwnLoss()}, {"metrics": [OwnMetric("own")]}],
    ids=["loss", "metric"],
)
def test_what_is_a_users_own_is_traced_for_each_fit(own, traced):
    for _ in range(2):
        regressor = SequenceRegressor(**NO_TEXT, **own, random_state=0).fit(*FRAMES)
        assert traced[-1] is regressor._network
    assert len(traced) == 2
    assert not programs._POOL._programs


class Meddler(keras.callbacks.Callback):
    """Looks at weights, and changes them and the rate, between two batches."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def on_train_batch_begin(self, batch, logs=None):
        if batch == 1:
            self.model.optimizer.learning_rate = 0.05

    def on_train_batch_end(self, batch, logs=None):
        first = self.model.trainable_variables[0]
        self.seen.append(keras.ops.convert_to_numpy(first))
        first.assign(first * 0.9)


def test_callbacks_between_batches_see_the_model_and_may_change_it(monkeypatch):
    settings = {**LEARNS, "batch_size": 4, "callbacks": [Meddler()]}
    shared = Seq2SeqEstimator(**settings).fit(X, Y)
    without_sharing(monkeypatch)
    alone = Seq2SeqEstimator(**settings).fit(X, Y)
    assert_same(weights(shared), weights(alone))
    assert_same(shared.callbacks_[0].seen, alone.callbacks_[0].seen)
    assert shared.history_ == alone.history_


class BreakOff(keras.callbacks.Callback):
    """Ends an epoch, or raises, after some batches of it."""

    def __init__(self, error=None):
        super().__init__()
        self.error = error

    def on_train_batch_end(self, batch, logs=None):
        if batch == 1:
            self.model.stop_training = True
            if self.error:
                raise self.error


def test_a_training_that_ends_amid_an_epoch_keeps_what_it_learned(monkeypatch):
    settings = {**LEARNS, "batch_size": 4, "callbacks": [BreakOff()]}
    shared = Seq2SeqEstimator(**settings).fit(X, Y)
    without_sharing(monkeypatch)
    alone = Seq2SeqEstimator(**settings).fit(X, Y)
    assert_same(weights(shared), weights(alone))
    assert shared.history_ == alone.history_


def test_a_program_that_failed_is_not_kept():
    failing = Seq2SeqEstimator(**LEARNS, callbacks=[BreakOff(RuntimeError("broken"))])
    failing.set_params(batch_size=4)
    with pytest.raises(RuntimeError, match="broken"):
        failing.fit(X, Y)
    assert not programs._POOL._programs


def test_the_pool_has_a_bound_and_gives_out_each_program_once():
    pool = programs._Pool()
    kept = [object() for _ in range(programs.MOST_PROGRAMS + 2)]
    for number, program in enumerate(kept):
        pool.put(f"{number % 2}", program)
    assert len(pool._programs) == programs.MOST_PROGRAMS
    taken = [pool.take("0") for _ in range(programs.MOST_PROGRAMS // 2 + 1)]
    assert taken == [*reversed(kept[2::2]), None]
    assert pool.take("2") is None


def test_programs_go_with_a_thread_that_dies(traced):
    """What one thread has traced serves another."""

    def fit():
        Seq2SeqEstimator(**LEARNS).fit(X, Y)

    for _ in range(2):
        thread = threading.Thread(target=fit)
        thread.start()
        thread.join()
    assert len(traced) == 1
