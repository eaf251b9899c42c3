"""Losses and metrics of logits, padding left out."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

from kseq2seq import _tensorflow
from kseq2seq.arguments import check_rate
from kseq2seq.vocabulary import PAD

_register = keras.saving.register_keras_serializable(package="kseq2seq")


@_register
class Crossentropy(keras.losses.Loss):
    """Cross-entropy of classes from logits, a weighted mean.

    Parameters
    ----------
    label_smoothing : float, default 0
        The share of each target's probability that is spread over all classes (Szegedy
        et al., 2016, arXiv:1512.00567, section 7); at least 0 and below 1.
    name : str, default "crossentropy"
    """

    def __init__(
        self, label_smoothing: float = 0.0, name: str = "crossentropy", **kwargs: Any
    ) -> None:
        super().__init__(
            name=name, **{"reduction": "mean_with_sample_weight", **kwargs}
        )
        self.label_smoothing = check_rate("label_smoothing", label_smoothing)

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Return the weighted mean; weights are one for each target."""
        losses = self.call(y_true, y_pred)
        weights = ops.ones_like(losses)
        if sample_weight is not None:
            weights = weights * ops.cast(sample_weight, losses.dtype)
        return weighted_mean(losses, weights)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the loss of every position, of the shape of the targets."""
        log_probs = ops.log_softmax(ops.cast(y_pred, "float32"))
        ids = ops.expand_dims(ops.cast(y_true, "int32"), -1)
        losses = -ops.take_along_axis(log_probs, ids, axis=-1)[..., 0]
        if not self.label_smoothing:
            return losses
        uniform = -ops.mean(log_probs, axis=-1)
        return (1 - self.label_smoothing) * losses + self.label_smoothing * uniform

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "label_smoothing": self.label_smoothing}


def weighted_mean(losses: Any, weights: Any) -> Any:
    """Return the weighted mean over the whole batch, 0 where nothing has a weight.

    On TensorFlow several devices may have a part of the batch each; they add up what
    they return.
    """
    total = _tensorflow.sum_of_replicas(ops.sum(weights))
    return ops.sum(losses * weights) / ops.where(ops.equal(total, 0), 1.0, total)


def least_loss(label_smoothing: float, num_classes: int) -> float:
    """Return the loss of perfect logits: 0, or the entropy of the smoothed targets."""
    if not label_smoothing:
        return 0.0
    other = label_smoothing / num_classes
    gold = 1 - label_smoothing + other
    return -gold * math.log(gold) - (num_classes - 1) * other * math.log(other)


def _token_weights(target_ids: Any, sample_weight: Any, dtype: Any) -> Any:
    """Return the weight of every token, 0 on padding: ``(batch, target_len)``."""
    weights = ops.cast(ops.not_equal(target_ids, PAD), dtype)
    if sample_weight is None:
        return weights
    sample_weight = ops.cast(sample_weight, dtype)
    if getattr(sample_weight.shape, "rank", 0) is None:
        # TensorFlow traces for any rank where weights came by pair, then by token.
        pairs = ops.shape(weights)[0]
        per_pair = ops.size(sample_weight) // ops.maximum(pairs, 1)
        sample_weight = ops.reshape(sample_weight, (pairs, ops.maximum(per_pair, 1)))
    elif len(sample_weight.shape) < len(weights.shape):
        sample_weight = ops.expand_dims(sample_weight, -1)
    return weights * sample_weight


@_register
class MaskedCrossentropy(Crossentropy):
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
        super().__init__(label_smoothing, name, **kwargs)

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Return the weighted mean over tokens; weights are per pair or per token."""
        losses = self.call(y_true, y_pred)  # (batch, target_len)
        weights = _token_weights(y_true, sample_weight, losses.dtype)
        return weighted_mean(losses, weights)


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
        # In one row: of several, a mean of each would come first.
        right, weights = (ops.reshape(values, (-1,)) for values in (right, weights))
        super().update_state(ops.cast(right, self.dtype), sample_weight=weights)
