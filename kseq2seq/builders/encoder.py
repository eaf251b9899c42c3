"""From source ids to what the decoder starts from."""

from __future__ import annotations

from typing import Any

import keras

from kseq2seq.builders.architecture import Architecture
from kseq2seq.builders.components import Components
from kseq2seq.layers import PaddingMask, Unmasked


def build_encoder(architecture: Architecture, components: Components) -> keras.Model:
    """Return the model from source ids to states, and with attention outputs and mask.

    States are ``(batch, units)`` each: of layer 1, then of layer 2 ...; an LSTM's h
    before its c.
    """
    source_ids = keras.Input((None,), name="source_ids", dtype="int32")
    mask = PaddingMask(name="source_mask")(source_ids)
    outputs = components.embedding(
        "source", architecture.source_vocabulary_size, architecture.source_embedding
    )(source_ids)
    outputs = components.dropout(name="source_embedding_dropout")(outputs)
    states: list[Any] = []
    for i in range(1, architecture.num_layers + 1):
        if i > 1:
            outputs = components.dropout(name=f"encoder_dropout_{i}")(outputs)
        layer = components.encoder_recurrent(name=f"encoder_{architecture.cell}_{i}")
        outputs, *layer_states = layer(outputs, mask=mask)
        states += _decoder_states(architecture, components, layer_states, i)
    memory = []
    if architecture.attention:
        memory = [Unmasked(name="encoder_outputs")(outputs), mask]
    return keras.Model(source_ids, [*states, *memory], name="encoder")


def _decoder_states(
    architecture: Architecture, components: Components, states: list[Any], i: int
) -> list[Any]:
    """Join the two directions' states and bring them to the decoder's width."""
    names = architecture.state_names
    if architecture.bidirectional:
        forward, backward = states[: len(names)], states[len(names) :]
        states = [
            keras.layers.Concatenate(name=f"encoder_state_{name}_{i}")([one, other])
            for name, one, other in zip(names, forward, backward, strict=True)
        ]
    if architecture.encoder_width == architecture.units:
        return states
    return [
        components.dense(
            architecture.units, activation="tanh", name=f"bridge_{name}_{i}"
        )(state)
        for name, state in zip(names, states, strict=True)
    ]
