"""The log-probabilities of given tokens."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kseq2seq.vocabulary import PAD

_register = keras.saving.register_keras_serializable(package="kseq2seq")


@_register
class TokenLogProbs(keras.layers.Layer):
    """The logarithm of the probability that logits give to each of the given ids.

    Called with logits ``(batch, len, vocabulary)`` and ids ``(batch, len)``; gives
    float32 ``(batch, len)``, 0 on padding.

    Parameters
    ----------
    temperature : float, default 1
        The probabilities are ``softmax(logits / temperature)``.
    """

    def __init__(self, temperature: float = 1.0, **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)
        self.temperature = temperature

    def call(self, logits: Any, ids: Any) -> Any:
        logits = ops.cast(logits, "float32") / self.temperature
        chosen = ops.take_along_axis(logits, ops.expand_dims(ids, -1), axis=-1)
        log_probs = chosen[..., 0] - ops.logsumexp(logits, axis=-1)
        return ops.where(ops.equal(ids, PAD), 0.0, log_probs)

    def compute_output_spec(self, logits: Any, ids: Any) -> keras.KerasTensor:
        return keras.KerasTensor(ids.shape, dtype="float32")

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "temperature": self.temperature}
