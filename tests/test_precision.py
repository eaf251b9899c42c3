"""Every part computes in mixed and in double precision what it does in single."""

import itertools

import keras
import numpy as np
import pytest

from kseq2seq import (
    Seq2SeqEstimator,
    SequenceClassifier,
    build_attention_seq2seq,
    build_generator,
    build_seq2seq,
    build_sequence_classifier,
)
from kseq2seq.batching import close_and_pad, shift, shift_values
from kseq2seq.builders import ATTENTIONS, CELLS
from kseq2seq.training import MaskedCrossentropy, with_teacher_forcing

POLICIES = {"mixed_float16": 0.01, "mixed_bfloat16": 0.05, "float64": 1e-5}
"""How far logits may lie from those in single precision, under each policy."""
IDS = close_and_pad([[4, 5, 6], [5], [7, 4]])
WORDS = ["ab", "ba", "abb", "bba"] * 4
QUICK = {"units": 4, "embedding_dim": 4, "epochs": 1, "random_state": 0}
SEARCHES = [
    {"no_repeat_ngram_size": 2, "min_length": 1, "forced_prefix": [4]},
    {"beam_size": 3},
    {"beam_size": 3, "n_best": 2, "length_penalty": 0.6, "no_repeat_ngram_size": 1},
    {"temperature": 0.8, "top_k": 3, "top_p": 0.9, "seed": 0},
]


def set_precision(policy):
    keras.config.set_floatx("float64" if policy == "float64" else "float32")
    keras.config.set_dtype_policy(policy)


@pytest.fixture(params=POLICIES)
def policy(request):
    set_precision(request.param)
    yield request.param
    set_precision("float32")


def in_both(policy, build, *inputs):
    """Return what is built under the policy, and check it beside single precision."""
    set_precision("float32")
    single = build()
    set_precision(policy)
    models = build()
    one, other = (getattr(m, "training", m) for m in (single, models))
    other.set_weights(one.get_weights())
    assert other.compute_dtype == policy.removeprefix("mixed_")
    expected, found = (np.asarray(m(inputs), "float64") for m in (one, other))
    np.testing.assert_allclose(found, expected, atol=POLICIES[policy])
    return models


def train(model, inputs, targets, loss):
    """Take one step, and check that it moved the weights, to numbers."""
    before = [np.array(weight) for weight in model.trainable_variables]
    model.compile("sgd", loss=loss, run_eagerly=True)
    assert np.isfinite(model.train_on_batch(inputs, targets))
    moved = zip(before, model.trainable_variables, strict=True)
    assert any(np.any(old != np.array(new)) for old, new in moved)
    assert all(np.isfinite(weight).all() for weight in model.trainable_variables)


@pytest.mark.backends("tensorflow")
@pytest.mark.parametrize("attention", [None, *ATTENTIONS])
@pytest.mark.parametrize("cell", CELLS)
def test_every_cell_and_attention(policy, cell, attention):
    shapes = {"units": 4, "cell": cell, "random_state": 0}

    def build():
        if attention is None:
            return build_seq2seq(9, 8, decoder="repeat", **shapes)
        feeds = cell == "gru"
        return build_attention_seq2seq(
            9, 8, attention=attention, input_feeding=feeds, **shapes
        )

    models = in_both(policy, build, IDS, shift(IDS))
    sampling = with_teacher_forcing(models, 0.5, random_state=0)
    train(sampling, [IDS, shift(IDS)], IDS, MaskedCrossentropy())
    answers = build_generator(models, max_length=3)(IDS)
    assert answers["scores"].dtype == "float32" and np.isfinite(answers["scores"]).all()
