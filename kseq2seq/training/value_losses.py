"""Losses and metrics of real values and their quantiles, missing targets left out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from kseq2seq.arguments import check_choice
from kseq2seq.builders.settings import check_quantiles
from kseq2seq.training.losses import weighted_mean

_register = keras.saving.register_keras_serializable(package="kseq2seq")


def _huber(errors: Any) -> Any:
    """Return half the square of errors within 1, and their size less a half beyond."""
    sizes = ops.abs(errors)
    return ops.where(sizes <= 1.0, 0.5 * errors * errors, sizes - 0.5)


POINT_LOSSES = {
    "squared_error": ops.square,
    "absolute_error": ops.abs,
    "huber": _huber,
}
"""What errors cost, by name: the first makes an answer the mean, the second the
median."""


@_register
class ValueLoss(keras.losses.Loss):
    """The cost of real values and, beside them, of their quantiles; a weighted mean.

    A quantile q of level L costs, of a target y, ``(y - q) (L - [y < q])``, twice: the
    pinball loss (Koenker and Bassett, 1978, equation 1.4), which is least where the
    share L of the targets lies below. Of several levels it is the mean. Targets that
    are NaN cost nothing and count nothing.

    Targets are ``(batch, target_len, features)``. Outputs are the same; or, with
    quantiles, ``(batch, target_len, features, 1 + number of quantiles)``, the value
    first; several models' outputs may stand behind each other on the last axis, whose
    costs are added up. Weights are one for each target sequence or for each of its
    frames.

    Parameters
    ----------
    point : {"squared_error", "absolute_error", "huber"}, default "squared_error"
        What the value itself costs.
    quantiles : list of float, optional
        The levels.
    name : str, default "value_loss"

    Raises
    ------
    ValueError, TypeError
        When an argument is not as described.

    Examples
    --------
    >>> import numpy as np
    >>> from kseq2seq.training import ValueLoss
    >>> y = np.array([[[1.0], [np.nan]]])
    >>> outputs = np.array([[[[3.0, 0.0]], [[5.0, 5.0]]]])
    >>> float(ValueLoss(quantiles=[0.75])(y, outputs))  # 2 * 2 + 2 * (1 * 0.75)
    5.5
    """

    def __init__(
        self,
        point: str = "squared_error",
        quantiles: Sequence[float] | None = None,
        name: str = "value_loss",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            name=name, **{"reduction": "mean_with_sample_weight", **kwargs}
        )
        self.point = check_choice("point", point, POINT_LOSSES)
        self.quantiles = (
            [] if quantiles is None else [*check_quantiles("quantiles", quantiles)]
        )

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Return the weighted mean over values that are not missing."""
        costs = self.call(y_true, y_pred)
        weights = value_weights(y_true, sample_weight, costs.dtype)
        return weighted_mean(costs, weights)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the cost of every value, of the shape of the targets."""
        blocks, targets = _blocks(y_true, y_pred, 1 + len(self.quantiles))
        errors = targets - blocks  # (batch, target_len, features, models, 1 + levels)
        costs = POINT_LOSSES[self.point](errors[..., 0])
        if self.quantiles:
            levels = ops.convert_to_tensor(self.quantiles, dtype=errors.dtype)
            errors = errors[..., 1:]
            below = ops.cast(errors < 0, errors.dtype)
            costs = costs + 2 * ops.mean(errors * (levels - below), axis=-1)
        return ops.sum(costs, axis=-1)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        return {**config, "point": self.point, "quantiles": self.quantiles or None}


@_register
class PointError(keras.metrics.Mean):
    """The mean absolute error of real values, whatever quantiles stand beside them.

    Missing targets, NaN, are left out. A decoder that reads what it answers is fed the
    targets here: how it answers by itself is measured by answering.

    Parameters
    ----------
    num_heads : int, default 1
        How many values a model gives for each target: one, and its quantiles.
    name : str, default "absolute_error"
    """

    def __init__(
        self, num_heads: int = 1, name: str = "absolute_error", **kwargs: Any
    ) -> None:
        super().__init__(name=name, **kwargs)
        self.num_heads = num_heads
        self._direction = "down"  # where Keras's callbacks look for a mode

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        blocks, targets = _blocks(y_true, y_pred, self.num_heads)
        answers = ops.mean(blocks[..., 0], axis=-1)  # of several models the average
        errors = ops.abs(targets[..., 0, 0] - answers)
        weights = value_weights(y_true, sample_weight, self.dtype)
        errors, weights = (ops.reshape(each, (-1,)) for each in (errors, weights))
        super().update_state(ops.cast(errors, self.dtype), sample_weight=weights)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "num_heads": self.num_heads}


def _blocks(y_true: Any, y_pred: Any, num_heads: int) -> tuple[Any, Any]:
    """Return outputs by model, and the targets, with zeros for NaN.

    The former are ``(batch, target_len, features, models, num_heads)``, the latter have
    1 for the last two.
    """
    y_pred = ops.cast(y_pred, "float32")
    if len(y_pred.shape) == 3:
        y_pred = y_pred[..., None]
    num_models = y_pred.shape[-1] // num_heads
    sizes = ops.shape(y_pred)
    blocks = ops.reshape(y_pred, (*sizes[:-1], num_models, num_heads))
    targets = ops.cast(y_true, "float32")[..., None, None]
    return blocks, ops.where(ops.isnan(targets), ops.zeros_like(targets), targets)


def value_weights(y_true: Any, sample_weight: Any, dtype: Any) -> Any:
    """Return the weight of every target value, 0 where it is missing."""
    weights = ops.cast(ops.logical_not(ops.isnan(y_true)), dtype)
    if sample_weight is None:
        return weights
    sample_weight = ops.cast(sample_weight, dtype)
    while len(sample_weight.shape) < len(weights.shape):
        sample_weight = sample_weight[..., None]
    return weights * sample_weight
