"""Recurrent layers: Keras's, faster on a CPU."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
from keras import ops

from kseq2seq import _tensorflow
from kseq2seq.layers.lookup import find_lookup

_register = keras.saving.register_keras_serializable(package="kseq2seq")


class _SingleStep(keras.layers.RNN):
    """Call the cell itself, with no loop around it, when time has one step.

    A decoder step is such a call; a loop of one round costs more than its cell.
    """

    def inner_loop(
        self, sequences: Any, initial_state: Any, mask: Any, training: bool = False
    ) -> tuple[Any, Any, list[Any]]:
        if mask is None and sequences.shape[1] == 1:
            return self._step(sequences, list(initial_state), training)
        return self._loop(sequences, initial_state, mask, training)

    def _step(
        self, sequences: Any, states: list[Any], training: bool
    ) -> tuple[Any, Any, list[Any]]:
        """Return the output, the same as a sequence, and the new states."""
        output, states = self.cell(sequences[:, 0], states, training=training)
        return output, ops.expand_dims(output, 1), list(states)

    def _loop(
        self, sequences: Any, initial_state: Any, mask: Any, training: bool
    ) -> tuple[Any, Any, list[Any]]:
        """Return the last output, all outputs, and the last states."""
        return super().inner_loop(sequences, initial_state, mask, training=training)


@_register
class SimpleRNN(_SingleStep, keras.layers.SimpleRNN):
    """Keras's simple recurrent layer, fast at a single step."""


class _Projecting(_SingleStep):
    """Project the inputs of all steps at once, where that is faster.

    That is on TensorFlow without a GPU; the gradient is written by hand. Embeddings of
    a small vocabulary are projected once for each token of the vocabulary, and not once
    for each place where it occurs.
    """

    def _loop(
        self, sequences: Any, initial_state: Any, mask: Any, training: bool
    ) -> tuple[Any, Any, list[Any]]:
        if not self._is_plain(training) or not _tensorflow.is_alone_on_cpu():
            return super()._loop(sequences, initial_state, mask, training)
        projected = ops.transpose(self._project(sequences), (1, 0, 2))
        if mask is not None:
            mask = ops.expand_dims(ops.transpose(mask), -1)  # (len, batch, 1)
        if self.go_backwards:
            projected = ops.flip(projected, axis=0)
            mask = None if mask is None else ops.flip(mask, axis=0)
        outputs, *states = self._recur(
            projected, initial_state, mask, training=bool(training)
        )
        return states[0], ops.transpose(outputs, (1, 0, 2)), states

    def _recur(
        self, projected: Any, states: Any, mask: Any, *, training: bool
    ) -> tuple[Any, ...]:
        """Return the outputs of all steps, time first, and the last states."""
        raise NotImplementedError

    @property
    def _input_bias(self) -> Any:
        return self.cell.bias

    def _is_plain(self, training: bool) -> bool:
        """Whether the cell is the usual one, with nothing dropped inside."""
        cell = self.cell
        return (
            not (training and (cell.dropout or cell.recurrent_dropout))
            and cell.activation is keras.activations.tanh
            and cell.recurrent_activation is keras.activations.sigmoid
            and cell.use_bias
            and getattr(cell, "reset_after", True)
        )

    def _project(self, sequences: Any, step: int | None = None) -> Any:
        """Return the inputs times the kernel plus the bias: ``(batch, len, gates)``.

        Of one step, if it is given, ``(batch, gates)``.

        Of embeddings that were looked up in a table of no more rows than the batch has
        tokens, the table is projected; see :mod:`kseq2seq.layers.lookup`.
        """
        kernel, bias = self.cell.kernel, self._input_bias
        steps = slice(None) if step is None else step
        lookup = find_lookup(sequences)
        if lookup is not None and lookup.is_small:
            table = ops.matmul(lookup.table, kernel) + bias
            return _tensorflow.gather(table, lookup.ids[:, steps])
        return ops.matmul(sequences[:, steps], kernel) + bias


@_register
class GRU(_Projecting, keras.layers.GRU):
    """Keras's GRU, faster on a CPU (Cho et al., 2014, arXiv:1406.1078)."""

    @property
    def _input_bias(self) -> Any:
        return self.cell.bias[0]

    def _recur(
        self, projected: Any, states: Any, mask: Any, *, training: bool
    ) -> tuple[Any, ...]:
        kernel = self.cell.recurrent_kernel.value
        bias = self.cell.bias[1]
        return _tensorflow.gru(
            projected, kernel, bias, states[0], mask, training=training
        )


@_register
class LSTM(_Projecting, keras.layers.LSTM):
    """Keras's LSTM, faster on a CPU (Hochreiter and Schmidhuber, 1997).

    On JAX it does without cuDNN: there Keras 3.15 turns the outputs of
    ``go_backwards=True`` around, and fails with half precision.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if keras.backend.backend() == "jax":
            self.use_cudnn = False

    def _recur(
        self, projected: Any, states: Any, mask: Any, *, training: bool
    ) -> tuple[Any, ...]:
        kernel = self.cell.recurrent_kernel.value
        state_h, state_c = states
        return _tensorflow.lstm(
            projected, kernel, state_h, state_c, mask, training=training
        )

    def _step(
        self, sequences: Any, states: list[Any], training: bool
    ) -> tuple[Any, Any, list[Any]]:
        """Take a single step: ``c = f * c + i * g``, then ``h = o * tanh(c)``."""
        if not self._is_plain(training):
            return super()._step(sequences, states, training)
        state_h, state_c = states
        gates = self._project(sequences, step=0)
        gates = gates + ops.matmul(state_h, self.cell.recurrent_kernel)
        i, f, g, o = ops.split(gates, 4, axis=-1)
        state_c = ops.sigmoid(f) * state_c + ops.sigmoid(i) * ops.tanh(g)
        state_h = ops.sigmoid(o) * ops.tanh(state_c)
        return state_h, ops.expand_dims(state_h, 1), [state_h, state_c]


@dataclass(frozen=True)
class CellKind:
    """What is known of a kind of cell; builders, layers and checks read it here.

    Attributes
    ----------
    name : str
        What users call it, and what the names of its layers contain.
    layer : callable
        Makes the recurrent layer.
    state_names : tuple of str
        The layer's states in their order, h first.
    cell_name : str
        What Keras calls the cell inside the layer.
    num_gates : int
        How many times as wide as the layer its kernels are.
    num_biases : int, default 1
        How many vectors its bias holds: Keras's GRU has one for the inputs and one for
        the states.
    """

    name: str
    layer: Callable[..., keras.layers.RNN]
    state_names: tuple[str, ...]
    cell_name: str
    num_gates: int
    num_biases: int = 1

    def bias_shape(self, width: int) -> tuple[int, ...]:
        """Return the shape of the bias; the width is that of all gates together."""
        return (width,) if self.num_biases == 1 else (self.num_biases, width)


CELL_KINDS = {
    kind.name: kind
    for kind in (
        CellKind("rnn", SimpleRNN, ("h",), "simple_rnn_cell", 1),
        CellKind("gru", GRU, ("h",), "gru_cell", 3, num_biases=2),
        CellKind("lstm", LSTM, ("h", "c"), "lstm_cell", 4),
    )
}
"""The kinds of cells by their names."""
