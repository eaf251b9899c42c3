"""Loss, metric and fit of a training model, per token and with padding left out."""

from __future__ import annotations

import math
import signal
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras
from keras import ops

from kseq2seq.arguments import check_choice, check_rate, check_real
from kseq2seq.batching import Batches
from kseq2seq.vocabulary import PAD

_WRAPPERS = ("optimizer", "lossscaleoptimizer", "multioptimizer")
OPTIMIZERS = {
    name.lower(): value
    for name, value in vars(keras.optimizers).items()
    if isinstance(value, type)
    and issubclass(value, keras.optimizers.Optimizer)
    and name.lower() not in _WRAPPERS
}
"""Keras's optimizers by their names in lower case."""

STEPS_WORTH_COMPILING = 800
"""So many steps of one shape repay the seconds that XLA takes to compile it."""

STEPS_PER_EXECUTION = 32

_register = keras.saving.register_keras_serializable(package="kseq2seq")


def _token_weights(target_ids: Any, sample_weight: Any, dtype: Any) -> Any:
    """Return the weight of every token, 0 on padding: ``(batch, target_len)``."""
    weights = ops.cast(ops.not_equal(target_ids, PAD), dtype)
    if sample_weight is None:
        return weights
    sample_weight = ops.cast(sample_weight, dtype)
    if len(sample_weight.shape) < len(weights.shape):
        sample_weight = ops.expand_dims(sample_weight, -1)
    return weights * sample_weight


@_register
class MaskedCrossentropy(keras.losses.Loss):
    """Cross-entropy from logits, a mean over the tokens that are not padding.

    Parameters
    ----------
    label_smoothing : float, default 0
        The share of each target's probability that is spread over all ids (Szegedy et
        al., 2016, arXiv:1512.00567, section 7); at least 0 and below 1.
    name : str, default "masked_crossentropy"

    Examples
    --------
    >>> import numpy as np
    >>> from kseq2seq.training import MaskedCrossentropy
    >>> target_ids = np.array([[4, 3, 0]])
    >>> logits = np.zeros((1, 3, 8), dtype="float32")
    >>> round(float(MaskedCrossentropy()(target_ids, logits)), 4)  # log(8)
    2.0794
    """

    def __init__(
        self,
        label_smoothing: float = 0.0,
        name: str = "masked_crossentropy",
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        self.label_smoothing = check_rate("label_smoothing", label_smoothing)

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Return the weighted mean over tokens; weights are per pair or per token."""
        losses = self.call(y_true, y_pred)  # (batch, target_len)
        weights = _token_weights(y_true, sample_weight, losses.dtype)
        total = ops.sum(weights)
        return ops.sum(losses * weights) / ops.where(ops.equal(total, 0), 1.0, total)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the loss of every position, ``(batch, target_len)``, unmasked."""
        log_probs = ops.log_softmax(ops.cast(y_pred, "float32"))
        ids = ops.expand_dims(ops.cast(y_true, "int32"), -1)
        losses = -ops.take_along_axis(log_probs, ids, axis=-1)[..., 0]
        if not self.label_smoothing:
            return losses
        uniform = -ops.mean(log_probs, axis=-1)
        return (1 - self.label_smoothing) * losses + self.label_smoothing * uniform

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "label_smoothing": self.label_smoothing}


@_register
class TeacherForcedAccuracy(keras.metrics.Mean):
    """The share of tokens that are best guessed when the gold token before is fed.

    Padding is left out. It says how training goes, not how the model answers: that is
    measured by decoding.
    """

    def __init__(self, name: str = "teacher_forced_accuracy", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        self._direction = "up"  # where Keras's callbacks look for a mode

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        right = ops.equal(ops.cast(y_true, "int32"), ops.argmax(y_pred, axis=-1))
        weights = _token_weights(y_true, sample_weight, self.dtype)
        super().update_state(ops.cast(right, self.dtype), sample_weight=weights)


def make_optimizer(
    optimizer: str | keras.optimizers.Optimizer,
    *,
    learning_rate: float,
    clip_norm: float | None,
) -> keras.optimizers.Optimizer:
    """Return a new optimizer that clips the norm of all gradients together.

    Parameters
    ----------
    optimizer : str or keras.optimizers.Optimizer
        The name of a Keras optimizer, or one to copy, unused, with its own learning
        rate and, if it clips, its own clipping.
    learning_rate : float
        For an optimizer given by name; above 0.
    clip_norm : float, optional
        The largest norm (Pascanu et al., 2013, arXiv:1211.5063); None to not clip.

    Raises
    ------
    ValueError, TypeError
        When the name is unknown or a number is out of range.
    """
    check_optimizer(optimizer)
    learning_rate = check_real("learning_rate", learning_rate, exclusive=True)
    if clip_norm is not None:
        clip_norm = check_real("clip_norm", clip_norm, exclusive=True)
    if isinstance(optimizer, str):
        return OPTIMIZERS[optimizer.lower()](
            learning_rate=learning_rate, global_clipnorm=clip_norm
        )
    config = optimizer.get_config()
    clips = ("clipnorm", "clipvalue", "global_clipnorm")
    wraps = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
    if not wraps and all(config.get(name) is None for name in clips):
        config["global_clipnorm"] = clip_norm
    try:
        return type(optimizer).from_config(config)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"optimizer cannot be copied, as each fit needs: {error}"
        ) from error


