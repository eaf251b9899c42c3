"""Compile and fit a training model, fast where it pays."""

from __future__ import annotations

import signal
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import keras

from kseq2seq import _tensorflow
from kseq2seq.arguments import check_whole, shown
from kseq2seq.batching import (
    BucketedBatches,
    Runs,
    StreamBatches,
    relative_size,
    run_length,
)
from kseq2seq.training.callbacks import RefuseDivergence
from kseq2seq.training.programs import Compilation, Loan, program_of
from kseq2seq.training.state import Checkpointing, TrainingState

STEPS_WORTH_COMPILING = 800
"""This many steps of one shape repay the seconds that XLA takes to compile it."""
STEPS_WORTH_A_BUCKET = 2_300
"""This many repay compiling one shape more, which saves padding and nothing else."""
BATCHES_A_BUCKET = 8
"""A bucket has this many batches at least: the last one is filled up with nothing."""
MOST_BUCKETS = 24
LARGE_IN_HALF = 5_000_000
"""A model of so many weights is faster uncompiled in bfloat16 on a CPU: XLA makes no
use there of what the processor has for the products of such matrices."""


def plan_buckets(
    num_pairs: int, *, batch_size: int, epochs: int, num_weights: int
) -> int:
    """Return into how many length buckets to sort pairs: 1 to 24.

    More buckets need less padding. But XLA compiles the step anew for each, which must
    repay itself over the training's steps; and each bucket's last batch is filled up,
    which must stay a small part of the bucket.
    """
    batches = num_pairs / batch_size
    # A large model's steps are much longer, and it takes little longer to compile.
    least = STEPS_WORTH_A_BUCKET / relative_size(num_weights) ** 2
    worth_compiling = epochs * batches / least
    worth_filling = batches / BATCHES_A_BUCKET
    return int(min(max(min(worth_compiling, worth_filling), 1), MOST_BUCKETS))


class StreamError(ValueError):
    """A stream failed or ended early while a model was being fitted on it.

    Attributes
    ----------
    history : dict of str to list of float
        Of the epochs before, whose learning the model keeps.
    """

    def __init__(self, message: str, history: dict[str, list[float]]) -> None:
        super().__init__(message)
        self.history = history


