"""Registered Keras layers: recurrent layers, embeddings, masks and attention."""

from __future__ import annotations

import functools
import math
from typing import Any

import keras
from keras import ops

from kseq2seq import _tensorflow
from kseq2seq.vocabulary import PAD

_register = keras.saving.register_keras_serializable(package="kseq2seq")


class _SingleStep:
    """Call the cell itself, with no loop around it, when time has one step.

    A decoder step is such a call; a loop of one round costs more than its cell.
    """

    def inner_loop(
        self, sequences: Any, initial_state: Any, mask: Any, training: bool = False
    ) -> tuple[Any, Any, list[Any]]:
        if mask is not None or sequences.shape[1] != 1:
            return super().inner_loop(  # type: ignore[misc]
                sequences, initial_state, mask, training=training
            )
        output, states = self.cell(  # type: ignore[attr-defined]
            sequences[:, 0], list(initial_state), training=training
        )
        return output, ops.expand_dims(output, 1), list(states)


@_register
class SimpleRNN(_SingleStep, keras.layers.SimpleRNN):
    """Keras's simple recurrent layer, fast at a single step."""


@_register
class GRU(_SingleStep, keras.layers.GRU):
    """Keras's GRU, fast at a single step (Cho et al., 2014, arXiv:1406.1078)."""


@_register
class LSTM(_SingleStep, keras.layers.LSTM):
    """Keras's LSTM, faster on a CPU (Hochreiter and Schmidhuber, 1997).

    On TensorFlow, where there is no GPU, the inputs of all steps are projected at once
    and the gradient is written by hand. Where embeddings of few tokens are read, the
    tokens are projected, and not every place where one stands.
    """

    def inner_loop(
        self, sequences: Any, initial_state: Any, mask: Any, training: bool = False
    ) -> tuple[Any, Any, list[Any]]:
        if not self._is_plain(training):
            return super().inner_loop(sequences, initial_state, mask, training)
        if sequences.shape[1] == 1 and mask is None:
            return self._step(sequences, *initial_state)
        if not _tensorflow.is_alone_on_cpu():
            return super().inner_loop(sequences, initial_state, mask, training)
        projected = ops.transpose(self._project(sequences), (1, 0, 2))
        if mask is not None:
            mask = ops.expand_dims(ops.transpose(mask), -1)  # (len, batch, 1)
        if self.go_backwards:
            projected = ops.flip(projected, axis=0)
            mask = None if mask is None else ops.flip(mask, axis=0)
        outputs, state_h, state_c = _tensorflow.lstm(
            projected,
            self.cell.recurrent_kernel.value,
            initial_state[0],
            initial_state[1],
            mask,
        )
        return state_h, ops.transpose(outputs, (1, 0, 2)), [state_h, state_c]

    def _is_plain(self, training: bool) -> bool:
        """Whether the cell is the usual one, with nothing dropped inside."""
        cell = self.cell
        return (
            not (training and (cell.dropout or cell.recurrent_dropout))
            and cell.activation is keras.activations.tanh
            and cell.recurrent_activation is keras.activations.sigmoid
        )

    def _step(
        self, sequences: Any, state_h: Any, state_c: Any
    ) -> tuple[Any, Any, list[Any]]:
        """Take a single step: ``c = f * c + i * g``, then ``h = o * tanh(c)``."""
        gates = self._project(sequences, step=0)
        gates = gates + ops.matmul(state_h, self.cell.recurrent_kernel)
        i, f, g, o = ops.split(gates, 4, axis=-1)
        state_c = ops.sigmoid(f) * state_c + ops.sigmoid(i) * ops.tanh(g)
        state_h = ops.sigmoid(o) * ops.tanh(state_c)
        return state_h, ops.expand_dims(state_h, 1), [state_h, state_c]

    def _project(self, sequences: Any, step: int | None = None) -> Any:
        """Return the inputs times the kernel plus the bias: ``(batch, len, 4 units)``.

        Of one step, if it is given, ``(batch, 4 units)``.

        The embeddings of a vocabulary that is smaller than the batch has tokens, as
        far as its shape is known, are projected as a table.
        """
        kernel, bias = self.cell.kernel, self.cell.bias
        steps = slice(None) if step is None else step
        if hasattr(sequences, "_looked_up"):
            ids, table = sequences._looked_up
            if table.shape[0] <= math.prod(size or 1 for size in ids.shape):
                table = ops.matmul(table, kernel) + bias
                return _tensorflow.gather(table, ids[:, steps])
        return ops.matmul(sequences[:, steps], kernel) + bias


