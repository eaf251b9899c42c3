"""From source ids to what the decoder starts from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras

from kseq2seq.builders.architecture import Architecture, EncoderArchitecture
from kseq2seq.builders.components import Components
from kseq2seq.layers import (
    CopyIds,
    EveryFrame,
    FirstPlace,
    NothingYet,
    PaddingMask,
    Unmasked,
    WholeFrames,
    ZerosForNaN,
)


@dataclass(frozen=True)
class Reading:
    """What reading a source gives.

    Attributes
    ----------
    source : KerasTensor
        The input: ids ``(batch, source_len)``, or values with a last axis of features.
    mask : KerasTensor
        ``(batch, source_len)``, True where a token or a frame stands.
    outputs : KerasTensor
        Of the last layer: ``(batch, source_len, encoder_units)``.
    states : list of list of KerasTensor
        Of each layer: the states of the forward direction (``state_names`` says in
        which order), then those of the backward one.
    """

    source: Any
    mask: Any
    outputs: Any
    states: list[list[Any]]


def read_source(architecture: EncoderArchitecture, components: Components) -> Reading:
    """Wire the source through the recurrent layers."""
    source, mask, outputs = _embed(architecture, components)
    # Where every frame counts, no mask: the recurrence is faster without.
    every_counts = architecture.source_features is not None
    padding = None if every_counts and not architecture.mask_nan else mask
    states = []
    for i in range(1, architecture.num_layers + 1):
        inputs = outputs
        if i > 1:
            outputs = components.dropout(name=f"encoder_dropout_{i}")(outputs)
        layer = components.encoder_recurrent(
            name=f"encoder_{architecture.cell_name}_{i}"
        )
        outputs, *layer_states = layer(outputs, mask=padding)
        outputs = components.after_layer(i, name="encoder")(inputs, outputs)
        states.append(layer_states)
    return Reading(source, mask, outputs, states)


def _embed(
    architecture: EncoderArchitecture, components: Components
) -> tuple[Any, Any, Any]:
    """Return the source, its mask, and what the first recurrent layer reads."""
    if architecture.source_features is not None:
        shape = (None, architecture.source_features)
        values = keras.Input(shape, name="source_values")
        if not architecture.mask_nan:
            return values, EveryFrame(name="source_mask")(values), values
        mask = WholeFrames(name="source_mask")(values)
        return values, mask, ZerosForNaN(name="source_frames")(values)
    ids = keras.Input((None,), name="source_ids", dtype="int32")
    embedding = components.embedding(
        "source", architecture.source_vocabulary_size, architecture.source_embedding
    )
    dropout = components.dropout(name="source_embedding_dropout")
    words = components.word_dropout(name="source_word_dropout")(ids)
    return ids, PaddingMask(name="source_mask")(ids), dropout(embedding(words))


def build_encoder(architecture: Architecture, components: Components) -> keras.Model:
    """Return the model from the source to the decoder's first states and constants.

    The states are ``(batch, units)`` each: those of layer 1, then of layer 2 ..., an
    LSTM's h before its c; with input feeding the first attentional vector, zeros,
    follows, with monotonic attention the first place, ``(batch, source_len,
    target_vocabulary_size)``. The constants are the same at every decoder step: the
    last layer's h, for a decoder that repeats it, then with attention the target ids
    that copying the source's tokens writes, for a decoder that copies, the keys, for a
    kind that reads them, or what each place brings to the attentional vectors, if
    attention is monotonic, and the encoder outputs and their mask.
    """
    reading = read_source(architecture, components)
    states: list[Any] = []
    for i, layer_states in enumerate(reading.states, 1):
        states += _decoder_states(architecture, components, layer_states, i)
    if architecture.input_feeding:
        nothing = NothingYet(architecture.output_width, name="initial_attention")
        states.append(nothing(states[0]))
    if architecture.is_monotonic:
        first = FirstPlace(architecture.target_vocabulary_size or 0, name="first_place")
        states.append(first(reading.mask))
    constants = []
    if architecture.decoder == "repeat":
        last = states[-len(architecture.state_names)]
        constants.append(Unmasked(name="encoder_state")(last))
    if architecture.attention:
        outputs = Unmasked(name="encoder_outputs")(reading.outputs)
        if architecture.copies:
            copy_ids = CopyIds(architecture.copy_table, name="copy_ids")
            constants.append(copy_ids(reading.source))
        kind = architecture.attention_kind
        if kind is not None and kind.reads_keys:
            keys = components.dense(
                architecture.units, use_bias=False, name="attention_keys"
            )
            constants.append(keys(outputs))
        if architecture.is_monotonic:
            width = architecture.output_width
            brings = components.dense(width, use_bias=False, name="attention_places")
            constants.append(brings(outputs))
        constants += [outputs, reading.mask]
    return keras.Model(reading.source, [*states, *constants], name="encoder")


def _decoder_states(
    architecture: Architecture, components: Components, states: list[Any], i: int
) -> list[Any]:
    """Join the two directions' states and bring them to the decoder's width."""
    names = architecture.state_names
    states = join_directions(architecture, states, i)
    if architecture.encoder_width == architecture.units and not architecture.bridge:
        return states
    return [
        components.dense(
            architecture.units, activation="tanh", name=f"bridge_{name}_{i}"
        )(state)
        for name, state in zip(names, states, strict=True)
    ]


def join_directions(
    architecture: EncoderArchitecture, states: list[Any], i: int
) -> list[Any]:
    """Return the states of layer i, those of two directions side by side."""
    if not architecture.bidirectional:
        return states
    names = architecture.state_names
    forward, backward = states[: len(names)], states[len(names) :]
    return [
        keras.layers.Concatenate(name=f"encoder_state_{name}_{i}")([one, other])
        for name, one, other in zip(names, forward, backward, strict=True)
    ]