def fit_batches(
    model: keras.Model,
    batches: BucketedBatches | StreamBatches,
    *,
    optimizer: keras.optimizers.Optimizer,
    loss: keras.losses.Loss,
    metrics: Sequence[keras.metrics.Metric] = (),
    epochs: int = 1,
    validation_batches: BucketedBatches | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    verbose: int | str = 0,
    save_state: Callable[[TrainingState], None] | None = None,
    state: TrainingState | None = None,
    on_interrupt: Callable[[TrainingState], None] | None = None,
) -> dict[str, list[float]]:
    """Compile and fit a training model; return its history.

    An interrupt (Ctrl-C) ends the fit after the step under way, with a warning, and
    what was learned stays; a second one raises ``KeyboardInterrupt``.

    Parameters
    ----------
    model : keras.Model
        ``Seq2SeqModels.training``, or another that maps the batches' inputs to logits.
    batches, validation_batches : BucketedBatches or StreamBatches
    optimizer : keras.optimizers.Optimizer
        A new one.
    loss : keras.losses.Loss
        Of training and of validation.
    metrics : sequence of keras.metrics.Metric
        Weighted as the loss is.
    epochs : int, default 1
    callbacks : sequence of keras.callbacks.Callback
        Where one of them wants every batch it gets every batch, at some cost in speed.
    verbose : {0, 1, 2, "auto"}, default 0
        Keras's progress bar: none, a bar, or a line an epoch.
    save_state : callable, optional
        Gets, after each whole epoch, all that resuming from there takes. Not for a
        stream.
    state : TrainingState, optional
        What `save_state` got, to resume from, with the model's weights of then: a
        training that was broken off ends, on a CPU, with the weights of one that was
        not. Or what `on_interrupt` got, to go on with the same model and optimizer. The
        number of epochs may have grown since.
    on_interrupt : callable, optional
        Gets the state where an interrupt ends the fit.

    Returns
    -------
    dict
        A list under ``"loss"`` (the mean of the batches' losses), each metric's name
        and, with validation, the same with ``"val_"`` before it: one value an epoch.

    Raises
    ------
    ValueError, TypeError
        When an argument is not as described.
    StreamError
        When the stream behind the batches failed or ended early.
    FloatingPointError
        When an epoch's loss was no finite number.
    """
    _check_kinds(
        ("model", model, keras.Model),
        ("batches", batches, BucketedBatches | StreamBatches),
        ("optimizer", optimizer, keras.optimizers.Optimizer),
        ("loss", loss, keras.losses.Loss),
        *(("metrics", metric, keras.metrics.Metric) for metric in metrics),
        *(("callbacks", one, keras.callbacks.Callback) for one in callbacks),
        ("validation_batches", validation_batches, BucketedBatches | None),
    )
    check_whole("epochs", epochs)
    by_runs = _can_run(batches)
    length = _order_for_calls(model, batches)
    watched = any(map(_wants_batches, callbacks))
    if watched:
        length = 1
    if _tensorflow.is_distributed():
        _tensorflow.check_shares(
            batches.batch_sizes
            if isinstance(batches, BucketedBatches)
            else [batches.batch_size]
        )
    compilation = Compilation(
        optimizer,
        loss,
        metrics,
        jit_compile=True if _compiles(model, batches, epochs) else "auto",
        steps_per_execution=1 if by_runs else length,
    )
    compilation.apply(model)
    history = keras.callbacks.History()
    own: list[keras.callbacks.Callback] = [history]
    interrupts: list[int] = []
    data: dict[str, Any] = {"x": batches, "validation_data": validation_batches}
    if save_state is not None and not isinstance(batches, BucketedBatches):
        raise TypeError("a stream has no state to save.")
    checkpointing = Checkpointing(
        batches,
        callbacks,
        history,
        save=save_state,
        state=state,
        interrupts=interrupts,
    )
    own.append(checkpointing)
    try:
        with (
            _interruptible(model, interrupts),
            _tensorflow.without_retracing_warnings(),
            ExitStack() as borrowed,
        ):
            first: list[keras.callbacks.Callback] = []
            if isinstance(batches, BucketedBatches) and by_runs:
                program = borrowed.enter_context(program_of(model, compilation))
                loan = Loan(program, model, always=watched)
                runs = batches.runs(length, by_shape=model.jit_compile)
                data = _run_by_run(model, loan, runs, validation_batches)
                first.append(loan)
                own.append(_Progress(len(batches), runs.length))
            model.fit(
                **data,
                epochs=epochs,
                initial_epoch=0 if state is None else state.epochs_of(epochs),
                callbacks=[*first, RefuseDivergence(), *callbacks, *own],
                verbose=verbose,
                shuffle=False,  # batches shuffle; Keras would by Python's global seed
            )
    except Exception:
        cause = getattr(batches, "error", None)
        if cause is None:
            raise
        if not isinstance(cause, Exception):
            raise cause from None  # an interrupt stays one
        raise StreamError(_stream_failure(cause), _plain(history)) from cause
    finally:
        model.train_function = model.test_function = None  # another fit makes its own
    if interrupts and on_interrupt is not None:
        on_interrupt(checkpointing.interrupted())
    return _plain(history)


def _check_kinds(*arguments: tuple[str, Any, Any]) -> None:
    """Raise unless each value is of its kind."""
    for name, value, kind in arguments:
        if not isinstance(value, kind):
            expected = getattr(kind, "__name__", str(kind))
            raise TypeError(f"{name} must be {expected}; got {shown(value)}.")


def _can_run(batches: BucketedBatches | StreamBatches) -> bool:
    """Whether runs of batches can be handed over in one call."""
    return (
        keras.backend.backend() == "tensorflow"
        and isinstance(batches, BucketedBatches)
        and not _tensorflow.is_distributed()
    )


def _order_for_calls(
    model: keras.Model, batches: BucketedBatches | StreamBatches
) -> int:
    """Return how many batches a call gets, and have those of one shape in a row if so.

    Keras's own calls of several batches need one shape; our runs do not.
    """
    one_a_call = _tensorflow.is_distributed() or keras.backend.backend() == "torch"
    any_shapes = one_a_call or _can_run(batches)
    shapes = 1 if any_shapes else batches.num_buckets
    length = run_length(len(batches), model.count_params(), shapes)
    if isinstance(batches, BucketedBatches):
        batches.run_length = 1 if any_shapes else length
    return 1 if one_a_call else length


