"""Checks of the data that estimators get."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from numbers import Integral
from typing import Any

import numpy as np
from keras.callbacks import Callback
from keras.losses import Loss
from keras.metrics import Metric
from keras.ops import convert_to_numpy

from kseq2seq.arguments import shown

_ROOM = 16
"""Both directions of an encoder have half its width, and room is left for others."""


def check_lengths(num_sources: int, num_targets: int) -> None:
    """Raise unless there are as many targets as sources."""
    if num_sources != num_targets:
        raise ValueError(
            "X and y must be as long, one answer for each source; got "
            f"{num_sources} in X and {num_targets} in y."
        )


def check_validation_data(validation_data: Any) -> tuple[Any, Any]:
    """Return X and y, or raise unless there are these two."""
    if not isinstance(validation_data, tuple | list) or len(validation_data) != 2:
        raise TypeError(
            "validation_data must be a pair (X, y), without weights; got "
            f"{type(validation_data).__name__}."
        )
    X, y = validation_data
    return (
        list(X) if isinstance(X, Iterator) else X,
        list(y) if isinstance(y, Iterator) else y,
    )


def check_callbacks(callbacks: Any) -> None:
    """Raise unless callbacks is None or a sequence of callbacks, or of their makers."""
    if callbacks is None:
        return
    listed = callbacks if isinstance(callbacks, list | tuple) else [None]
    if not all(isinstance(item, Callback) or callable(item) for item in listed):
        raise TypeError(
            "callbacks must be a list of keras.callbacks.Callback objects, or of "
            f"functions that make one; got {callbacks!r:.200}."
        )


def check_loss_and_metrics(loss: Any, metrics: Any) -> None:
    """Raise unless these are None, or a Keras loss and a list of Keras metrics."""
    if loss is not None and not isinstance(loss, Loss):
        raise TypeError(
            "loss must be a keras.losses.Loss of targets, logits and weights, or None; "
            f"got {shown(loss)}."
        )
    listed = metrics if isinstance(metrics, list | tuple) else [None]
    if metrics is not None and not all(isinstance(one, Metric) for one in listed):
        raise TypeError(
            "metrics must be a list of keras.metrics.Metric objects, or None; got "
            f"{shown(metrics)}."
        )
    for name, value in (("loss", loss), ("metrics", metrics)):
        try:
            copy.deepcopy(value)
        except Exception as error:
            raise TypeError(
                f"{name} cannot be copied for this fit, as Keras does not know its "
                "class: put @keras.saving.register_keras_serializable() above it "
                f"({type(error).__name__}: {error!s:.80})."
            ) from None


def check_on_example(
    loss: Loss | None, metrics: Sequence[Metric], output_shape: tuple[int | None, ...]
) -> None:
    """Raise unless a loss and metrics can measure outputs of a shape.

    The first metric is our own, whose name no other may have.
    """
    names = ["loss", *(metric.name for metric in metrics)]
    taken = [name for name in names if names.count(name) > 1]
    if taken:
        raise ValueError(
            f"metrics: the name {taken[0]!r} is taken, by the loss or another metric. "
            "Give each a name of its own."
        )
    shape = (2, 3)[: len(output_shape) - 1]
    example = (
        np.ones(shape, dtype="int32"),
        np.zeros((*shape, output_shape[-1] or 1), dtype="float32"),
        np.ones(shape, dtype="float32"),
    )
    given = f"targets {shape}, logits {example[1].shape} and weights {shape}"
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


def check_sizes(
    settings: Mapping[str, Any],
    vocabulary_sizes: Mapping[str, int],
    weights: Mapping[str, np.ndarray],
) -> None:
    """Raise where settings ask for models far larger than these weights are.

    A bound that is cheap, so that no file makes a model that it has no weights for;
    names and shapes are compared when the model is there.

    Parameters
    ----------
    settings : mapping of str to object
        Under the builder's names.
    vocabulary_sizes : mapping of str to int
        Of the sides that have embeddings: ``"source"``, and ``"target"``.
    weights : mapping of str to numpy.ndarray
    """

    def size(name: str) -> int:
        value = settings.get(name)
        return int(value) if isinstance(value, Integral) else 1

    largest = max((array.size for array in weights.values()), default=0)
    products = {
        f"{name}={size(name):,}": size(name) ** 2 for name in ("units", "encoder_units")
    }
    if settings.get("attention") is not None:
        name = "attention_units"
        products[f"{name}={size(name):,}"] = size(name) * size("units")
    learned = [
        num_ids
        for side, num_ids in vocabulary_sizes.items()
        if isinstance(settings.get(f"{side}_embedding"), str)
        and settings[f"{side}_embedding"] == "learned"
    ]
    if learned:
        dim = size("embedding_dim")
        products[f"embedding_dim={dim:,}"] = dim * max(*learned, size("units"))
    for setting, product in products.items():
        if product > _ROOM * largest:
            raise ValueError(
                f"{setting} needs more weights than the file has: its largest array "
                f"has {largest:,} numbers"
            )
    if size("num_layers") > len(weights):
        raise ValueError(
            f"num_layers={size('num_layers'):,} is more than the {len(weights)} arrays "
            "of the file"
        )