def check_optimizer(optimizer: Any) -> None:
    """Raise unless optimizer is a Keras optimizer or the name of one."""
    if isinstance(optimizer, str):
        check_choice("optimizer", optimizer.lower(), OPTIMIZERS)
    elif not isinstance(optimizer, keras.optimizers.Optimizer):
        raise TypeError(
            "optimizer must be the name of a Keras optimizer or a "
            f"keras.optimizers.Optimizer; got {optimizer!r}."
        )


class CosineDecay(keras.callbacks.Callback):
    """Let the learning rate fall along half a cosine, an epoch at a time.

    Each epoch multiplies the rate that it finds, so that what other callbacks do to the
    rate stays done (Loshchilov and Hutter, 2017, arXiv:1608.03983, without restarts).

    Parameters
    ----------
    epochs : int
        The epochs until the rate would reach 0.
    """

    def __init__(self, epochs: int) -> None:
        super().__init__()
        self.epochs = epochs

    def _share(self, epoch: int) -> float:
        return 0.5 + 0.5 * math.cos(math.pi * epoch / self.epochs)

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        if 0 < epoch < self.epochs:
            factor = self._share(epoch) / self._share(epoch - 1)
            optimizer = self.model.optimizer
            optimizer.learning_rate = float(optimizer.learning_rate) * factor


def plan_buckets(num_pairs: int, *, batch_size: int, epochs: int) -> int:
    """Return into how many length buckets to sort: 1 to 4, each worth compiling."""
    steps = epochs * num_pairs / batch_size
    return int(min(max(steps // STEPS_WORTH_COMPILING, 1), 4))


def fit_batches(
    model: keras.Model,
    batches: Batches,
    *,
    optimizer: keras.optimizers.Optimizer,
    label_smoothing: float = 0.0,
    epochs: int = 1,
    validation_batches: Batches | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    verbose: int | str = 0,
) -> dict[str, list[float]]:
    """Compile and fit a training model; return its history.

    An interrupt (Ctrl-C) ends the fit after the step under way, with a warning, and
    what was learned stays; a second one raises ``KeyboardInterrupt``.

    Parameters
    ----------
    model : keras.Model
        ``Seq2SeqModels.training``.
    batches, validation_batches : Batches
    optimizer : keras.optimizers.Optimizer
        A new one.
    label_smoothing : float, default 0
        As in :class:`MaskedCrossentropy`; of training and of validation.
    epochs : int, default 1
    callbacks : sequence of keras.callbacks.Callback
        Where one of them wants every batch it gets every batch, at some cost in speed.
    verbose : {0, 1, 2, "auto"}, default 0
        Keras's progress bar: none, a bar, or a line an epoch.

    Returns
    -------
    dict
        A list under ``"loss"`` (the mean of the batches' losses),
        ``"teacher_forced_accuracy"`` and, with validation, the same with ``"val_"``
        before it: one value an epoch.
    """
    compiles = len(batches) * epochs >= STEPS_WORTH_COMPILING * batches.num_buckets
    steps_per_execution = min(STEPS_PER_EXECUTION, max(len(batches) // 4, 1))
    if any(map(_wants_batches, callbacks)):
        steps_per_execution = 1
    model.compile(
        optimizer,
        loss=MaskedCrossentropy(label_smoothing),
        weighted_metrics=[TeacherForcedAccuracy()],
        jit_compile=True if compiles and _supports_jit(model) else "auto",
        steps_per_execution=steps_per_execution,
    )
    with _interruptible(model):
        history = model.fit(
            batches,
            epochs=epochs,
            validation_data=validation_batches,
            callbacks=list(callbacks),
            verbose=verbose,
            shuffle=False,  # the batches shuffle; Keras would by Python's global seed
        )
    return {
        name: [float(value) for value in values]
        for name, values in history.history.items()
    }


def _supports_jit(model: keras.Model) -> bool:
    """Whether XLA can take every layer; on a GPU the cuDNN layers prefer otherwise."""
    layers = model._flatten_layers()  # Keras has no public way down into Bidirectional
    return all(layer.supports_jit for layer in layers)


def _wants_batches(callback: keras.callbacks.Callback) -> bool:
    """Whether a callback does something at every training batch."""
    hooks = ("on_train_batch_begin", "on_train_batch_end", "on_batch_begin")
    base = keras.callbacks.Callback
    return any(
        getattr(type(callback), hook) is not getattr(base, hook)
        for hook in (*hooks, "on_batch_end")
    )


@contextmanager
def _interruptible(model: keras.Model) -> Iterator[None]:
    """Turn the first SIGINT into a stop after the step under way."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may handle signals
        return
    interrupts = []

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