def _run_by_run(
    model: keras.Model,
    loan: Loan,
    runs: Runs,
    validation_batches: BucketedBatches | None,
) -> dict[str, Any]:
    """Make a model train and test on runs of batches; return what to fit it on."""
    model.train_function = loan.function("train", runs)
    data = {"x": _tensorflow.numbers(len(runs)), "steps_per_epoch": len(runs)}
    if validation_batches is not None:
        length = run_length(len(validation_batches), model.count_params())
        runs = validation_batches.runs(length, by_shape=model.jit_compile)
        model.test_function = loan.function("test", runs)
        data["validation_data"] = _tensorflow.numbers(len(runs))
        data["validation_steps"] = len(runs)
    return data


class _Progress(keras.callbacks.ProgbarLogger):
    """Keras's progress bar, in batches where it is told of runs of them."""

    def __init__(self, num_batches: int, run_length: int) -> None:
        super().__init__()
        self.num_batches, self.run_length = num_batches, run_length

    def set_params(self, params: dict[str, Any]) -> None:
        super().set_params({**params, "steps": self.num_batches})

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        done = min((batch + 1) * self.run_length, self.num_batches)
        super().on_train_batch_end(done - 1, logs)


def _stream_failure(cause: Exception) -> str:
    """Return the message for a stream that failed: its own, where it is one of ours."""
    is_ours = isinstance(cause, ValueError | TypeError) and str(cause)
    return str(cause) if is_ours else f"the stream failed: {cause!r}."


def _plain(history: keras.callbacks.History) -> dict[str, list[float]]:
    return {
        name: [float(value) for value in values]
        for name, values in getattr(history, "history", {}).items()
    }


def _compiles(
    model: keras.Model, batches: BucketedBatches | StreamBatches, epochs: int
) -> bool:
    """Whether XLA shall compile the model's steps, and they repay its seconds."""
    steps_a_shape = len(batches) * epochs / batches.num_buckets
    return (
        steps_a_shape >= STEPS_WORTH_COMPILING / relative_size(model.count_params())
        and _supports_jit(model)
        and not _is_large_in_half(model)
        # A run asks when it is traced: a program that is kept needs no room.
        and (_can_run(batches) or _tensorflow.may_compile())
    )


def _supports_jit(model: keras.Model) -> bool:
    """Whether XLA can take every layer; on a GPU the cuDNN layers prefer otherwise."""
    if keras.backend.backend() == "torch":  # whose compiler cannot take Keras's models
        return False
    layers = model._flatten_layers()  # Keras has no public way down into Bidirectional
    return all(layer.supports_jit for layer in layers)


def _is_large_in_half(model: keras.Model) -> bool:
    """Whether a CPU trains in half precision what is large products for the most."""
    return (
        model.compute_dtype == "bfloat16"
        and model.count_params() >= LARGE_IN_HALF
        and _tensorflow.is_alone_on_cpu()
    )


def _wants_batches(callback: keras.callbacks.Callback) -> bool:
    """Whether a callback does something at every training batch."""
    if getattr(callback, "takes_runs", False):
        return False
    if "epoch" in (
        getattr(callback, name, None) for name in ("save_freq", "update_freq")
    ):
        return False  # Keras's own that have such hooks and leave them unused
    hooks = ("on_train_batch_begin", "on_train_batch_end", "on_batch_begin")
    base = keras.callbacks.Callback
    return any(
        getattr(type(callback), hook) is not getattr(base, hook)
        for hook in (*hooks, "on_batch_end")
    )


@contextmanager
def _interruptible(model: keras.Model, interrupts: list[int]) -> Iterator[None]:
    """Turn the first SIGINT into a stop after the step under way, and note it."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may handle signals
        return

    def stop(signum: int, frame: Any) -> None:
        interrupts.append(signum)
        model.stop_training = True
        signal.signal(signal.SIGINT, previous)

    previous = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
    if interrupts:
        warnings.warn(
            "interrupted: training ended early; the model keeps what it has learned.",
            stacklevel=3,
        )
