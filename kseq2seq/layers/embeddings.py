"""Ids to vectors."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kseq2seq import _tensorflow
from kseq2seq.layers.dense import by_rows, random_uniform
from kseq2seq.layers.lookup import note_lookup
from kseq2seq.vocabulary import FIRST_TOKEN, UNK

_register = keras.saving.register_keras_serializable(package="kseq2seq")


@_register
class Embedding(keras.layers.Embedding):
    """Keras's embeddings, with a note for recurrent layers of what was looked up."""

    def call(self, inputs: Any) -> Any:
        if keras.backend.backend() != "tensorflow":
            return super().call(inputs)
        table = ops.cast(self.embeddings, self.compute_dtype)
        table = _tensorflow.with_dense_gradient(table)
        return note_lookup(_tensorflow.gather(table, inputs), inputs, table)


@_register
class TiedEmbedding(Embedding):
    """Embeddings that, called in reverse, give the logits of their ids.

    The logits are the products of vectors ``(batch, len, width)`` with every row of the
    embeddings (Press and Wolf, 2017, arXiv:1608.05859); there is no bias.
    """

    def call(self, inputs: Any, reverse: bool = False) -> Any:
        if not reverse:
            return super().call(inputs)
        table = ops.cast(self.embeddings, self.compute_dtype)
        return by_rows(lambda rows: ops.matmul(rows, ops.transpose(table)), inputs)

    def compute_output_spec(self, inputs: Any, reverse: bool = False) -> Any:
        width = self.input_dim if reverse else self.output_dim
        shape = (*inputs.shape[:2], width)
        return keras.KerasTensor(shape, dtype=self.compute_dtype)


@_register
class WordDropout(keras.layers.Layer):
    """Replace tokens by UNK at random, in training: ids to ids.

    Special ids stay (Bowman et al., 2016, arXiv:1511.06349, section 3.1; Iyyer et al.,
    2015).

    Parameters
    ----------
    rate : float
        The share of the tokens; at least 0 and below 1.
    seed : int, optional
    """

    def __init__(self, rate: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rate, self.seed = rate, seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, ids: Any, training: bool = False) -> Any:
        if not (training and self.rate):
            return ids
        drawn = random_uniform(ops.shape(ids), self.seed_generator)
        return ops.where((drawn < self.rate) & (ids >= FIRST_TOKEN), UNK, ids)

    def compute_output_spec(self, ids: Any, training: bool = False) -> Any:
        return keras.KerasTensor(ids.shape, dtype=ids.dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}


@_register
class OneHot(keras.layers.Layer):
    """Ids to one-hot vectors: ``(batch, len)`` to ``(batch, len, size)``.

    Parameters
    ----------
    size : int
        The vocabulary's size, the special ids included.
    """

    def __init__(self, size: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.size = size

    def call(self, ids: Any) -> Any:
        return ops.one_hot(ids, self.size, dtype=self.compute_dtype)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> Any:
        return (*input_shape, self.size)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "size": self.size}
