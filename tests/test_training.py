import copy
import os
import signal

import keras
import numpy as np
import pytest
from strategies import label, make_models

from kseq2seq import Seq2SeqEstimator, build_seq2seq
from kseq2seq.batching import Batches, run_length
from kseq2seq.datasets import make_number_words
from kseq2seq.training import (
    SCHEDULES,
    AveragedWeights,
    CosineDecay,
    Crossentropy,
    MaskedCrossentropy,
    StopAtLoss,
    TeacherForcedAccuracy,
    TeacherForcing,
    ValueLoss,
    fit_batches,
    forcing_probability,
    keras_fit,
    least_loss,
    make_optimizer,
    plan_buckets,
    with_teacher_forcing,
)


def log_softmax(logits):
    return logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))


def example():
    rng = np.random.default_rng(0)
    target_ids = np.array([[4, 5, 3], [6, 3, 0]])
    return target_ids, rng.normal(size=(2, 3, 8)).astype("float32")


def make_batches(n=40, **options):
    rng = np.random.default_rng(0)
    sources = [rng.integers(4, 12, size=i % 5).tolist() for i in range(n)]
    targets = [[4 + len(s) % 5] * (1 + len(s) % 3) for s in sources]
    return Batches(sources, targets, batch_size=8, random_state=0, **options)


def fit(models=None, batches=None, **options):
    """Fit the training model, or what `model` makes of the models."""
    defaults = {
        "optimizer": keras.optimizers.Adam(0.01),
        "loss": MaskedCrossentropy(),
        "metrics": [TeacherForcedAccuracy()],
        "epochs": 1,
    }
    models = models or make_models()
    model = options.pop("model", lambda models: models.training)(models)
    history = fit_batches(model, batches or make_batches(), **{**defaults, **options})
    return models, history


def models_of(policy):
    """Make models of another precision."""
    keras.config.set_dtype_policy(policy)
    try:
        return make_models()
    finally:
        keras.config.set_dtype_policy("float32")


def forced(probability):
    return lambda models: with_teacher_forcing(models, probability, random_state=0)


def test_the_loss_is_the_mean_over_tokens_that_are_no_padding():
    target_ids, logits = example()
    log_probs = log_softmax(logits)
    tokens = [log_probs[r, t, target_ids[r, t]] for r, t in np.argwhere(target_ids)]
    loss = float(MaskedCrossentropy()(target_ids, logits))
    np.testing.assert_allclose(loss, -np.mean(tokens), rtol=1e-6)


def test_label_smoothing_mixes_in_the_uniform_distribution():
    target_ids, logits = example()
    log_probs = log_softmax(logits)
    rows, steps = np.nonzero(target_ids)
    gold = -log_probs[rows, steps, target_ids[rows, steps]].mean()
    uniform = -log_probs[rows, steps].mean()
    loss = float(MaskedCrossentropy(label_smoothing=0.2)(target_ids, logits))
    np.testing.assert_allclose(loss, 0.8 * gold + 0.2 * uniform, rtol=1e-6)


@pytest.mark.parametrize("per_token", [False, True])
def test_weights_weigh_tokens(per_token):
    target_ids, logits = example()
    weights = np.array([1.0, 3.0])
    log_probs = log_softmax(logits)
    rows, steps = np.nonzero(target_ids)
    expected = np.average(
        -log_probs[rows, steps, target_ids[rows, steps]], weights=weights[rows]
    )
    given = np.repeat(weights[:, None], 3, axis=1) if per_token else weights
    loss = float(MaskedCrossentropy()(target_ids, logits, given))
    np.testing.assert_allclose(loss, expected, rtol=1e-6)


