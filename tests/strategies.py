"""Hypothesis strategies, models whose every weight is its own, small estimators."""

import numpy as np
from hypothesis import strategies as st

from kseq2seq import (
    Seq2SeqEstimator,
    SequenceClassifier,
    build_attention_seq2seq,
    build_seq2seq,
)

token_lists = st.lists(st.sampled_from("abcdefgh"), max_size=8)
id_lists = st.lists(st.integers(4, 11), max_size=7)
texts = st.text(
    alphabet=st.one_of(
        st.sampled_from(" \t\n,.!?()'\"-_￭aBé\u0301中9"),
        st.characters(exclude_categories=["Cs"]),
    ),
    max_size=40,
)

SOURCE_SIZE, TARGET_SIZE = 12, 9
"""The vocabulary sizes of :func:`make_models`."""
COPY_TABLE = np.array([0, 0, 0, 0, 4, 5, 6, 7, 8, 0, 4, 0])
"""What of such sources can be copied: two ids cannot, and two write the same one."""


def make_models(*, attention=True, seed=0, scale=0.6, **sizes):
    """Build models and give every weight, biases too, a value of its own."""
    build = build_attention_seq2seq if attention else build_seq2seq
    defaults = {"units": 6, "random_state": seed}
    if isinstance(attention, str):
        defaults["attention"] = attention
    if "source_features" not in sizes:
        defaults["source_vocabulary_size"] = SOURCE_SIZE
    if "target_features" not in sizes:
        defaults["target_vocabulary_size"] = TARGET_SIZE
    models = build(**{**defaults, **sizes})
    scatter_weights(models.training, seed=seed, scale=scale)
    return models


def scatter_weights(model, *, seed=0, scale=0.6):
    """Give every weight, biases too, a value of its own."""
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        weight.assign(rng.normal(0, scale, size=tuple(weight.shape)))


def random_ids(rng, lengths, size):
    """Return rows of random tokens, END at each end, PAD after it."""
    ids = np.zeros((len(lengths), max(lengths)), dtype="int32")
    for row, length in zip(ids, lengths, strict=True):
        row[: length - 1] = rng.integers(4, size, length - 1)
        row[length - 1] = 3
    return ids


def label(settings):
    """Name a dict of settings in a test's id: the same in every process, no spaces."""
    if not isinstance(settings, dict):
        return str(settings).replace(" ", "-")
    shown = {
        name: f"array{value.shape}" if isinstance(value, np.ndarray) else value
        for name, value in settings.items()
    }
    named = ",".join(f"{name}={value}" for name, value in shown.items())
    return named.replace(" ", "") or "default"


X, Y = ["ab", "ba", "abb", "a"] * 4, ["x", "y", "xy", "yyx"] * 4
LABELS = ["p", "q", "p", "q"] * 4
SMALL = {
    "units": 8,
    "bidirectional": False,
    "epochs": 1,
    "batch_size": 16,
    "validation_fraction": 0.0,
    "random_state": 0,
}
"""What a fit of the pairs above takes about a second with."""


def small_estimator(**parameters):
    """Return an estimator that is fitted in about a second."""
    return Seq2SeqEstimator(**{**SMALL, **parameters})


def small_classifier(**parameters):
    """Return a classifier that is fitted in about a second."""
    return SequenceClassifier(**{**SMALL, **parameters})


def weights_of(estimator):
    """Return the weights of a fitted estimator or classifier as arrays."""
    models = getattr(estimator, "models_", None)
    return (models.training if models else estimator.model_).get_weights()


def assert_same_weights(one, other):
    """Hold that two fitted estimators have the same weights bit for bit."""
    for a, b in zip(weights_of(one), weights_of(other), strict=True):
        np.testing.assert_array_equal(a, b)
