"""The decoder, wired once for training and for a single step."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import keras

from kseq2seq.builders.architecture import Architecture
from kseq2seq.builders.components import Components
from kseq2seq.builders.custom_parts import make_attention
from kseq2seq.builders.monotonic import Monotonic
from kseq2seq.layers import (
    AttentionKind,
    FeedAlong,
    PointerGenerator,
    RepeatAlong,
    StepCell,
)


class Decoder:
    """The decoder's layers, and the one way in which they are wired."""

    def __init__(self, architecture: Architecture, components: Components) -> None:
        self.architecture = architecture
        self.embedding: Any
        self.reader = self._reader(components)
        self.recurrent = []
        self.dropouts = []
        self.after_layers = []
        for i in range(1, architecture.num_layers + 1):
            between: Callable[[Any], Any] = components.identity
            if i > 1 and not architecture.input_feeding:
                between = components.dropout(name=f"decoder_dropout_{i}")
            self.dropouts.append(between)
            self.recurrent.append(
                components.recurrent(
                    architecture.units, name=f"decoder_{architecture.cell_name}_{i}"
                )
            )
            self.after_layers.append(components.after_layer(i, name="decoder"))
        self.attention: Any = None
        if architecture.attention:
            attention = Monotonic if architecture.is_monotonic else _Attention
            self.attention = attention(architecture, components)
        if architecture.input_feeding:
            width = architecture.output_width
            self.fed_concatenate = keras.layers.Concatenate(name="input_and_attention")
            self.fed_as_step = keras.layers.Reshape((1, width), name="fed_attention")
            self.fed_as_vector = keras.layers.Reshape(
                (width,), name="attention_to_feed"
            )
        size, name = architecture.target_vocabulary_size, "logits"
        if architecture.target_features is not None:
            size, name = architecture.target_features, "values"
        levels = architecture.quantiles or ()
        self.split: Callable[[Any], Any] = components.identity
        if levels:
            shape = (-1, size, 1 + len(levels))
            self.split = keras.layers.Reshape(shape, name="values_and_quantiles")
            size = (size or 0) * (1 + len(levels))
        self.with_features = keras.layers.Concatenate(name="input_and_features")
        self.output_dropout = components.dropout(name=f"{name}_dropout")
        self.output: Callable[[Any], Any]
        if architecture.tied_embeddings:
            self.output = partial(self.embedding, reverse=True)
        else:
            self.output = components.dense(size, name=name)
        if architecture.copies:
            self.copying = PointerGenerator(name="log_probs")

    def _reader(self, components: Components) -> Callable[[Any, Any], Any]:
        """Return what makes the first recurrent layer's inputs.

        It is a function of the decoder inputs and of the encoder's constants, the
        first of which is its last state if the decoder repeats it.
        """
        architecture = self.architecture
        if architecture.decoder == "repeat":
            dropout = components.dropout(name="encoder_state_dropout")
            repeat = RepeatAlong(name="repeat_encoder_state")
            return lambda inputs, constants: repeat(dropout(constants[0]), inputs)
        if architecture.target_vocabulary_size is None:
            return lambda inputs, _: inputs
        self.embedding = components.embedding(
            "target",
            architecture.target_vocabulary_size,
            architecture.target_embedding,
            tied=architecture.tied_embeddings,
        )
        dropout = components.dropout(name="target_embedding_dropout")
        words = components.word_dropout(name="target_word_dropout")
        return lambda inputs, _: dropout(self.embedding(words(inputs)))

    def wire(self, given: list[Any], memory: list[Any]) -> list[Any]:
        """Return ``[logits or values, *states]`` and with attention the weights.

        Serves any number of steps: all gold tokens in training, one in the decoder.
        `given` is what :meth:`inputs` returns.
        """
        decoder_inputs, *features = given
        num_states = len(self.architecture.decoder_states)
        inputs = self.reader(decoder_inputs, memory[num_states:])
        if features:
            inputs = self.with_features([inputs, *features])
        if self.architecture.is_monotonic:
            return self._wire_monotonic(decoder_inputs, inputs, memory)
        states: list[Any] = []
        if not self.architecture.input_feeding:
            outputs, states = self._recur(inputs, memory)
            read, *looked = self._look(outputs, memory)
        elif decoder_inputs.shape[1] == 1:
            read, states, looked = self._read_fed(inputs, memory)
        else:
            read, *looked = self._feed_along(inputs, memory)
        outputs = self.split(self.output(self.output_dropout(read)))
        if self.architecture.copies:
            switch, *looked = looked
            outputs = self.copying(outputs, *looked, switch, memory[num_states])
        return [outputs, *states, *looked]

    def _wire_monotonic(
        self, decoder_inputs: Any, inputs: Any, memory: list[Any]
    ) -> list[Any]:
        """Return what :meth:`wire` does; logits are read at every place."""
        outputs, states = self._recur(inputs, memory)
        vectors = self.output_dropout(self.attention.vectors(outputs, memory))
        looked = self.attention.wire(
            self.output(vectors), vectors, outputs, decoder_inputs, memory
        )
        log_probs, places, weights = looked
        return [log_probs, *states, places, weights]

    def _feed_along(self, inputs: Any, memory: list[Any]) -> list[Any]:
        """Return what :meth:`_look` does, of all steps, taken one after the other.

        The weights are needed, and given, only where tokens are copied.
        """
        given = keras.Input((1, inputs.shape[-1]), name="decoder_inputs")
        inner = [
            keras.Input(tuple(m.shape[1:]), name=f"memory_{i}", dtype=m.dtype)
            for i, m in enumerate(memory)
        ]
        read, states, looked = self._read_fed(given, inner)
        step = keras.Model(
            [given, *inner], [read, *states, *looked], name="decoder_step"
        )
        copies = self.architecture.copies
        along = FeedAlong if copies else keras.layers.RNN
        cell = StepCell(
            step,
            len(self.architecture.decoder_states),
            gives_all=copies,
            name="step_cell",
        )
        layer = along(cell, return_sequences=True, name="input_feeding")
        outputs = layer(inputs, initial_state=memory)
        return outputs if copies else [outputs]

    def _read_fed(
        self, inputs: Any, memory: list[Any]
    ) -> tuple[Any, list[Any], list[Any]]:
        """Take one step, fed the attentional vector of the step before as well."""
        last = len(self.architecture.decoder_states) - 1
        fed = self.fed_concatenate([inputs, self.fed_as_step(memory[last])])
        outputs, states = self._recur(fed, memory)
        read, *looked = self._look(outputs, memory)
        return read, [*states, self.fed_as_vector(read)], looked

    def _look(self, outputs: Any, memory: list[Any]) -> list[Any]:
        """Return what the logits are read from.

        With attention the weights follow, and where tokens are copied the switch
        between vocabulary and source before them.
        """
        return [outputs] if not self.attention else self.attention.wire(outputs, memory)

    def _recur(self, outputs: Any, memory: list[Any]) -> tuple[Any, list[Any]]:
        """Return the outputs of the last recurrent layer, and the new states."""
        states_per_layer = len(self.architecture.state_names)
        new_states: list[Any] = []
        for layer, dropout, after in zip(
            self.recurrent, self.dropouts, self.after_layers, strict=True
        ):
            start = len(new_states)
            states = memory[start : start + states_per_layer]
            inputs = outputs
            outputs, *states = layer(dropout(inputs), initial_state=states)
            outputs = after(inputs, outputs)
            new_states += states
        return outputs, new_states

    def inputs(self, steps: int | None) -> list[Any]:
        """Return the decoder's inputs for a number of steps.

        They are ids, or real values, and what is known ahead, if it reads that.
        """
        width = self.architecture.target_features
        if width is None:
            return [keras.Input((steps,), name="decoder_input_ids", dtype="int32")]
        values = keras.Input((steps, width), name="decoder_input_values")
        features = self.architecture.decoder_features
        if features is None:
            return [values]
        return [values, keras.Input((steps, features), name="decoder_features")]

    def step_model(self, encoder: keras.Model) -> keras.Model:
        """Return the decoder as a model of one step over what the encoder gives."""
        names = [f"state_{name}" for name in self.architecture.decoder_states]
        names += ["encoder_state"] if self.architecture.decoder == "repeat" else []
        names += ["copy_ids"] if self.architecture.copies else []
        names += self.attention.names if self.attention else []
        decoder_inputs = self.inputs(steps=1)
        memory = [
            keras.Input(tuple(given.shape[1:]), name=name, dtype=given.dtype)
            for name, given in zip(names, encoder.outputs, strict=True)
        ]
        outputs = self.wire(decoder_inputs, memory)
        return keras.Model([*decoder_inputs, *memory], outputs, name="decoder")


