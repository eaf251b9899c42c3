"""How models run: random values, table rows, compiled runs of batches, predict."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache, partial
from typing import Any

import numpy as np


def uniform(shape: Any, seed: Any) -> Any:
    """Return float32 values in [0, 1) from a counter-based generator.

    Keras leaves the choice of the algorithm to TensorFlow, which inside an
    XLA-compiled step on a CPU takes one that needs some 200 ns a value; Philox
    (Salmon et al., 2011) needs 3.
    """
    import tensorflow as tf

    return tf.random.stateless_uniform(shape, tf.cast(seed, tf.int32), alg="philox")


def gather(table: Any, ids: Any) -> Any:
    """Return the rows of a table, in one operation; Keras's takes six."""
    import tensorflow as tf

    return tf.gather(table, tf.cast(ids, tf.int32))


def with_dense_gradient(table: Any) -> Any:
    """Return a table whose gradient is a tensor of its shape.

    That of rows that were looked up would be a list of one for each place, equal ids
    not summed up. Keras clips by the norm of that list, and most of its optimizers
    square what is in it, so that a token that a batch has twice would count otherwise
    than on other backends, or where the whole table is multiplied.
    """
    import tensorflow as tf

    return tf.reshape(table, table.shape)  # the gradient of a reshape is dense


@contextmanager
def writes_to(path: Any) -> Iterator[None]:
    """Raise as ``OSError`` what TensorFlow raises where it cannot write."""
    import tensorflow as tf

    try:
        yield
    except tf.errors.OpError as error:
        reason = str(error).splitlines()[0]
        raise OSError(
            f"{path} cannot be written: {reason[:200]}. Is there room on the disk?"
        ) from error


@contextmanager
def without_retracing_warnings() -> Iterator[None]:
    """Silence TensorFlow's warning of a function that is traced again and again.

    Each model has a function of its own; TensorFlow takes them all for the same one.
    """
    logger = logging.getLogger("tensorflow")
    logger.addFilter(_is_no_retracing_warning)
    try:
        yield
    finally:
        logger.removeFilter(_is_no_retracing_warning)


def _is_no_retracing_warning(record: logging.LogRecord) -> bool:
    return "triggered tf.function retracing" not in record.getMessage()


def specs_of_run(run: Any) -> Any:
    """Return the specs of a run of batches: any number of them, of any lengths.

    The other sizes are the run's own: the batch's, and that of frames.
    """
    import tensorflow as tf

    def spec(array: Any) -> Any:
        if array.ndim == 1:  # what is told of the batches
            return tf.TensorSpec([None], array.dtype)
        _, size, *rest = array.shape
        lengths = [None] * len(rest[:1])
        return tf.TensorSpec([None, size, *lengths, *rest[1:]], array.dtype)

    inputs, targets, weights = run
    specs = tf.nest.map_structure(spec, (dict(inputs), targets, weights))
    told = inputs["lengths"]
    specs[0]["lengths"] = tf.TensorSpec([None, told.shape[1]], told.dtype)
    return specs


def run_function(
    model: Any,
    step: Callable[[Any], Any],
    specs: Any,
    shapes: Sequence[tuple[int, Sequence[int] | None]],
    *,
    jit_compile: bool,
) -> Callable[..., dict[str, Any]]:
    """Return a traced function of a run of batches, which gives the metrics so far.

    It hands the run's batches to the model's step, one after the other inside one call,
    each cut to its own shape. Batches of any kind follow each other so; the step is
    traced once for each kind. They do not come from
    ``tf.data.Dataset.from_generator``: its first use makes the C library map memory
    anew for every allocation larger than 128 KiB, for the rest of the process, and a
    compiled step with 256 units then takes twice its time.

    Parameters
    ----------
    model : keras.Model
    step : callable
        Its ``train_step`` or ``test_step``.
    specs : nested tuples and dicts of tf.TensorSpec
        As of :func:`specs_of_run`.
    shapes : sequence of pairs
        Of each kind of batch how many rows it has, and of each array how many columns;
        None for as many as the run says.
    jit_compile : bool
    """
    import tensorflow as tf

    def run(inputs: dict[str, Any], targets: Any, weights: Any) -> dict[str, Any]:
        arrays = dict(inputs)
        told = {name: arrays.pop(name) for name in ("num_batches", "kinds", "lengths")}
        batches = (arrays, targets, weights)

        def batch(k: Any, kind: int) -> Any:
            size, lengths = shapes[kind]
            widths = told["lengths"][k] if lengths is None else lengths

            def cut(array: Any, width: Any) -> Any:
                # Sizes, unlike ends, tell the graph the shape of what is cut out.
                sizes = [size, width, *array.shape[3:]][: array.shape.rank - 1]
                begin = [k, *[0] * len(sizes)]
                return tf.reshape(tf.slice(array, begin, [1, *sizes]), sizes)

            arrays = tf.nest.flatten(batches)
            cuts = [cut(array, widths[i]) for i, array in enumerate(arrays)]
            return tf.nest.pack_sequence_as(batches, cuts)

        def advance(k: Any) -> tuple[Any]:
            of_kinds = [
                lambda kind=kind: step(batch(k, kind)) for kind in range(len(shapes))
            ]
            _run_one_of(of_kinds, told["kinds"][k], model.optimizer)
            return (k + 1,)

        tf.while_loop(lambda k: k < told["num_batches"][0], advance, (0,))
        return model.get_metrics_result()

    return tf.function(
        run, input_signature=specs, jit_compile=jit_compile, autograph=False
    )