def test_longer_padding_and_empty_rows_change_neither_loss_nor_accuracy():
    target_ids, logits = example()
    padded = np.pad(target_ids, ((0, 1), (0, 2)))
    longer = np.pad(logits, ((0, 1), (0, 2), (0, 0)), constant_values=7.0)
    for loss in (MaskedCrossentropy(), MaskedCrossentropy(0.1)):
        np.testing.assert_allclose(
            float(loss(padded, longer)), float(loss(target_ids, logits)), rtol=1e-6
        )
    one, other = TeacherForcedAccuracy(), TeacherForcedAccuracy()
    one.update_state(target_ids, logits)
    other.update_state(padded, longer)
    assert float(one.result()) == float(other.result())


def test_accuracy_counts_tokens_and_no_padding():
    target_ids = np.array([[4, 5, 3], [6, 3, 0]])
    guesses = np.array([[4, 6, 3], [6, 3, 7]])
    accuracy = TeacherForcedAccuracy()
    accuracy.update_state(target_ids, np.eye(8)[guesses])
    assert float(accuracy.result()) == pytest.approx(4 / 5)


def test_only_padding_gives_no_nan():
    loss = MaskedCrossentropy()(np.zeros((1, 2), int), np.zeros((1, 2, 8)))
    assert float(loss) == 0.0


@pytest.mark.parametrize("num_buckets", [1, 4])
def test_validation_loss_is_the_mean_of_the_batches_losses(num_buckets):
    models = make_models()
    batches = make_batches(40, num_buckets=num_buckets, shuffle=False)
    _, history = fit(
        models,
        validation_batches=batches,
        optimizer=keras.optimizers.SGD(1e-9),
    )
    losses = []
    for i in range(len(batches)):
        inputs, target_ids, weights = batches[i]
        logits = np.asarray(models.training(list(inputs.values())))
        gold = np.take_along_axis(log_softmax(logits), target_ids[..., None], -1)[
            ..., 0
        ]
        losses.append(-np.average(gold, weights=weights))
    assert history["val_loss"][0] == pytest.approx(np.mean(losses), rel=1e-4)


def test_training_learns_and_reports_an_epoch_each():
    _, history = fit(epochs=20, validation_batches=make_batches(16, shuffle=False))
    assert len(history["loss"]) == len(history["val_loss"]) == 20
    assert history["loss"][-1] < 0.5 * history["loss"][0]
    assert "teacher_forced_accuracy" in history


@pytest.mark.parametrize(
    ("probability", "num_buckets"),
    [(None, 1), (None, 4), pytest.param(0.0, 1, marks=pytest.mark.slow)],
)
def test_a_compiled_step_learns_as_a_plain_one(probability, num_buckets, monkeypatch):
    losses, weights = [], []
    for steps in (0, 10**9):
        monkeypatch.setattr(keras_fit, "STEPS_WORTH_COMPILING", steps)
        options = {} if probability is None else {"model": forced(probability)}
        batches = make_batches(num_buckets=num_buckets)
        models, history = fit(epochs=3, batches=batches, **options)
        losses.append(history["loss"])
        weights.append(models.training.get_weights())
    np.testing.assert_allclose(*losses, rtol=1e-4)
    for plain, compiled in zip(*weights, strict=True):
        np.testing.assert_allclose(plain, compiled, atol=1e-3)


@pytest.mark.backends("tensorflow")
@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_large_models_in_half_precision_are_not_compiled_on_a_cpu(policy, monkeypatch):
    monkeypatch.setattr(keras_fit, "STEPS_WORTH_COMPILING", 0)
    models = models_of(policy)
    fit(models)
    assert models.training.jit_compile
    monkeypatch.setattr(keras_fit, "LARGE_IN_HALF", 1)
    fit(models)
    assert models.training.jit_compile == (policy == "float32")


def test_dropout_in_a_compiled_step_drops_its_share_and_keeps_the_mean():
    from kseq2seq.layers import Dropout

    layer = Dropout(0.25, seed=1)
    ones = keras.ops.ones((200, 500))
    values = np.asarray(layer(ones, training=True))
    assert set(np.unique(values)) == {0.0, np.float32(1 / 0.75)}
    assert (values == 0).mean() == pytest.approx(0.25, abs=0.01)
    assert (np.asarray(layer(ones, training=True)) != values).any()
    assert (np.asarray(layer(ones)) == 1).all()


