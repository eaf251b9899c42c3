"""LSTM and GRU over projected inputs, their gradients written by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kseq2seq._tensorflow.gradients import by_hand


def lstm(
    projected: Any,
    recurrent_kernel: Any,
    state_h: Any,
    state_c: Any,
    mask: Any,
    *,
    training: bool,
) -> tuple[Any, Any, Any]:
    """Run an LSTM over inputs that are already projected; fast in a compiled step.

    The gradient is written by hand: what needs no recurrence is computed for all steps
    at once, among it the recurrent kernel's, which automatic differentiation sums up
    step by step.

    Parameters
    ----------
    projected : tensor ``(len, batch, 4 * units)``
        The inputs times the kernel plus the bias, the gates in Keras's order: input,
        forget, candidate, output.
    recurrent_kernel : tensor ``(units, 4 * units)``
    state_h, state_c : tensor ``(batch, units)``
    mask : bool tensor ``(len, batch, 1)`` or None
        Where it is False a step leaves the states as they are.
    training : bool
        Whether the gradient is ours; see ``gradients.by_hand``.

    Returns
    -------
    outputs : tensor ``(len, batch, units)``
    state_h, state_c : tensor ``(batch, units)``
    """
    import tensorflow as tf

    kernel = tf.convert_to_tensor(recurrent_kernel)
    if training:
        return by_hand(_lstm_run, projected, kernel, state_h, state_c, mask)
    _, outputs, cells = _lstm_forward(projected, kernel, state_h, state_c, mask)
    return outputs, outputs[-1], cells[-1]


def _lstm_run(
    projected: Any, recurrent_kernel: Any, state_h: Any, state_c: Any, mask: Any = None
) -> tuple[Any, Callable[..., Any]]:
    """Return what :func:`lstm` does, and a function of its gradient."""
    import tensorflow as tf

    gates, outputs, cells = _lstm_forward(
        projected, recurrent_kernel, state_h, state_c, mask
    )

    def gradient(*upstream: Any) -> tuple[Any, ...]:
        outputs_before, cells_before = (
            tf.concat([first[None], later[:-1]], axis=0)
            for first, later in ((state_h, outputs), (state_c, cells))
        )
        return _lstm_backward(
            gates,
            cells,
            outputs_before,
            cells_before,
            recurrent_kernel,
            mask,
            upstream,
        )

    return (outputs, outputs[-1], cells[-1]), gradient


def _lstm_forward(
    projected: Any, recurrent_kernel: Any, state_h: Any, state_c: Any, mask: Any
) -> tuple[Any, Any, Any]:
    """Return the activated gates, the outputs and the cells of every step."""
    import tensorflow as tf

    units, steps = recurrent_kernel.shape[0], tf.shape(projected)[0]
    # sigmoid(x) = (tanh(x / 2) + 1) / 2: one function serves all gates at once.
    scale = tf.repeat(tf.constant([0.5, 0.5, 1.0, 0.5], projected.dtype), units)

    def advance(step: Any, h: Any, c: Any, *arrays: Any) -> tuple[Any, ...]:
        gates = tf.gather(projected, step) + tf.matmul(h, recurrent_kernel)
        gates = scale * tf.tanh(scale * gates) + (1 - scale)
        i, f, g, o = tf.split(gates, 4, axis=-1)
        new_c = f * c + i * g
        new_h = o * tf.tanh(new_c)
        if mask is not None:
            here = tf.gather(mask, step)
            new_c = tf.where(here, new_c, c)
            new_h = tf.where(here, new_h, h)
        written = zip(arrays, (gates, new_h, new_c), strict=True)
        return step + 1, new_h, new_c, *(a.write(step, v) for a, v in written)

    arrays = (_array_like(value, steps) for value in (projected[0], state_h, state_c))
    *_, gates, outputs, cells = tf.while_loop(
        lambda step, *_: step < steps,
        advance,
        (0, state_h, state_c, *arrays),
        maximum_iterations=steps,
    )
    return gates.stack(), outputs.stack(), cells.stack()


def _lstm_backward(
    gates: Any,
    cells: Any,
    outputs_before: Any,
    cells_before: Any,
    recurrent_kernel: Any,
    mask: Any,
    upstream: tuple[Any, ...],
) -> tuple[Any, ...]:
    """Return the gradients of the projected inputs, the kernel and the states."""
    import tensorflow as tf

    d_outputs, d_last_h, d_last_c = upstream
    units, steps = recurrent_kernel.shape[0], tf.shape(gates)[0]
    i, f, g, o = tf.split(gates, 4, axis=-1)
    tanh_cells = tf.tanh(cells)
    through_output = o * (1 - tanh_cells * tanh_cells)  # of h by c
    slopes = tf.concat(
        [
            g * i * (1 - i),
            cells_before * f * (1 - f),
            i * (1 - g * g),
            tanh_cells * o * (1 - o),
        ],
        axis=-1,
    )
    transposed = tf.transpose(recurrent_kernel)

    def retreat(step: Any, d_h: Any, d_c: Any, array: Any) -> tuple[Any, ...]:
        d_h = d_h + d_outputs[step]
        d_cell = d_c + d_h * through_output[step]
        d_gates = slopes[step] * tf.concat([d_cell, d_cell, d_cell, d_h], axis=-1)
        new_d_c = d_cell * f[step]
        if mask is not None:
            d_gates = tf.where(mask[step], d_gates, tf.zeros_like(d_gates))
            new_d_c = tf.where(mask[step], new_d_c, d_c)
        new_d_h = tf.matmul(d_gates, transposed)
        if mask is not None:
            new_d_h += tf.where(mask[step], tf.zeros_like(d_h), d_h)
        return step - 1, new_d_h, new_d_c, array.write(step, d_gates)

    _, d_h, d_c, array = tf.while_loop(
        lambda step, *_: step >= 0,
        retreat,
        (steps - 1, d_last_h, d_last_c, _array_like(gates[0], steps)),
        maximum_iterations=steps,
    )
    d_projected = array.stack()
    d_kernel = tf.matmul(
        tf.reshape(outputs_before, (-1, units)),
        tf.reshape(d_projected, (-1, 4 * units)),
        transpose_a=True,
    )
    return d_projected, d_kernel, d_h, d_c


def gru(
    projected: Any,
    recurrent_kernel: Any,
    recurrent_bias: Any,
    state_h: Any,
    mask: Any,
    *,
    training: bool,
) -> tuple[Any, Any]:
    """Run a GRU over inputs that are already projected; as :func:`lstm` does.

    The reset gate acts after the product with the recurrent kernel, as in cuDNN.

    Parameters
    ----------
    projected : tensor ``(len, batch, 3 * units)``
        The inputs times the kernel plus the bias, in Keras's order: update gate, reset
        gate, candidate.
    recurrent_kernel : tensor ``(units, 3 * units)``
    recurrent_bias : tensor ``(3 * units,)``
    state_h : tensor ``(batch, units)``
    mask : bool tensor ``(len, batch, 1)`` or None
        Where it is False a step leaves the state as it is.
    training : bool
        As in :func:`lstm`.

    Returns
    -------
    outputs : tensor ``(len, batch, units)``
    state_h : tensor ``(batch, units)``
    """
    import tensorflow as tf

    kernel, bias = map(tf.convert_to_tensor, (recurrent_kernel, recurrent_bias))
    if training:
        return by_hand(_gru_run, projected, kernel, bias, state_h, mask)
    _, outputs = _gru_forward(projected, kernel, bias, state_h, mask)
    return outputs, outputs[-1]


def _gru_run(
    projected: Any,
    recurrent_kernel: Any,
    recurrent_bias: Any,
    state_h: Any,
    mask: Any = None,
) -> tuple[Any, Callable[..., Any]]:
    """Return what :func:`gru` does, and a function of its gradient."""
    import tensorflow as tf

    gates, outputs = _gru_forward(
        projected, recurrent_kernel, recurrent_bias, state_h, mask
    )

    def gradient(*upstream: Any) -> tuple[Any, ...]:
        outputs_before = tf.concat([state_h[None], outputs[:-1]], axis=0)
        return _gru_backward(gates, outputs_before, recurrent_kernel, mask, upstream)

    return (outputs, outputs[-1]), gradient


def _gru_forward(
    projected: Any, recurrent_kernel: Any, recurrent_bias: Any, state_h: Any, mask: Any
) -> tuple[Any, Any]:
    """Return the gates z, r, the candidate and what r acts on, and the outputs."""
    import tensorflow as tf

    units, steps = recurrent_kernel.shape[0], tf.shape(projected)[0]

    def advance(step: Any, h: Any, *arrays: Any) -> tuple[Any, ...]:
        inputs = tf.gather(projected, step)
        inner = tf.matmul(h, recurrent_kernel) + recurrent_bias
        z_and_r = inputs[:, : 2 * units] + inner[:, : 2 * units]
        z_and_r = 0.5 * tf.tanh(0.5 * z_and_r) + 0.5  # sigmoid
        z, r = tf.split(z_and_r, 2, axis=-1)
        inner = inner[:, 2 * units :]
        candidate = tf.tanh(inputs[:, 2 * units :] + r * inner)
        new_h = candidate + z * (h - candidate)
        if mask is not None:
            new_h = tf.where(tf.gather(mask, step), new_h, h)
        gates = tf.concat([z_and_r, candidate, inner], axis=-1)
        written = zip(arrays, (gates, new_h), strict=True)
        return step + 1, new_h, *(a.write(step, v) for a, v in written)

    four = tf.concat([projected[0], state_h], axis=-1)
    arrays = (_array_like(value, steps) for value in (four, state_h))
    *_, gates, outputs = tf.while_loop(
        lambda step, *_: step < steps,
        advance,
        (0, state_h, *arrays),
        maximum_iterations=steps,
    )
    return gates.stack(), outputs.stack()


def _gru_backward(
    gates: Any,
    outputs_before: Any,
    recurrent_kernel: Any,
    mask: Any,
    upstream: tuple[Any, ...],
) -> tuple[Any, ...]:
    """Return the gradients of the projected inputs, the kernel, its bias, the state."""
    import tensorflow as tf

    d_outputs, d_last = upstream
    units, steps = recurrent_kernel.shape[0], tf.shape(gates)[0]
    z, r, candidate, inner = tf.split(gates, 4, axis=-1)
    through_candidate = (1 - z) * (1 - candidate * candidate)  # of h by its inside
    by_z = (outputs_before - candidate) * z * (1 - z)
    by_r = through_candidate * inner * r * (1 - r)
    slopes = tf.concat([by_z, by_r, through_candidate * r], axis=-1)
    transposed = tf.transpose(recurrent_kernel)

    def retreat(step: Any, d_h: Any, array: Any) -> tuple[Any, ...]:
        d_h = d_h + d_outputs[step]
        here = d_h if mask is None else tf.where(mask[step], d_h, tf.zeros_like(d_h))
        d_inner = slopes[step] * tf.tile(here, (1, 3))
        new_d_h = here * z[step] + tf.matmul(d_inner, transposed) + (d_h - here)
        return step - 1, new_d_h, array.write(step, here)

    _, d_h, array = tf.while_loop(
        lambda step, *_: step >= 0,
        retreat,
        (steps - 1, d_last, _array_like(d_last, steps)),
        maximum_iterations=steps,
    )
    d_steps = array.stack()
    d_inner = slopes * tf.tile(d_steps, (1, 1, 3))
    d_projected = tf.concat(
        [d_inner[:, :, : 2 * units], d_steps * through_candidate], axis=-1
    )
    flat = tf.reshape(d_inner, (-1, 3 * units))
    d_kernel = tf.matmul(
        tf.reshape(outputs_before, (-1, units)), flat, transpose_a=True
    )
    return d_projected, d_kernel, tf.reduce_sum(flat, axis=0), d_h


def _array_like(value: Any, steps: Any) -> Any:
    """Return an array with room for one such value at each step."""
    import tensorflow as tf

    return tf.TensorArray(value.dtype, size=steps, element_shape=value.shape)