RECURRENT_LAYERS = {"rnn": SimpleRNN, "gru": GRU, "lstm": LSTM}
"""The cells by the names that builders know."""


@_register
class Embedding(keras.layers.Embedding):
    """Keras's embeddings, which tell a recurrent layer where they come from."""

    def call(self, inputs: Any) -> Any:
        if keras.backend.backend() != "tensorflow":
            return super().call(inputs)
        table = ops.cast(self.embeddings, self.compute_dtype)
        embedded = _tensorflow.gather(table, inputs)
        embedded._looked_up = (inputs, table)
        return embedded


@_register
class Dense(keras.layers.Dense):
    """Keras's dense layer, with all steps of a sequence in one matrix.

    Keras's own finds out the shape of a sequence in some twenty operations.
    """

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        if len(inputs.shape) != 3:
            return super().call(inputs, training=training)
        steps = inputs.shape[1] or ops.shape(inputs)[1]
        rows = ops.reshape(inputs, (-1, inputs.shape[2]))
        outputs = super().call(rows, training=training)
        return ops.reshape(outputs, (-1, steps, self.units))

    def compute_output_spec(self, inputs: Any, training: Any = None) -> Any:
        shape = (*inputs.shape[:-1], self.units)
        return keras.KerasTensor(shape, dtype=self.compute_dtype)


@_register
class Dropout(keras.layers.Dropout):
    """Keras's dropout, with a generator that is fast in a compiled step on a CPU."""

    def call(self, inputs: Any, training: bool = False) -> Any:
        if not (training and self.rate):
            return inputs
        kept = random_uniform(ops.shape(inputs), self.seed_generator) >= self.rate
        return ops.where(kept, inputs / (1 - self.rate), 0.0)


def random_uniform(shape: Any, seed_generator: keras.random.SeedGenerator) -> Any:
    """Return float32 values in [0, 1) by the backend's fastest generator."""
    if keras.backend.backend() != "tensorflow":
        return keras.random.uniform(shape, dtype="float32", seed=seed_generator)
    return _tensorflow.uniform(shape, seed_generator.next())


@_register
class OneHot(keras.layers.Layer):
    """Ids to one-hot vectors: ``(batch, len)`` to ``(batch, len, size)``.

    Parameters
    ----------
    size : int
        The vocabulary's size, the special ids included.
    """

    def __init__(self, size: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.size = size

    def call(self, ids: Any) -> Any:
        return ops.one_hot(ids, self.size, dtype=self.compute_dtype)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> Any:
        return (*input_shape, self.size)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "size": self.size}


@_register
class PaddingMask(keras.layers.Layer):
    """Ids to a boolean mask of the same shape: True where a token stands."""

    def call(self, ids: Any) -> Any:
        return ops.not_equal(ids, PAD)

    def compute_output_spec(self, ids: Any) -> keras.KerasTensor:
        return keras.KerasTensor(ids.shape, dtype="bool")


@_register
class EveryFrame(keras.layers.Layer):
    """The mask of real-valued sequences, ``(batch, len)``: True for every frame."""

    def call(self, values: Any) -> Any:
        return ops.ones_like(values[..., 0], dtype="bool")

    def compute_output_spec(self, values: Any) -> keras.KerasTensor:
        return keras.KerasTensor(values.shape[:-1], dtype="bool")


@_register
class RepeatAlong(keras.layers.Layer):
    """Repeat a vector ``(batch, width)`` along the steps of a sequence.

    Called with the vector and any sequence ``(batch, len, ...)``; gives
    ``(batch, len, width)``.
    """

    def call(self, vector: Any, sequence: Any) -> Any:
        while len(sequence.shape) > 2:
            sequence = sequence[..., 0]
        steps = ops.ones_like(sequence, dtype=vector.dtype)  # (batch, len)
        return ops.expand_dims(vector, 1) * ops.expand_dims(steps, -1)

    def compute_output_spec(self, vector: Any, sequence: Any) -> keras.KerasTensor:
        batch, width = vector.shape
        shape = (batch, sequence.shape[1], width)
        return keras.KerasTensor(shape, dtype=self.compute_dtype)