class Batchwise(keras.callbacks.Callback):
    """Counts batches, as any callback with a batch hook may."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def on_train_batch_end(self, batch, logs=None):
        self.count += 1


def test_a_callback_that_wants_every_batch_gets_every_batch():
    callback = Batchwise()
    batches = make_batches(80)
    fit(batches=batches, callbacks=[callback], epochs=2)
    assert callback.count == 2 * len(batches) == 20


@pytest.mark.slow
def test_runs_of_batches_teach_what_single_batches_teach(monkeypatch):
    """Over 200 steps, compiled or not, with a bucket more or less."""
    losses = []
    for single, steps_worth in ((True, 10**9), (False, 10**9), (False, 0)):
        monkeypatch.setattr(keras_fit, "STEPS_WORTH_COMPILING", steps_worth)
        batches = make_batches(160, num_buckets=2)
        assert len(batches) == 20 and batches.num_buckets == 2
        assert run_length(len(batches)) == 5
        callbacks = [Batchwise()] if single else []
        _, history = fit(batches=batches, epochs=10, callbacks=callbacks)
        losses.append(history["loss"])
    np.testing.assert_allclose(losses[1], losses[0], atol=1e-4)
    np.testing.assert_allclose(losses[2], losses[0], atol=1e-4)
    assert losses[0][-1] < 0.5 * losses[0][0]


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_it_learns_in_mixed_precision(policy):
    models = models_of(policy)
    optimizer = keras.optimizers.Adam(0.01)
    if policy == "mixed_float16":
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    models, history = fit(models, make_batches(80), epochs=12, optimizer=optimizer)
    assert models.training.compute_dtype == policy.removeprefix("mixed_")
    assert history["loss"][-1] < 0.5 * history["loss"][0]


@pytest.mark.backends("tensorflow")
def test_nothing_tunes_the_data_of_a_fit_whose_end_would_wait_for_it(monkeypatch):
    tuned = []

    def fit_by_keras(model, x, **kwargs):
        tuned.append(x.options().autotune.enabled)
        return keras.Model.fit(model, x, **kwargs)

    models = make_models()
    monkeypatch.setattr(type(models.training), "fit", fit_by_keras)
    fit(models)
    assert tuned == [False]


def test_progress_is_counted_in_batches(capsys):
    batches = make_batches(80)
    assert run_length(len(batches)) == 2
    fit(batches=batches, epochs=2, verbose=1)
    shown = capsys.readouterr().out
    assert "Epoch 2/2" in shown and "2/10" in shown and "10/10" in shown
    assert "5/5" not in shown  # runs
    fit(batches=batches, verbose=2)
    assert capsys.readouterr().out.count("10/10") == 1


def test_a_model_that_was_fitted_can_be_fitted_by_keras():
    models, _ = fit()
    inputs, targets, weights = make_batches()[0]
    history = models.training.fit(inputs, targets, sample_weight=weights, verbose=0)
    assert np.isfinite(history.history["loss"][0])


def test_weights_may_be_by_pair_in_one_fit_and_by_token_in_the_next():
    models, _ = fit()
    inputs, targets, _ = make_batches()[0]
    weights = np.arange(1.0, 1 + len(targets), dtype="float32")
    by_token = np.repeat(weights[:, None], targets.shape[1], axis=1)
    models.training.optimizer.learning_rate = 0.0  # each fit has the same loss
    losses = [
        models.training.fit(
            inputs,
            targets,
            sample_weight=given,
            batch_size=len(targets),
            shuffle=False,
            verbose=0,
        ).history["loss"][0]
        for given in (weights, by_token, weights)
    ]
    np.testing.assert_allclose(losses, losses[0], rtol=1e-5)


@pytest.mark.parametrize(
    ("callback", "wants"),
    [
        (Batchwise(), True),
        (keras.callbacks.TerminateOnNaN(), True),
        (keras.callbacks.ModelCheckpoint("model.keras"), False),
        (keras.callbacks.ModelCheckpoint("model.keras", save_freq=3), True),
        (keras.callbacks.EarlyStopping(), False),
    ],
)
def test_callbacks_are_known_that_want_batches(callback, wants):
    assert keras_fit._wants_batches(callback) is wants


def test_an_interrupt_ends_the_fit_after_the_step_and_keeps_the_weights():
    class Interrupt(Batchwise):
        def on_train_batch_end(self, batch, logs=None):
            super().on_train_batch_end(batch)
            if self.count == 3:
                os.kill(os.getpid(), signal.SIGINT)

    callback, models = Interrupt(), make_models()
    before = models.training.get_weights()
    handler = signal.getsignal(signal.SIGINT)
    with pytest.warns(UserWarning, match="interrupted: .* keeps what it has learned"):
        fit(models, callbacks=[callback], epochs=50)
    assert callback.count == 3
    assert any(
        (a != b).any()
        for a, b in zip(before, models.training.get_weights(), strict=True)
    )
    assert signal.getsignal(signal.SIGINT) is handler


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 0}, "epochs must be a whole number of at least 1"),
        ({"epochs": "a"}, "epochs must be a whole number"),
        ({"optimizer": None}, "optimizer must be Optimizer; got None"),
        ({"batches": [1]}, r"batches must be .*BucketedBatches.*; got \[1\]"),
        ({"validation_batches": [1]}, "validation_batches must be"),
        ({"callbacks": [5]}, r"callbacks must be Callback; got 5 \(int\)"),
        ({"metrics": ["zz"]}, r"metrics must be Metric; got 'zz' \(str\)"),
    ],
)
def test_what_cannot_be_fitted_is_refused(options, message):
    model = make_models().training
    arguments = {
        "batches": make_batches(),
        "optimizer": keras.optimizers.Adam(),
        "loss": MaskedCrossentropy(),
        **options,
    }
    with pytest.raises((ValueError, TypeError), match=message):
        fit_batches(model, arguments.pop("batches"), **arguments)


@pytest.mark.parametrize("monitor", ["val_loss", "teacher_forced_accuracy"])
def test_callbacks_that_watch_a_metric_find_it(monitor, tmp_path):
    path = tmp_path / "best.weights.h5"
    callbacks = [
        keras.callbacks.EarlyStopping(monitor, mode="max", patience=2),
        keras.callbacks.ReduceLROnPlateau(monitor, mode="min", patience=1),
        keras.callbacks.ModelCheckpoint(path, monitor, save_weights_only=True),
        keras.callbacks.CSVLogger(tmp_path / "log.csv"),
        keras.callbacks.TerminateOnNaN(),
    ]
    _, history = fit(
        epochs=4,
        validation_batches=make_batches(16, shuffle=False),
        callbacks=callbacks,
    )
    assert path.exists()
    assert len((tmp_path / "log.csv").read_text().splitlines()) > 1


def test_cosine_decay_falls_to_zero_and_leaves_other_changes_standing():
    rates = []

    class Rates(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            rates.append(float(self.model.optimizer.learning_rate))
            if epoch == 1:
                self.model.optimizer.learning_rate = rates[-1] / 10

    fit(
        epochs=4,
        optimizer=keras.optimizers.SGD(1.0),
        callbacks=[CosineDecay(4), Rates()],
    )
    share = [0.5 + 0.5 * np.cos(np.pi * epoch / 4) for epoch in range(4)]
    np.testing.assert_allclose(
        rates, [1.0, share[1], share[2] / 10, share[3] / 10], rtol=1e-5
    )


def test_clipping_bounds_the_step():
    models, _ = fit(epochs=1)
    before = models.training.get_weights()
    optimizer = make_optimizer("sgd", learning_rate=1.0, clip_norm=1e-3)
    batches = make_batches(8)
    fit_batches(
        models.training, batches, optimizer=optimizer, loss=MaskedCrossentropy()
    )
    moved = [a - b for a, b in zip(before, models.training.get_weights(), strict=True)]
    norm = np.sqrt(sum((m.astype("float64") ** 2).sum() for m in moved))
    assert norm == pytest.approx(1e-3 * len(batches), rel=0.01)


def test_variables_of_later_optimizers_have_the_names_of_the_first():
    # TensorFlow keeps some memory for each name, as long as the process lives.
    weight = keras.Variable([1.0], name="weight")
    paths = []
    for _ in range(2):
        optimizer = make_optimizer("Adam", learning_rate=1.0)
        optimizer.build([weight])
        paths.append([variable.path for variable in optimizer.variables])
    assert paths[0] == paths[1]
    assert len(set(paths[0])) == 4  # two of Adam itself and two of the weight


def test_an_optimizer_object_is_copied_with_its_own_settings():
    given = keras.optimizers.RMSprop(0.003, clipvalue=0.5)
    made = make_optimizer(given, learning_rate=1.0, clip_norm=1.0)
    assert made is not given and type(made) is keras.optimizers.RMSprop
    assert float(made.learning_rate) == pytest.approx(0.003)
    assert made.clipvalue == 0.5 and made.global_clipnorm is None
    assert make_optimizer("Adam", learning_rate=1.0, clip_norm=2).global_clipnorm == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("adan", 0.1, 1.0), "optimizer must be .* got 'adan'. Did you mean 'adam"),
        ((3, 0.1, 1.0), "optimizer must be the name of a Keras optimizer"),
        (("adam", 0.0, 1.0), "learning_rate must be a number above 0; got 0.0"),
        (("adam", "fast", 1.0), "learning_rate must be a number"),
        (("adam", 0.1, -1.0), "clip_norm must be a number above 0; got -1.0"),
    ],
)
def test_bad_optimizers_are_refused(arguments, message):
    optimizer, learning_rate, clip_norm = arguments
    with pytest.raises((ValueError, TypeError), match=message):
        make_optimizer(optimizer, learning_rate=learning_rate, clip_norm=clip_norm)


def test_small_jobs_get_one_bucket_and_large_ones_few():
    sizes = {"batch_size": 64, "epochs": 10}
    assert plan_buckets(100, num_weights=10**5, **sizes) == 1
    assert 1 < plan_buckets(10**6, num_weights=10**5, **sizes) <= 24
    few = plan_buckets(10**4, num_weights=10**5, **sizes)
    assert few < plan_buckets(10**4, num_weights=10**7, **sizes) <= 24
    assert plan_buckets(600, num_weights=10**7, **sizes) == 1  # of ten batches
    for num_pairs, size, passes, buckets in (
        (720, 16, 89, 2),
        (3600, 32, 80, 5),
        (8000, 64, 96, 6),
    ):  # the defaults, measured; see benchmarks/NOTES.md
        planned = plan_buckets(
            num_pairs, batch_size=size, epochs=passes, num_weights=227_000
        )
        assert planned == buckets


def test_class_losses_are_means_over_the_batch_by_weight():
    logits = np.random.default_rng(0).normal(size=(3, 5)).astype("float32")
    labels, weights = np.array([4, 0, 2]), np.array([1.0, 0.0, 3.0])
    gold = -log_softmax(logits)[range(3), labels]
    uniform = -log_softmax(logits).mean(axis=-1)
    for smoothing in (0.0, 0.3):
        losses = (1 - smoothing) * gold + smoothing * uniform
        loss = Crossentropy(smoothing)
        np.testing.assert_allclose(float(loss(labels, logits)), losses.mean(), 1e-6)
        np.testing.assert_allclose(
            float(loss(labels, logits, weights)),
            np.average(losses, weights=weights),
            rtol=1e-6,
        )


def test_padding_is_a_class_like_others_where_classes_are_meant():
    logits = np.random.default_rng(0).normal(size=(2, 5)).astype("float32")
    expected = -log_softmax(logits)[:, 0].mean()
    np.testing.assert_allclose(
        float(Crossentropy()(np.zeros(2), logits)), expected, 1e-6
    )


def test_losses_are_made_again_from_their_config():
    for kind in (Crossentropy, MaskedCrossentropy):
        loss = kind(0.25, name="mine")
        again = keras.losses.deserialize(keras.losses.serialize(loss))
        assert type(again) is kind
        assert (again.label_smoothing, again.name) == (0.25, "mine")
    for quantiles in ([], [0.1, 0.9]):
        loss = ValueLoss("huber", quantiles or None, name="mine")
        again = copy.deepcopy(loss)
        assert (again.point, again.quantiles) == ("huber", quantiles)


@pytest.mark.parametrize("num_classes", [2, 5, 30])
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5, 0.9])
def test_the_least_loss_is_that_of_the_best_logits(smoothing, num_classes):
    """The best logits are the logarithms of the smoothed targets."""
    targets = np.full(num_classes, smoothing / num_classes)
    targets[1] += 1 - smoothing
    best = np.log(np.maximum(targets, 1e-30))[None].astype("float32")
    loss, label = Crossentropy(smoothing), np.array([1])
    least = least_loss(smoothing, num_classes)
    assert float(loss(label, best)) == pytest.approx(least, abs=1e-5)
    rng = np.random.default_rng(0)
    for scale in (0.01, 0.1, 1.0):
        other = best + rng.normal(0, scale, best.shape).astype("float32")
        assert float(loss(label, other)) >= least - 1e-6


def test_training_stops_at_a_loss_that_is_low_enough():
    _, whole = fit(epochs=6)
    losses = whole["loss"]
    assert losses == sorted(losses, reverse=True)
    _, history = fit(epochs=6, callbacks=[StopAtLoss(losses[2] + 1e-6)])
    np.testing.assert_allclose(history["loss"], losses[:3], rtol=1e-5)
    with pytest.raises(ValueError, match="tol must be a number of at least 0; got -1"):
        StopAtLoss(-1)


def test_the_linear_schedule_falls_by_as_much_every_epoch():
    falls = [forcing_probability(i, 4, schedule="linear") for i in range(4)]
    assert falls == pytest.approx([1, 2 / 3, 1 / 3, 0])
    halves = [forcing_probability(i, 3, start=0.5, schedule="linear") for i in range(3)]
    assert halves == [0.5, 0.25, 0]


def test_the_exponential_schedule_falls_by_one_factor_to_a_hundredth():
    falls = [forcing_probability(i, 5, schedule="exponential") for i in range(5)]
    k = 0.01**0.25
    assert falls == pytest.approx([1, k, k**2, k**3, 0.01])


@pytest.mark.parametrize("epochs", [3, 9, 51])
def test_the_inverse_sigmoid_is_a_half_midway(epochs):
    falls = [
        forcing_probability(i, epochs, schedule="inverse_sigmoid")
        for i in range(epochs)
    ]
    assert falls[epochs // 2] == pytest.approx(0.5)
    assert falls == sorted(falls, reverse=True) and len(set(falls)) == epochs
    assert 1 > falls[0] > 0.5 > falls[-1] > 0
    # k / (k + exp(i / k)), k from the first value: 1 / (1 + 1 / k)
    k = falls[0] / (1 - falls[0])
    np.testing.assert_allclose(falls, k / (k + np.exp(np.arange(epochs) / k)))


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_every_schedule_is_a_share_of_its_start_and_may_last_one_epoch(schedule):
    assert forcing_probability(0, 1, start=0.7, schedule=schedule) == 0.7
    for epoch in range(4):
        whole = forcing_probability(epoch, 4, schedule=schedule)
        part = forcing_probability(epoch, 4, start=0.5, schedule=schedule)
        assert part == pytest.approx(whole / 2)
        assert schedule != "constant" or whole == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"start": 1.5},
            "teacher_forcing must be .* and at most 1; got 1.5",
        ),
        ({"start": -0.1}, "teacher_forcing must be"),
        ({"start": True}, r"teacher_forcing must be .* got True \(bool\)"),
        ({"schedule": "liner"}, "teacher_forcing_schedule must be .* mean 'linear'"),
        ({"epoch": 3}, "epoch must be a whole number from 0 to 2; got 3"),
        ({"epoch": -1}, "epoch must be"),
        ({"epochs": 0}, "epochs must be a whole number of at least 1; got 0"),
    ],
    ids=label,
)
def test_what_is_no_schedule_is_refused(arguments, message):
    arguments = {"epoch": 0, "epochs": 3, **arguments}
    epoch, epochs = arguments.pop("epoch"), arguments.pop("epochs")
    with pytest.raises((ValueError, TypeError), match=message):
        forcing_probability(epoch, epochs, **arguments)


def test_the_history_has_the_schedule_and_each_epoch_is_trained_by_it():
    used = []

    class Probabilities(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            sampling = self.model.get_layer("scheduled_sampling")
            used.append(float(keras.ops.convert_to_numpy(sampling.probability)))

    schedule = TeacherForcing(3, start=0.8, schedule="linear")
    _, history = fit(
        model=forced(0.8),
        epochs=5,
        callbacks=[schedule, Probabilities()],
    )
    expected = [0.8, 0.4, 0, 0, 0]  # later epochs stay at its end
    assert history["teacher_forcing"] == pytest.approx(expected)
    assert used == pytest.approx(expected)


@pytest.mark.parametrize("probability", [0.0, 0.5])
def test_training_learns_with_less_teacher_forcing(probability):
    _, history = fit(model=forced(probability), epochs=20)
    assert history["loss"][-1] < 0.5 * history["loss"][0]


def test_a_fixed_teacher_forcing_of_1_trains_as_none_does():
    _, plain = fit(epochs=2)
    _, whole = fit(model=forced(1.0), epochs=2)
    np.testing.assert_allclose(whole["loss"], plain["loss"], rtol=1e-5)


def test_the_same_seed_samples_the_same():
    (_, first), (_, second) = (fit(model=forced(0.5), epochs=2) for _ in range(2))
    assert first == second


def test_a_schedule_needs_a_model_that_samples():
    with pytest.raises(ValueError, match=r"fit with_teacher_forcing\(models, probab"):
        fit(callbacks=[TeacherForcing(3)])
    with pytest.raises(TypeError, match="models must be the Seq2SeqModels .* got str"):
        with_teacher_forcing("models", 0.5)


class RecordsWeights(keras.callbacks.Callback):
    """Keeps the weights after each update, and at the end of each epoch."""

    def on_train_begin(self, logs=None):
        self.updates, self.epochs = [], []

    def on_train_batch_end(self, batch, logs=None):
        self.updates.append(self.model.get_weights())

    def on_epoch_end(self, epoch, logs=None):
        self.epochs.append(self.model.get_weights())


@pytest.mark.parametrize("stops_after", [None, 0], ids=["runs", "stops early"])
def test_averaged_weights_are_the_moving_average_of_all_updates(stops_after):
    recorder, callbacks = RecordsWeights(), []
    if stops_after is not None:
        callbacks = [StopAtLoss(1e9)]
    optimizer = make_optimizer("sgd", learning_rate=0.5, ema_momentum=0.8)
    models, history = fit(
        optimizer=optimizer,
        epochs=3,
        callbacks=[AveragedWeights(), recorder, *callbacks],
        validation_batches=make_batches(shuffle=False),
    )
    averages = recorder.updates[0]
    for t, update in enumerate(recorder.updates[1:], 1):
        m = min(0.8, (1 + t) / (10 + t))
        averages = [m * a + (1 - m) * b for a, b in zip(averages, update, strict=True)]
    for found in (models.training.get_weights(), recorder.epochs[-1]):
        for a, b in zip(found, averages, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
    models.training.compile(loss=MaskedCrossentropy())
    loss, _ = models.training.evaluate(make_batches(shuffle=False), verbose=0)
    np.testing.assert_allclose(history["val_loss"][-1], loss, rtol=1e-4)


def test_averages_of_a_short_training_are_no_initial_weights(tmp_path):
    settings = {"epochs": 8, "learning_rate": 0.02, "random_state": 0}
    X, y = make_number_words(600, 1, 2, random_state=0)
    estimator = Seq2SeqEstimator(
        units=32, ema_momentum=0.999, validation_fraction=0.0, **settings
    ).fit(X, y)
    assert estimator.score(X, y) > 0.9
    training = estimator.models_.training
    training.save(tmp_path / "training.keras")
    loaded = keras.models.load_model(tmp_path / "training.keras")
    assert type(loaded.optimizer) is keras.optimizers.Adam
    assert loaded.optimizer.ema_momentum == 0.999
    again = make_optimizer(training.optimizer, learning_rate=1.0, ema_momentum=0.9)
    assert type(again) is type(training.optimizer)
    assert again.get_config()["ema_momentum"] == 0.9


def test_averaged_weights_leave_the_training_as_it_is():
    updates = []
    for momentum, callbacks in ((None, []), (0.8, [AveragedWeights()])):
        recorder = RecordsWeights()
        fit(
            optimizer=make_optimizer("adam", learning_rate=0.1, ema_momentum=momentum),
            epochs=3,
            callbacks=[*callbacks, recorder],
            validation_batches=make_batches(shuffle=False),
        )
        updates.append(recorder.updates)
    for plain, averaged in zip(*updates, strict=True):
        for a, b in zip(plain, averaged, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_a_warm_up_rises_along_a_line_and_then_falls_along_half_a_cosine():
    optimizer = make_optimizer("sgd", learning_rate=1.0, warmup_steps=4, num_updates=12)
    rates = [float(optimizer._learning_rate(step)) for step in range(13)]
    np.testing.assert_allclose(rates[:5], [0, 0.25, 0.5, 0.75, 1.0])
    np.testing.assert_allclose(rates[8], 0.5, atol=1e-6)
    np.testing.assert_allclose(rates[12], 0.0, atol=1e-6)


def test_accumulated_gradients_update_as_one_larger_batch():
    weights = []
    for batch_size, steps in ((8, 1), (4, 2)):
        rng = np.random.default_rng(0)
        sides = [rng.integers(4, 8, size=(16, 3)).tolist() for _ in range(2)]
        batches = Batches(*sides, batch_size=batch_size, shuffle=False)
        optimizer = make_optimizer(
            "sgd", learning_rate=0.5, gradient_accumulation_steps=steps
        )
        models, _ = fit(batches=batches, optimizer=optimizer)
        weights.append(models.training.get_weights())
    for a, b in zip(*weights, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"warmup_steps": 5, "num_updates": 5}, "fewer than the 5 updates"),
        ({"warmup_steps": -1}, "warmup_steps must be"),
        ({"ema_momentum": 1.0}, "ema_momentum must be"),
        ({"gradient_accumulation_steps": 0}, "gradient_accumulation_steps must be"),
        (
            {"optimizer": keras.optimizers.SGD(), "warmup_steps": 2},
            "is for an optimizer given by name",
        ),
        (
            {
                "optimizer": keras.optimizers.LossScaleOptimizer(
                    keras.optimizers.SGD()
                ),
                "ema_momentum": 0.9,
            },
            "to the optimizer inside it",
        ),
    ],
)
def test_settings_of_an_optimizer_that_cannot_be_are_refused(changes, match):
    with pytest.raises(ValueError, match=match):
        make_optimizer(**{"optimizer": "sgd", "learning_rate": 1.0, **changes})


def test_the_models_can_be_saved_after_teacher_forcing(tmp_path):
    models = build_seq2seq(9, 8, units=4, random_state=0)
    with_teacher_forcing(models, 0.5)
    models.training.save(tmp_path / "training.keras")
    again = keras.models.load_model(tmp_path / "training.keras")
    for one, other in zip(again.weights, models.training.weights, strict=True):
        np.testing.assert_array_equal(one, other)
