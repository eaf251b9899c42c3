"""Cells and attention layers that a user brings."""

from __future__ import annotations

from collections.abc import Callable

import keras

MakeCell = Callable[[int], keras.layers.Layer]
MakeAttention = Callable[[], keras.layers.Layer]


def count_states(make: MakeCell, units: int) -> int:
    """Return how many states a cell has; raise unless it is one of this width."""
    expected = (
        "cell must be the name of one, or a function of a width, such as a class, that "
        "returns a Keras cell: a layer with state_size, each of that width, whose "
        "call(inputs, states) returns the output, as wide, and the new states, of a "
        "class that @keras.saving.register_keras_serializable() tells Keras"
    )
    try:
        cell = make(units)
        _check_registered(cell)
        recurrent = keras.layers.RNN(cell, return_sequences=True)
        outputs = recurrent(keras.Input((None, units)))
        sizes = cell.state_size
        sizes = list(sizes) if isinstance(sizes, list | tuple) else [sizes]
    except Exception as error:
        raise ValueError(
            f"{expected}; {make!r:.80} failed: {type(error).__name__}: {error}"
        ) from error
    widths = [*sizes, outputs.shape[-1]]
    if widths != [units] * len(widths):
        raise ValueError(
            f"{expected}; at width {units}, {make!r:.80} gives states of {sizes} and "
            f"outputs of {outputs.shape[-1]}."
        )
    return len(sizes)


def make_attention(
    make: MakeAttention, units: int, encoder_units: int
) -> keras.layers.Layer:
    """Return the attention layer that a function makes; raise unless it is one."""
    expected = (
        "attention must be the name of one, or a function, such as a class, that "
        "returns a Keras layer whose call(queries, encoder_outputs, source_mask) "
        "returns context vectors (batch, target_len, any width) and weights (batch, "
        "target_len, source_len), of a class that "
        "@keras.saving.register_keras_serializable() tells Keras"
    )
    queries = keras.Input((2, units))
    outputs = keras.Input((3, encoder_units))
    try:
        layer = make()
        _check_registered(layer)
        context, weights = layer(queries, outputs, keras.Input((3,), dtype="bool"))
        shapes = context.shape[:2], tuple(weights.shape)
    except Exception as error:
        raise ValueError(
            f"{expected}; {make!r:.80} failed: {type(error).__name__}: {error}"
        ) from error
    if len(context.shape) != 3 or shapes != ((None, 2), (None, 2, 3)):
        raise ValueError(
            f"{expected}; for 2 queries and a source of 3 tokens {make!r:.80} gives "
            f"{context.shape} and {weights.shape}."
        )
    return layer


def _check_registered(layer: keras.layers.Layer) -> None:
    """Raise Keras's error unless it can make the layer again from its config."""
    saved = keras.saving.serialize_keras_object(layer)
    keras.saving.deserialize_keras_object(saved)
