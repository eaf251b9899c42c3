"""Hypothesis strategies, and models whose every weight and state is its own."""

import numpy as np
from hypothesis import strategies as st

from kseq2seq import build_attention_seq2seq, build_seq2seq

token_lists = st.lists(st.sampled_from("abcdefgh"), max_size=8)
id_lists = st.lists(st.integers(4, 11), max_size=7)
texts = st.text(
    alphabet=st.one_of(
        st.sampled_from(" \t\n,.!?()'\"-_￭aBé\u0301中9"),
        st.characters(exclude_categories=["Cs"]),
    ),
    max_size=40,
)


def make_models(*, attention=True, seed=0, scale=0.6, **sizes):
    """Build models and give every weight, biases too, a value of its own."""
    build = build_attention_seq2seq if attention else build_seq2seq
    models = build(
        **{
            "source_vocabulary_size": 12,
            "target_vocabulary_size": 9,
            "units": 6,
            "random_state": seed,
            **sizes,
        }
    )
    generator = np.random.default_rng(seed)
    for weight in models.training.weights:
        weight.assign(generator.normal(0, scale, size=tuple(weight.shape)))
    return models


def random_ids(generator, lengths, size):
    """Return rows of random tokens, END at each end, PAD after it."""
    ids = np.zeros((len(lengths), max(lengths)), dtype="int32")
    for row, length in zip(ids, lengths, strict=True):
        row[: length - 1] = generator.integers(4, size, length - 1)
        row[length - 1] = 3
    return ids