@_register
class DotAttention(keras.layers.Layer):
    """Look back at the encoder outputs by dot products.

    With q a decoder output and h_s the encoder outputs, the weights are
    ``a_s = softmax_s(q . h_s)`` over the tokens of the source and the context vector is
    ``sum_s a_s h_s`` (Luong et al., 2015, arXiv:1508.04025, equation 7, dot).

    Called with queries ``(batch, target_len, width)``, encoder outputs ``(batch,
    source_len, width)`` and their mask ``(batch, source_len)``; gives context vectors
    ``(batch, target_len, width)`` and weights ``(batch, target_len, source_len)``,
    float32 and 0 where the mask is False.
    """

    def call(
        self, queries: Any, encoder_outputs: Any, source_mask: Any
    ) -> tuple[Any, Any]:
        scores = ops.matmul(queries, ops.transpose(encoder_outputs, (0, 2, 1)))
        scores = ops.cast(scores, "float32")  # (batch, target_len, source_len)
        scores = ops.where(ops.expand_dims(source_mask, 1), scores, -1e9)
        weights = ops.exp(ops.log_softmax(scores))  # Keras's softmax warns at length 1
        context = ops.matmul(ops.cast(weights, self.compute_dtype), encoder_outputs)
        return context, weights

    def compute_output_spec(
        self, queries: Any, encoder_outputs: Any, source_mask: Any
    ) -> tuple[keras.KerasTensor, keras.KerasTensor]:
        batch, target_len, _ = queries.shape
        _, source_len, width = encoder_outputs.shape
        return (
            keras.KerasTensor((batch, target_len, width), dtype=self.compute_dtype),
            keras.KerasTensor((batch, target_len, source_len), dtype="float32"),
        )


@_register
class Unmasked(keras.layers.Layer):
    """Hand values on without the mask that Keras attached to them.

    An encoder returns its mask as a tensor of its own; a second, hidden one would
    travel beside it into layers that know none.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, values: Any) -> Any:
        return ops.copy(values)

    def compute_mask(self, inputs: Any, previous_mask: Any) -> None:
        return None

    def compute_output_spec(self, values: Any) -> keras.KerasTensor:
        return keras.KerasTensor(values.shape, dtype=self.compute_dtype)


@_register
class FixedShapeModel(keras.Model):
    """A functional model of one input that says what is wrong with another shape.

    Made and used as ``keras.Model(inputs, outputs)`` is. Arrays are checked before
    Keras traces anything, so that the model works on once they are mended.

    Raises
    ------
    ValueError
        When it is called, fitted, evaluated or asked to predict with an array whose
        shape is not the input's.
    """

    def __call__(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        self._check_shape(inputs)
        return super().__call__(inputs, *args, **kwargs)

    @functools.wraps(keras.Model.fit)
    def fit(self, x: Any = None, *args: Any, **kwargs: Any) -> Any:
        self._check_shape(x)
        return super().fit(x, *args, **kwargs)

    @functools.wraps(keras.Model.evaluate)
    def evaluate(self, x: Any = None, *args: Any, **kwargs: Any) -> Any:
        self._check_shape(x)
        return super().evaluate(x, *args, **kwargs)

    @functools.wraps(keras.Model.predict)
    def predict(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        self._check_shape(x)
        return super().predict(x, *args, **kwargs)

    def _check_shape(self, inputs: Any) -> None:
        """Raise unless the input is of its shape, as far as the shape is known."""
        expected = tuple(self.inputs[0].shape[1:])
        for given in keras.tree.flatten(inputs):
            try:
                shape = tuple(given.shape)
            except (AttributeError, ValueError):  # a dataset, or a rank still open
                continue
            fits = len(shape) == len(expected) + 1 and all(
                wanted is None or size in (None, wanted)
                for size, wanted in zip(shape[1:], expected, strict=True)
            )
            if not fits:
                raise ValueError(self._complaint(shape, expected))

    def _complaint(
        self, shape: tuple[int | None, ...], expected: tuple[int | None, ...]
    ) -> str:
        name, sizes = self.inputs[0].name, ", ".join(map(str, expected))
        repair = "Bring them to that size, or build the models for this one."
        if shape == expected:
            repair = f"A single one needs a batch axis: {name}[None]."
        elif _count(shape[1:]) == _count(expected):
            repair = f"Reshape them: {name}.reshape(-1, {sizes})."
        return f"{name} must be of shape (batch, {sizes}); got {shape}. {repair}"


def _count(shape: tuple[int | None, ...]) -> int | None:
    """Return how many values an array of the shape holds, None if that is open."""
    return None if None in shape else math.prod(shape)  # type: ignore[arg-type]
