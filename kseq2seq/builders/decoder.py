"""The decoder, wired once for training and for a single step."""

from __future__ import annotations

from typing import Any

import keras

from kseq2seq.builders.architecture import Architecture
from kseq2seq.builders.components import Components
from kseq2seq.layers import DotAttention


class Decoder:
    """The decoder's layers, and the one way in which they are wired."""

    def __init__(self, architecture: Architecture, components: Components) -> None:
        self.architecture = architecture
        self.embedding = components.embedding(
            "target", architecture.target_vocabulary_size, architecture.target_embedding
        )
        self.recurrent = []
        self.dropouts = []
        for i in range(1, architecture.num_layers + 1):
            before = f"decoder_dropout_{i}" if i > 1 else "target_embedding_dropout"
            self.dropouts.append(components.dropout(name=before))
            self.recurrent.append(
                components.recurrent(
                    architecture.units, name=f"decoder_{architecture.cell}_{i}"
                )
            )
        self.attention = None
        if architecture.attention:
            self.attention = _Attention(architecture, components)
        self.logits_dropout = components.dropout(name="logits_dropout")
        self.logits = components.dense(
            architecture.target_vocabulary_size, name="logits"
        )

    def wire(self, decoder_input_ids: Any, memory: list[Any]) -> list[Any]:
        """Return ``[logits, *states]`` and with attention the weights.

        Serves any number of steps: all gold ids in training, one id in the decoder.
        """
        outputs = self.embedding(decoder_input_ids)
        states_per_layer = len(self.architecture.state_names)
        new_states: list[Any] = []
        for layer, dropout in zip(self.recurrent, self.dropouts, strict=True):
            start = len(new_states)
            states = memory[start : start + states_per_layer]
            outputs, *states = layer(dropout(outputs), initial_state=states)
            new_states += states
        weights: list[Any] = []
        if self.attention is not None:
            outputs, *weights = self.attention.wire(outputs, *memory[-2:])
        return [self.logits(self.logits_dropout(outputs)), *new_states, *weights]

    def step_model(self, encoder: keras.Model) -> keras.Model:
        """Return the decoder as a model of one step over what the encoder gives."""
        names = [
            f"state_{name}_{i}"
            for i in range(1, self.architecture.num_layers + 1)
            for name in self.architecture.state_names
        ]
        names += ["encoder_outputs", "source_mask"] if self.attention else []
        decoder_input_ids = keras.Input((1,), name="decoder_input_ids", dtype="int32")
        memory = [
            keras.Input(tuple(given.shape[1:]), name=name, dtype=given.dtype)
            for name, given in zip(names, encoder.outputs, strict=True)
        ]
        outputs = self.wire(decoder_input_ids, memory)
        return keras.Model([decoder_input_ids, *memory], outputs, name="decoder")


class _Attention:
    """Dot-product attention over the encoder outputs, masked where the source ends."""

    def __init__(self, architecture: Architecture, components: Components) -> None:
        self.query: Any = components.identity
        if architecture.encoder_width != architecture.units:
            self.query = components.dense(
                architecture.encoder_width, use_bias=False, name="attention_query"
            )
        self.attention = DotAttention(name="attention")
        self.concatenate = keras.layers.Concatenate(name="attention_concatenate")
        self.vector = components.dense(
            architecture.attention_units or architecture.units,
            activation="tanh",
            name="attention_vector",
        )

    def wire(self, outputs: Any, encoder_outputs: Any, mask: Any) -> tuple[Any, Any]:
        """Return the attentional vector and the weights, both for every step."""
        context, weights = self.attention(self.query(outputs), encoder_outputs, mask)
        return self.vector(self.concatenate([context, outputs])), weights
