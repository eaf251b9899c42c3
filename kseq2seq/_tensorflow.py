"""What must call TensorFlow by name; no other file does."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import keras


def uniform(shape: Any, seed: Any) -> Any:
    """Return float32 values in [0, 1) from a counter-based generator.

    Keras leaves the choice of the algorithm to TensorFlow, which inside an
    XLA-compiled step on a CPU takes one that needs some 200 ns a value; Philox
    (Salmon et al., 2011) needs 3.
    """
    import tensorflow as tf

    return tf.random.stateless_uniform(shape, tf.cast(seed, tf.int32), alg="philox")


@contextmanager
def without_retracing_warnings() -> Iterator[None]:
    """Hush TensorFlow where each model has a function of its own.

    It counts the functions of all models as one, traced again and again.
    """
    logger = logging.getLogger("tensorflow")
    logger.addFilter(_is_no_retracing_warning)
    try:
        yield
    finally:
        logger.removeFilter(_is_no_retracing_warning)


def _is_no_retracing_warning(record: logging.LogRecord) -> bool:
    return "triggered tf.function retracing" not in record.getMessage()


def run_function(
    model: Any, step: Callable[[Any], Any], runs: Any, *, jit_compile: bool
) -> tuple[Any, Any]:
    """Return data for ``fit``, and ``model.train_function`` or ``test_function``.

    The data are the numbers of the runs, epoch after epoch: the end of an iterator may
    take half a second. The function takes the next number and hands the run's batches
    to the model's step, one after the other inside one call. The batches do not come
    out of a data set made of a generator: TensorFlow's first of these has the C library
    map memory anew for whatever is larger than 128 KiB, for the rest of the process,
    and a compiled step with 256 units then takes twice its time.

    Parameters
    ----------
    model : keras.Model
    step : callable
        Its ``train_step`` or ``test_step``.
    runs : kseq2seq.batching.Runs
    jit_compile : bool
    """
    import tensorflow as tf

    def run(inputs: dict[str, Any], targets: Any, weights: Any) -> dict[str, Any]:
        arrays = dict(inputs)
        num_batches = arrays.pop("num_batches")[0]

        def advance(k: Any) -> tuple[Any]:
            batch = (arrays, targets, weights)
            step(tf.nest.map_structure(lambda array: array[k], batch))
            return (k + 1,)

        tf.while_loop(lambda k: k < num_batches, advance, (0,))
        return model.get_metrics_result()

    def spec(*arrays: Any) -> Any:
        sizes = zip(*(array.shape for array in arrays), strict=True)
        shape = [size if size == other else None for size, other in sizes]
        return tf.TensorSpec(shape, arrays[0].dtype)

    first_two = runs[0], runs[min(1, len(runs) - 1)]
    traced = tf.function(  # once, for all widths
        run,
        input_signature=tf.nest.map_structure(spec, *first_two),
        jit_compile=jit_compile,
        autograph=False,
    )

    def function(numbers: Any) -> dict[str, Any]:
        number = int(next(numbers))
        if number == 0:
            runs.on_epoch_begin()
        return traced(*runs[number])

    return tf.data.Dataset.range(len(runs)).repeat(), function


def predict_function(model: Any, *, jit_compile: bool) -> Callable[[Any], Any]:
    """Return a function for ``model.predict_function``, for a model of one input.

    It is traced once for all shapes; or once for each, if it is compiled for each.
    """
    import tensorflow as tf

    source = model.inputs[0]
    any_shape = [tf.TensorSpec((None, *source.shape[1:]), source.dtype)]
    traced = tf.function(
        lambda source: model(source, training=False),
        input_signature=None if jit_compile else any_shape,
        jit_compile=jit_compile,
        autograph=False,
    )
    return lambda data: traced(tf.cast(data[0][0], source.dtype))


def is_distributed() -> bool:
    """Whether a strategy of TensorFlow spreads what is built now over its devices."""
    if keras.backend.backend() != "tensorflow":
        return False
    import tensorflow as tf

    return bool(tf.distribute.has_strategy())


def check_shares(batch_sizes: Iterable[int]) -> None:
    """Raise unless the devices of a strategy get equal shares of each batch."""
    import tensorflow as tf

    num_devices = tf.distribute.get_strategy().num_replicas_in_sync
    for size in batch_sizes:
        if size % num_devices:
            raise ValueError(
                f"a batch of {size} cannot be shared evenly by {num_devices} devices. "
                f"Pass a batch_size that is a multiple of {num_devices}, and no more "
                "than there are examples."
            )


def sum_of_replicas(value: Any) -> Any:
    """Return the sum over all devices that share a batch, where there are several."""
    if not is_distributed():
        return value
    import tensorflow as tf

    context = tf.distribute.get_replica_context()
    if context is None:
        return value
    return context.all_reduce(tf.distribute.ReduceOp.SUM, value)


def gather(table: Any, ids: Any) -> Any:
    """Return the rows of a table, in one operation; Keras's takes six."""
    import tensorflow as tf

    return tf.gather(table, tf.cast(ids, tf.int32))


def is_alone_on_cpu() -> bool:
    """Whether TensorFlow is the backend, and a CPU all that it has."""
    return keras.backend.backend() == "tensorflow" and not has_gpu()


def has_gpu() -> bool:
    """Whether TensorFlow sees a GPU, where its cuDNN layers are the fastest."""
    import tensorflow as tf

    return bool(tf.config.list_physical_devices("GPU"))


def lstm(
    projected: Any, recurrent_kernel: Any, state_h: Any, state_c: Any, mask: Any
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

    Returns
    -------
    outputs : tensor ``(len, batch, units)``
    state_h, state_c : tensor ``(batch, units)``
    """
    import tensorflow as tf

    @tf.custom_gradient
    def run(
        projected: Any, recurrent_kernel: Any, state_h: Any, state_c: Any
    ) -> tuple[Any, Callable[..., Any]]:
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

    return run(projected, tf.convert_to_tensor(recurrent_kernel), state_h, state_c)


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
    projected: Any, recurrent_kernel: Any, recurrent_bias: Any, state_h: Any, mask: Any
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

    Returns
    -------
    outputs : tensor ``(len, batch, units)``
    state_h : tensor ``(batch, units)``
    """
    import tensorflow as tf

    @tf.custom_gradient
    def run(
        projected: Any, recurrent_kernel: Any, recurrent_bias: Any, state_h: Any
    ) -> tuple[Any, Callable[..., Any]]:
        gates, outputs = _gru_forward(
            projected, recurrent_kernel, recurrent_bias, state_h, mask
        )

        def gradient(*upstream: Any) -> tuple[Any, ...]:
            outputs_before = tf.concat([state_h[None], outputs[:-1]], axis=0)
            return _gru_backward(
                gates, outputs_before, recurrent_kernel, mask, upstream
            )

        return (outputs, outputs[-1]), gradient

    return run(
        projected,
        tf.convert_to_tensor(recurrent_kernel),
        tf.convert_to_tensor(recurrent_bias),
        state_h,
    )


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
    """Return an array to write so many of such values to, one a step."""
    import tensorflow as tf

    return tf.TensorArray(value.dtype, size=steps, element_shape=value.shape)