class _Attention:
    """Attention over the encoder outputs, masked where the source ends."""

    def __init__(self, architecture: Architecture, components: Components) -> None:
        self.names = ["encoder_outputs", "source_mask"]
        self.query: Callable[[Any], Any] = components.identity
        kind = architecture.attention_kind
        if kind is not None:
            self._make(kind, architecture, components)
        elif callable(architecture.attention):
            self.attention = make_attention(
                architecture.attention, architecture.units, architecture.encoder_width
            )
        self.concatenate = keras.layers.Concatenate(name="attention_concatenate")
        self.vector = components.dense(
            architecture.output_width,
            activation="tanh",
            name="attention_vector",
        )
        self.switches: list[Any] = []
        if architecture.copies:
            self.switches.append(components.dense(1, name="copy_switch"))

    def _make(
        self, kind: AttentionKind, architecture: Architecture, components: Components
    ) -> None:
        """Make the layers of a kind that is known by name."""
        if kind.reads_keys:
            self.names.insert(0, "attention_keys")
        rate = architecture.attention_dropout
        options: dict[str, Any] = {}
        if rate:
            options = {"dropout": rate, "seed": components.seed()}
        width = architecture.units if kind.reads_keys else architecture.encoder_width
        if kind.always_projects or width != architecture.units:
            self.query = components.dense(
                width, use_bias=kind.query_bias, name="attention_query"
            )
        if kind.has_kernel:
            initializer = components.initializer(architecture.kernel_initializer)
            options["kernel_initializer"] = initializer
        self.attention = kind.layer(name="attention", **options)

    def wire(self, outputs: Any, memory: list[Any]) -> list[Any]:
        """Return for every step the attentional vector, any switch, and the weights."""
        *keys, encoder_outputs, mask = memory[-len(self.names) :]
        context, weights = self.attention(
            self.query(outputs), encoder_outputs, mask, *keys
        )
        seen = self.concatenate([context, outputs])
        return [self.vector(seen), *(switch(seen) for switch in self.switches), weights]