def _run_one_of(
    steps: Sequence[Callable[[], Any]], number: Any, optimizer: Any
) -> None:
    """Run the step of this number; all share one update of the weights, after it.

    What each hands to the optimizer leaves the switch over the steps. Updates inside it
    would be compiled once for each step, and all weights would go through the switch.
    """
    import tensorflow as tf

    if len(steps) == 1:
        steps[0]()
        return
    handed: list[tuple[Any, Any]] = []

    def gradients_of(step: Callable[[], Any]) -> list[Any]:
        handed.clear()
        step()
        found = [gradient for gradient, _ in handed if gradient is not None]
        return [tf.constant(0), *map(tf.convert_to_tensor, found)]

    optimizer.apply_gradients = handed.extend
    try:
        chosen = tf.switch_case(number, [partial(gradients_of, one) for one in steps])
    finally:
        del optimizer.apply_gradients
    if handed:
        gradients = iter(tf.nest.flatten(chosen)[1:])
        optimizer.apply_gradients(
            (None if gradient is None else next(gradients), variable)
            for gradient, variable in handed
        )


def copy_function() -> Callable[[Sequence[Any], Sequence[Any]], None]:
    """Return a function of Keras variables, and of others that get their values.

    It is one call for all of them, traced once for those of the same shapes.
    """
    import tensorflow as tf

    @tf.function(autograph=False)
    def copy(given: list[Any], getting: list[Any]) -> None:
        for source, variable in zip(given, getting, strict=True):
            variable.assign(source)

    def copy_values(given: Sequence[Any], getting: Sequence[Any]) -> None:
        copy(*([variable.value for variable in each] for each in (given, getting)))

    return copy_values


def numbers(count: int) -> Any:
    """Return the numbers from 0 as data for ``fit``, again in every epoch.

    They repeat, as the end of an iterator may take half a second.
    """
    import tensorflow as tf

    return tf.data.Dataset.range(count).repeat().with_options(_untuned())


def _untuned() -> Any:
    """Return options of a dataset that nothing tunes while it runs.

    TensorFlow's tuning sleeps between its looks, at last for a minute each time, and
    whoever closes the iterator waits until it wakes: up to a minute at the end of a
    long `fit`.
    """
    import tensorflow as tf

    options = tf.data.Options()
    options.autotune.enabled = False
    return options


def predict_function(model: Any, *, jit_compile: bool) -> Callable[[Any], Any]:
    """Return a function for ``model.predict_function``.

    It is traced once for all shapes; or once for each, if it is compiled for each.
    """
    import tensorflow as tf

    any_shape = [
        tf.TensorSpec((None, *given.shape[1:]), given.dtype) for given in model.inputs
    ]
    traced = tf.function(
        lambda *inputs: model(
            inputs[0] if len(inputs) == 1 else [*inputs], training=False
        ),
        input_signature=None if jit_compile else any_shape,
        jit_compile=jit_compile,
        autograph=False,
    )

    dtypes = [given.dtype for given in model.inputs]

    @cache
    def of_shapes(*shapes: tuple[int, ...]) -> Callable[..., Any]:
        # A concrete function is called in two thirds of the time of a tf.function.
        return traced.get_concrete_function(*map(tf.TensorSpec, shapes, dtypes))

    def function(data: Any) -> Any:
        # Batches come as ``[(inputs,)]`` from predict_on_batch, and as ``[inputs]``
        # from predict.
        arrays = tf.nest.flatten(data)
        tensors = [
            (tf.constant if isinstance(array, np.ndarray) else tf.cast)(array, dtype)
            for array, dtype in zip(arrays, dtypes, strict=True)
        ]
        shapes = [tuple(tensor.shape) for tensor in tensors] if jit_compile else ()
        return of_shapes(*shapes)(*tensors)

    return function
