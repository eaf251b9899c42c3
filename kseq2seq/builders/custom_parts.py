"""Cells and attention layers that a user brings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

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
    widths = units, 2 * units
    try:
        cells = [make(width) for width in widths]
        found = [_shapes(*pair) for pair in zip(cells, widths, strict=True)]
        if cells[0] is cells[1]:
            raise TypeError("it returns the same cell again, in place of a new one")
    except Exception as error:
        raise ValueError(
            f"{expected}; {make!r:.80} failed: {type(error).__name__}: {error}"
        ) from error
    for width, (sizes, shapes) in zip(widths, found, strict=True):
        whole = [(None, width)] * (len(sizes) + 1)
        if sizes != [width] * len(sizes) or shapes != whole:
            raise ValueError(
                f"{expected}; at width {width}, {make!r:.80} has states of {sizes} and "
                f"gives an output and states of {shapes}."
            )
    return len(found[0][0])


def _shapes(cell: Any, width: int) -> tuple[list[int], list[tuple[int | None, ...]]]:
    """Return the sizes of a cell's states, and the shapes of what a step gives."""
    _check_registered(cell)
    keras.layers.RNN(cell)(keras.Input((None, width)))  # builds it
    sizes = cell.state_size
    sizes = list(sizes) if isinstance(sizes, list | tuple) else [sizes]
    states = [keras.Input((size,)) for size in sizes]
    output, new_states = cell(keras.Input((width,)), states)
    new_states = new_states if isinstance(new_states, list | tuple) else [new_states]
    return sizes, [tuple(given.shape) for given in (output, *new_states)]


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
    lengths = (2, 3), (5, 4)  # of queries and of tokens
    try:
        layer = make()
        _check_registered(layer)
        found = [
            _looked(layer, (num_queries, units), (num_tokens, encoder_units))
            for num_queries, num_tokens in lengths
        ]
    except Exception as error:
        raise ValueError(
            f"{expected}; {make!r:.80} failed: {type(error).__name__}: {error}"
        ) from error
    width = found[0][0][-1]
    for (num_queries, num_tokens), shapes in zip(lengths, found, strict=True):
        if shapes != [(None, num_queries, width), (None, num_queries, num_tokens)]:
            raise ValueError(
                f"{expected}; for {num_queries} queries and a source of {num_tokens} "
                f"tokens {make!r:.80} gives {shapes[0]} and {shapes[1]}."
            )
    return layer


def _looked(
    layer: keras.layers.Layer,
    queries: tuple[int, int],
    encoder_outputs: tuple[int, int],
) -> list[tuple[int | None, ...]]:
    """Return the shapes that an attention layer gives for inputs of these."""
    mask = keras.Input(encoder_outputs[:1], dtype="bool")
    context, weights = layer(keras.Input(queries), keras.Input(encoder_outputs), mask)
    return [tuple(given.shape) for given in (context, weights)]


def _check_registered(layer: keras.layers.Layer) -> None:
    """Raise Keras's error unless it can make the layer again from its config."""
    saved = keras.saving.serialize_keras_object(layer)
    keras.saving.deserialize_keras_object(saved)
