"""What a training minimizes, measures and calls: losses, metrics and callbacks."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from keras.callbacks import Callback
from keras.losses import Loss
from keras.metrics import Metric
from keras.models import Model
from keras.ops import convert_to_numpy

from kseq2seq.arguments import shown, written


def check_callbacks(name: str, callbacks: Any) -> Any:
    """Return a sequence of callbacks, or of what makes them, or raise."""
    listed = callbacks if isinstance(callbacks, list | tuple) else [None]
    if not all(isinstance(item, Callback) or callable(item) for item in listed):
        raise TypeError(
            f"{name} must be a list of keras.callbacks.Callback objects, or of "
            f"functions that make one; got {written(callbacks, 200)}."
        )
    return callbacks


def check_loss(name: str, loss: Any) -> Any:
    """Return a Keras loss that can be copied, or raise."""
    if not isinstance(loss, Loss):
        raise TypeError(
            f"{name} must be a keras.losses.Loss of targets, logits and weights, or "
            f"None; got {shown(loss)}."
        )
    return _check_copied(name, loss)


def check_metric_list(name: str, metrics: Any) -> Any:
    """Return a list of Keras metrics that can be copied, or raise."""
    listed = metrics if isinstance(metrics, list | tuple) else [None]
    if not all(isinstance(one, Metric) for one in listed):
        raise TypeError(
            f"{name} must be a list of keras.metrics.Metric objects, or None; got "
            f"{shown(metrics)}."
        )
    return _check_copied(name, metrics)


def _check_copied(name: str, value: Any) -> Any:
    """Return the value, or raise unless each fit can have a copy."""
    try:
        copy.deepcopy(value)
    except Exception as error:
        raise TypeError(
            f"{name} cannot be copied for this fit, as Keras does not know its class: "
            "put @keras.saving.register_keras_serializable() above it "
            f"({type(error).__name__}: {error!s:.80})."
        ) from None
    return value


def check_on_example(
    loss: Loss | None, metrics: Sequence[Metric], model: Model
) -> None:
    """Raise unless a loss and metrics can measure what a model puts out.

    The first metric is our own, whose name no other may have.
    """
    names = ["loss", *(metric.name for metric in metrics)]
    taken = [name for name in names if names.count(name) > 1]
    if taken:
        raise ValueError(
            f"metrics: the name {taken[0]!r} is taken, by the loss or another metric. "
            "Give each a name of its own."
        )
    example = example_of(model)
    targets, outputs, weights = (each.shape for each in example)
    given = f"targets {targets}, outputs {outputs} and weights {weights}"
    measuring: dict[str, Callable[..., list[Any]]] = {
        f"metrics: {one.name}": partial(_measure, one) for one in metrics[1:]
    }
    if loss is not None:
        measuring["loss"] = lambda *example: [loss(*example)]
    for name, measure in measuring.items():
        try:
            shapes = [np.shape(convert_to_numpy(one)) for one in measure(*example)]
        except Exception as error:
            reason = str(error).splitlines() or [""]
            raise ValueError(
                f"{name} cannot measure this model: of {given} it makes "
                f"{type(error).__name__}: {reason[0]:.200}"
            ) from None
        if any(shapes):
            raise ValueError(f"{name} must make one number of {given}; got {shapes}.")


def example_of(model: Model) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return targets, outputs and weights of two rows, as a model's losses get them."""
    size = model.output_shape[1:]
    steps = (3,) * (len(size) > 1)
    targets = np.ones((2, *steps), dtype="int32")
    weights = targets.astype("float32")
    if getattr(model, "has_real_values", False):
        targets = np.ones((2, *steps, size[1]), dtype="float32")
    outputs = np.zeros((2, *steps, *(n or 1 for n in size[len(steps) :])), "float32")
    return targets, outputs, weights


def _measure(metric: Metric, *example: np.ndarray) -> list[Any]:
    """Return a metric's values of an example; leave the metric as it was."""
    targets, logits, weights = example
    metric.update_state(targets, logits, sample_weight=weights)
    result = metric.result()
    metric.reset_state()
    return list(result.values()) if isinstance(result, dict) else [result]


def new_callbacks(callbacks: Sequence[Callback | Callable[[], Callback]]) -> list[Any]:
    """Return a copy of each callback, or what its maker makes."""
    copies = copy.deepcopy(list(callbacks))  # at once: one may know of another
    made = [c if isinstance(c, Callback) else c() for c in copies]
    for maker, callback in zip(callbacks, made, strict=True):
        if not isinstance(callback, Callback):
            raise TypeError(
                "a function among the callbacks must return a "
                f"keras.callbacks.Callback; {maker!r:.60} returned {callback!r:.60}."
            )
    return made
