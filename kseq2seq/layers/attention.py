"""How a decoder looks back at the encoder outputs."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import keras
from keras import ops

from kseq2seq.layers.dense import Dropout
from kseq2seq.layers.masks import NEVER
from kseq2seq.layers.monotonic import MonotonicAttention

_register = keras.saving.register_keras_serializable(package="kseq2seq")


class _Attention(keras.layers.Layer):
    """Weights over the tokens of the source, and the weighted sum of its outputs.

    Parameters
    ----------
    dropout : float, default 0
        Share of the weights that training drops from the sum.
    seed : int, optional
    """

    def __init__(
        self, *, dropout: float = 0.0, seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.dropout, self.seed = dropout, seed
        self.drop = Dropout(dropout, seed=seed) if dropout else None

    def _look(
        self, scores: Any, encoder_outputs: Any, source_mask: Any, training: bool
    ) -> tuple[Any, Any]:
        """Return context vectors and weights for scores of every place."""
        scores = ops.cast(scores, "float32")  # (batch, target_len, source_len)
        scores = ops.where(ops.expand_dims(source_mask, 1), scores, NEVER)
        weights = ops.exp(ops.log_softmax(scores))  # Keras's softmax warns at length 1
        summed = ops.cast(weights, self.compute_dtype)
        if self.drop is not None:
            summed = self.drop(summed, training=training)
        return ops.matmul(summed, encoder_outputs), weights

    def _specs(self, queries: Any, encoder_outputs: Any) -> tuple[Any, Any]:
        batch, target_len, _ = queries.shape
        _, source_len, width = encoder_outputs.shape
        return (
            keras.KerasTensor((batch, target_len, width), dtype=self.compute_dtype),
            keras.KerasTensor((batch, target_len, source_len), dtype="float32"),
        )

    def get_config(self) -> dict[str, Any]:
        own = {"dropout": self.dropout, "seed": self.seed}
        return {**super().get_config(), **own}


@_register
class DotAttention(_Attention):
    """Look back at the encoder outputs by dot products.

    With q a decoder output and h_s the encoder outputs, the weights are
    ``a_s = softmax_s(q . h_s)`` over the tokens of the source and the context vector is
    ``sum_s a_s h_s`` (Luong et al., 2015, arXiv:1508.04025, equation 7, dot).

    Called with queries ``(batch, target_len, width)``, encoder outputs ``(batch,
    source_len, width)`` and their mask ``(batch, source_len)``; gives context vectors
    ``(batch, target_len, width)`` and weights ``(batch, target_len, source_len)``,
    float32 and 0 where the mask is False.

    Parameters
    ----------
    scaled : bool, default False
        Whether products are divided by the square root of the width (Vaswani et al.,
        2017, arXiv:1706.03762, equation 1).
    dropout : float, default 0
        Share of the weights that training drops from the sum.
    seed : int, optional
    """

    def __init__(self, scaled: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.scaled = scaled

    def call(
        self,
        queries: Any,
        encoder_outputs: Any,
        source_mask: Any,
        training: bool = False,
    ) -> tuple[Any, Any]:
        scores = ops.matmul(queries, ops.transpose(encoder_outputs, (0, 2, 1)))
        if self.scaled:
            scores = scores / math.sqrt(queries.shape[-1])
        return self._look(scores, encoder_outputs, source_mask, training)

    def compute_output_spec(
        self,
        queries: Any,
        encoder_outputs: Any,
        source_mask: Any,
        training: bool = False,
    ) -> tuple[Any, Any]:
        return self._specs(queries, encoder_outputs)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "scaled": self.scaled}


@_register
class AdditiveAttention(_Attention):
    """Look back at the encoder outputs by a small network.

    The weights are ``a_s = softmax_s(v . tanh(q + k_s))``, q and k_s the decoder output
    and the encoder outputs h_s, each brought to one width before; v is learned
    (Bahdanau et al., 2015, arXiv:1409.0473, section A.1.2). The context vector is
    ``sum_s a_s h_s``.

    Called with queries ``(batch, target_len, width)``, encoder outputs ``(batch,
    source_len, encoder_units)``, their mask ``(batch, source_len)`` and the keys
    ``(batch, source_len, width)``; gives context vectors ``(batch, target_len,
    encoder_units)`` and weights as :class:`DotAttention`.

    Parameters
    ----------
    kernel_initializer : str or keras.initializers.Initializer
        Of v.
    dropout : float, default 0
        Share of the weights that training drops from the sum.
    seed : int, optional
    """

    def __init__(
        self, kernel_initializer: Any = "glorot_uniform", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    def build(self, queries_shape: tuple[int | None, ...], *shapes: Any) -> None:
        self.scale = self.add_weight(
            shape=(queries_shape[-1], 1),
            initializer=self.kernel_initializer,
            name="scale",
        )

    def call(
        self,
        queries: Any,
        encoder_outputs: Any,
        source_mask: Any,
        keys: Any,
        training: bool = False,
    ) -> tuple[Any, Any]:
        # (batch, target_len, source_len, width)
        hidden = ops.tanh(ops.expand_dims(queries, 2) + ops.expand_dims(keys, 1))
        scores = ops.matmul(hidden, self.scale)[..., 0]
        return self._look(scores, encoder_outputs, source_mask, training)

    def compute_output_spec(
        self,
        queries: Any,
        encoder_outputs: Any,
        source_mask: Any,
        keys: Any,
        training: bool = False,
    ) -> tuple[Any, Any]:
        return self._specs(queries, encoder_outputs)

    def get_config(self) -> dict[str, Any]:
        initializer = keras.initializers.serialize(self.kernel_initializer)
        return {**super().get_config(), "kernel_initializer": initializer}


@dataclass(frozen=True)
class AttentionKind:
    """What is known of a kind of attention; builders and checks read it here.

    Decoder outputs are compared with encoder outputs, or with the keys that the encoder
    makes of these once for all steps. They are projected to the width of what they are
    compared with, where they have another or where the kind always asks for it.

    Attributes
    ----------
    name : str
        What users call it.
    layer : callable
        Makes the layer; takes ``dropout``, ``seed`` and ``name``, one that is monotonic
        the name alone.
    reads_keys : bool, default False
        Whether the encoder projects its outputs to keys, as wide as the decoder, which
        the layer is called with last.
    always_projects : bool, default False
        Whether decoder outputs are projected even where the width is right.
    query_bias : bool, default False
        Whether this projection has a bias.
    has_kernel : bool, default False
        Whether the layer has weights of its own and takes ``kernel_initializer``.
    is_monotonic : bool, default False
        Whether each token stands at one place of the source, and none before that of
        the token before; logits are then read from every place.
    """

    name: str
    layer: Callable[..., keras.layers.Layer]
    reads_keys: bool = False
    always_projects: bool = False
    query_bias: bool = False
    has_kernel: bool = False
    is_monotonic: bool = False


ATTENTION_KINDS = {
    kind.name: kind
    for kind in (
        AttentionKind("dot", DotAttention),
        AttentionKind("scaled_dot", partial(DotAttention, scaled=True)),
        AttentionKind("general", DotAttention, always_projects=True),
        AttentionKind(
            "additive",
            AdditiveAttention,
            reads_keys=True,
            always_projects=True,
            query_bias=True,
            has_kernel=True,
        ),
        AttentionKind(
            "monotonic", MonotonicAttention, always_projects=True, is_monotonic=True
        ),
    )
}
"""The kinds of attention by their names."""
