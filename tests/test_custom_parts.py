"""Cells, attention layers, losses and metrics that a user brings."""

import pickle

import keras
import numpy as np
import pytest
from keras import ops
from sklearn.base import clone
from strategies import LABELS, X, Y, small_classifier, small_estimator

from kseq2seq import (
    Seq2SeqEstimator,
    build_attention_seq2seq,
    build_generator,
    build_seq2seq,
    build_sequence_classifier,
)
from kseq2seq.batching import close_and_pad, shift

registered = keras.saving.register_keras_serializable(package="tests")


@registered
class TwoStates(keras.layers.Layer):
    """A cell that remembers in two ways: an average, and what an LSTM would."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units, self.output_size = units, units
        self.state_size = [units, units]
        self.gates = keras.layers.Dense(3 * units)

    def build(self, shape):
        self.gates.build((None, shape[-1] + self.units))

    def call(self, inputs, states):
        h, c = states
        gates = self.gates(ops.concatenate([inputs, h], axis=-1))
        keep, write, new = ops.split(gates, 3, axis=-1)
        c = ops.sigmoid(keep + 1) * c + ops.sigmoid(write) * ops.tanh(new)
        return ops.tanh(c), [ops.tanh(c), c]

    def get_config(self):
        return {**super().get_config(), "units": self.units}


@registered
class Cosine(keras.layers.Layer):
    """Attention that compares directions, and not lengths."""

    def call(self, queries, encoder_outputs, source_mask):
        scores = 10 * ops.matmul(
            ops.normalize(queries),
            ops.transpose(ops.normalize(encoder_outputs), (0, 2, 1)),
        )
        scores = ops.where(ops.expand_dims(source_mask, 1), scores, -1e9)
        weights = ops.softmax(scores)
        return ops.matmul(weights, encoder_outputs), weights


class Unregistered(TwoStates):
    """Keras could not copy it."""


@registered
class Returning(TwoStates):
    """A cell that returns no states."""

    def call(self, inputs, states):
        return inputs, []


@registered
class First(Cosine):
    """Attention that looks at the first two queries alone."""

    def call(self, queries, encoder_outputs, source_mask):
        return super().call(queries[:, :2], encoder_outputs, source_mask)


OWN = {"cell": TwoStates, "units": 16}


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"bidirectional": True, "num_layers": 2},
        {"attention": Cosine},
        {"attention": Cosine, "input_feeding": True},
        {"attention": "additive", "bridge": True},
    ],
    ids=str,
)
def test_a_step_of_custom_parts_is_a_step_of_training(options):
    build = build_attention_seq2seq if "attention" in options else build_seq2seq
    models = build(9, 9, **OWN, **options)
    assert models.has_attention == ("attention" in options)
    source_ids = close_and_pad([[4, 5, 6], [7]])
    answers = build_generator(models, max_length=5).predict(source_ids, verbose=0)
    logits = models.training.predict([source_ids, shift(answers["ids"])], verbose=0)
    logits[..., [0, 2]] = -np.inf  # PAD and START are no answers
    best = logits.argmax(-1)
    ended = np.cumsum(answers["ids"] == 3, axis=1) - (answers["ids"] == 3) > 0
    np.testing.assert_array_equal(np.where(ended, 0, best), answers["ids"])


def test_padding_changes_nothing_in_a_cell_of_ones_own():
    models = build_seq2seq(9, 9, **OWN, bidirectional=True)
    states = models.encoder.predict(close_and_pad([[4, 5]]), verbose=0)
    padded = models.encoder.predict(np.array([[4, 5, 3, 0, 0]]), verbose=0)
    for one, other in zip(states, padded, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_a_classifier_takes_a_cell_of_ones_own():
    assert build_sequence_classifier(9, 2, **OWN).output_shape == (None, 2)


@pytest.mark.slow
def test_an_estimator_learns_with_custom_parts_and_is_pickled(reversed_words, tmp_path):
    words, answers = reversed_words
    estimator = Seq2SeqEstimator(
        cell=TwoStates,
        attention_kind=Cosine,
        units=48,
        dropout=0.0,
        learning_rate=0.01,
        epochs=25,
        batch_size=16,
        validation_fraction=0.0,
        random_state=0,
    )
    estimator.fit(words, answers)
    assert estimator.score(words, answers) > 0.8
    again = pickle.loads(pickle.dumps(estimator))
    assert again.predict(words[:20]) == estimator.predict(words[:20])
    with pytest.raises(TypeError, match="holds no code, so this attention_kind cannot"):
        estimator.set_params(cell="lstm").save(tmp_path / "m.kseq2seq")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "cell, message",
    [
        (lambda units: None, "should have a `call` method"),
        (lambda units: keras.layers.LSTMCell(3), r"has states of \[3, 3\]"),
        (lambda units: keras.layers.GRUCell(8), r"at width 16, .* has states of \[8\]"),
        (Returning, r"gives an output and states of \[\(None, 8\)\]"),
        (lambda units: keras.layers.Dense(units), "should have a `state_size`"),
        (lambda: None, "takes 0 positional arguments"),
        (Unregistered, "register_keras_serializable"),
        ("lstn", "Did you mean 'lstm'"),
    ],
)
def test_a_cell_that_is_none_is_refused(cell, message):
    with pytest.raises(ValueError, match=rf"cell must be .*{message}"):
        build_seq2seq(9, 9, units=8, cell=cell)


@pytest.mark.parametrize(
    "attention, message",
    [
        (lambda: None, "'NoneType' object is not callable"),
        (lambda: lambda *inputs: (inputs[0], inputs[1]), "'function' object"),
        (First, "for 5 queries and a source of 4 tokens .* gives"),
        (lambda: keras.layers.Dense(3), "failed: "),
        ("dott", "Did you mean 'dot'"),
    ],
)
def test_an_attention_that_is_none_is_refused(attention, message):
    with pytest.raises(ValueError, match=rf"attention must be .*{message}"):
        build_attention_seq2seq(9, 9, units=8, attention=attention)


@pytest.mark.parametrize(
    "options",
    [
        {"cell": TwoStates, "recurrent_dropout": 0.1},
        {"attention": Cosine, "attention_dropout": 0.1},
    ],
    ids=str,
)
def test_what_custom_parts_do_themselves_is_not_asked_of_us(options):
    with pytest.raises(ValueError, match="your own drops inside itself. Leave it out"):
        build_attention_seq2seq(9, 9, units=8, **options)


@registered
class Focal(keras.losses.Loss):
    """Cross-entropy that counts what is nearly right less."""

    def call(self, y_true, y_pred):
        ids = ops.expand_dims(ops.cast(y_true, "int32"), -1)
        log_probs = ops.take_along_axis(ops.log_softmax(y_pred), ids, axis=-1)[..., 0]
        return -((1 - ops.exp(log_probs)) ** 2) * log_probs


@pytest.mark.parametrize(
    "estimator, y",
    [
        (small_estimator(epochs=2, learning_rate=0.05), Y),
        (small_classifier(epochs=2), LABELS),
    ],
    ids=["answering", "classifying"],
)
def test_losses_and_metrics_of_ones_own_are_used_and_copied(estimator, y, tmp_path):
    metric = keras.metrics.SparseTopKCategoricalAccuracy(2, name="top2")
    plain = estimator.fit(X, y).history_
    estimator = clone(estimator).set_params(
        loss=Focal(reduction="mean_with_sample_weight"),
        metrics=[metric],
        tol=1e-9,  # no bound of label smoothing on a loss of one's own
        label_smoothing=0.1,
    )
    history = estimator.fit(X, y, validation_data=(X, y)).history_
    assert history["loss"][0] < 0.9 * plain["loss"][0]
    for name in ("top2", "val_top2"):
        assert all(0 < value <= 1 for value in history[name])
    assert float(metric.result()) == 0  # a copy was used
    assert clone(estimator).fit(X, y, validation_data=(X, y)).history_ == history
    loaded = estimator.save(tmp_path / "m.kseq2seq")
    assert loaded.exists()


@pytest.mark.parametrize("parameters", [{"loss": "mse"}, {"metrics": ["accuracy"]}])
def test_what_is_no_loss_or_metric_is_refused(parameters):
    (name,) = parameters
    with pytest.raises(TypeError, match=rf"^{name} must be .*keras\.{name[:4]}"):
        small_estimator(**parameters).fit(X, Y)


@registered
class NoNumber(keras.losses.Loss):
    """A loss that is as many numbers as there are pairs."""

    def __call__(self, y_true, y_pred, sample_weight=None):
        return ops.zeros(2)


@pytest.mark.parametrize(
    "parameters, message",
    [
        ({"loss": keras.losses.CategoricalCrossentropy()}, "loss cannot measure"),
        ({"loss": keras.losses.Loss()}, "NotImplementedError"),
        ({"loss": NoNumber()}, "loss must make one number"),
        ({"metrics": [keras.metrics.AUC(name="auc")]}, "metrics: auc cannot measure"),
        ({"metrics": [keras.metrics.Mean("loss")]}, "'loss' is taken"),
        ({"metrics": [keras.metrics.Mean("a"), keras.metrics.Mean("a")]}, "is taken"),
    ],
)
def test_what_cannot_measure_the_model_is_refused(parameters, message):
    with pytest.raises(ValueError, match=message):
        small_estimator(**parameters).fit(X, Y)


def test_a_checkpoint_is_of_one_loss(tmp_path):
    def fit(**parameters):
        estimator = small_estimator(**parameters)
        return estimator.fit(X, Y, checkpoint=tmp_path / "run.kseq2seq").history_

    metrics = [keras.metrics.SparseCategoricalAccuracy(name="own")]
    history = fit(loss=Focal(reduction="mean_with_sample_weight"), metrics=metrics)
    assert fit(loss=Focal(reduction="mean_with_sample_weight"), metrics=metrics) == (
        history
    )
    with pytest.raises(ValueError, match="another loss or other metrics: .*Focal"):
        fit(metrics=metrics)
