"""The layers of an architecture, each with a seed of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import layers as keras_layers

from kseq2seq.arguments import make_rng
from kseq2seq.builders.architecture import EncoderArchitecture
from kseq2seq.builders.settings import Initializer
from kseq2seq.layers import (
    CELL_KINDS,
    Dense,
    Dropout,
    Embedding,
    OneHot,
    TiedEmbedding,
    WordDropout,
)

EMBEDDINGS_SCALE = 0.1
"""The standard deviation of embeddings where nothing else is asked for.

Keras's own ``"uniform"`` is within 0.05: a wide model then starts so near to nothing
that it learns next to nothing for epochs.
"""


class Seeded:
    """Gives initializers and dropout their seeds, each one of its own."""

    def __init__(
        self, random_state: int | np.random.Generator | np.random.RandomState | None
    ) -> None:
        self._rng = make_rng(random_state)

    def seed(self) -> int:
        """Return the next seed."""
        return int(self._rng.integers(2**31))

    def initializer(self, initializer: Initializer) -> keras.initializers.Initializer:
        """Return the initializer; one without a seed gets the next one of ours."""
        found = keras.initializers.get(initializer)
        if not isinstance(found, keras.initializers.Initializer):
            return found  # a plain function of shape and dtype
        config = found.get_config()
        if "seed" not in config or config["seed"] is not None:
            return found
        return type(found).from_config({**config, "seed": self.seed()})


class Components(Seeded):
    """Makes the layers of one architecture."""

    def __init__(self, architecture: EncoderArchitecture) -> None:
        super().__init__(architecture.random_state)
        self.architecture = architecture

    def dense(self, units: int | None, *, name: str, **kwargs: Any) -> Dense:
        """Return a dense layer."""
        return Dense(
            units,
            kernel_initializer=self.initializer(self.architecture.kernel_initializer),
            name=name,
            **kwargs,
        )

    def dropout(self, *, name: str) -> Callable[[Any], Any]:
        """Return a dropout layer, or what leaves values as they are at rate 0."""
        if not self.architecture.dropout:
            return self.identity
        return Dropout(self.architecture.dropout, seed=self.seed(), name=name)

    def word_dropout(self, *, name: str) -> Callable[[Any], Any]:
        """Return what puts UNK in place of tokens, or leaves ids as they are."""
        if not self.architecture.word_dropout:
            return self.identity
        return WordDropout(self.architecture.word_dropout, seed=self.seed(), name=name)

    @staticmethod
    def identity(values: Any) -> Any:
        """Return the values: stands where an architecture needs no layer."""
        return values

    def after_layer(self, i: int, *, name: str) -> Callable[[Any, Any], Any]:
        """Return what follows recurrent layer i: a function of its inputs and outputs.

        The inputs are added (He et al., 2016, arXiv:1512.03385), where both are as
        wide, and the sum is normalized (Ba et al., 2016, arXiv:1607.06450).
        """
        normalize: Callable[[Any], Any] = self.identity
        if self.architecture.layer_normalization:
            normalize = keras_layers.LayerNormalization(name=f"{name}_norm_{i}")
        if not self.architecture.residual or i == 1:
            return lambda inputs, outputs: normalize(outputs)
        add = keras_layers.Add(name=f"{name}_residual_{i}")
        return lambda inputs, outputs: normalize(add([inputs, outputs]))

    def embedding(
        self, side: str, size: Any, how: str | np.ndarray, *, tied: bool = False
    ) -> keras_layers.Layer:
        """Return the embedding of a side: learned, one-hot or from a matrix."""
        name = f"{side}_embedding"
        embedding = TiedEmbedding if tied else Embedding
        if isinstance(how, str) and how == "one_hot":
            return OneHot(size, name=name)
        if isinstance(how, str):
            given = self.architecture.embeddings_initializer
            if given is None:
                given = keras.initializers.RandomNormal(stddev=EMBEDDINGS_SCALE)
            initializer = self.initializer(given)
            dim = self.architecture.embedding_width
            return embedding(size, dim, embeddings_initializer=initializer, name=name)
        layer = embedding(
            size,
            how.shape[1],
            trainable=not self.architecture.freeze_embeddings,
            name=name,
        )
        layer.build()
        layer.set_weights([how])
        return layer

    def recurrent(
        self, units: int, *, name: str, backward: bool = False
    ) -> keras_layers.Layer:
        """Return a recurrent layer that gives all outputs and its last states."""
        architecture = self.architecture
        if callable(architecture.cell):
            return keras_layers.RNN(
                architecture.cell(units),
                return_sequences=True,
                return_state=True,
                go_backwards=backward,
                name=name,
            )
        return CELL_KINDS[architecture.cell].layer(
            units,
            kernel_initializer=self.initializer(architecture.kernel_initializer),
            recurrent_initializer=self.initializer(architecture.recurrent_initializer),
            bias_initializer=self.initializer(architecture.bias_initializer),
            recurrent_dropout=architecture.recurrent_dropout,
            return_sequences=True,
            return_state=True,
            go_backwards=backward,
            seed=self.seed(),
            name=name,
        )

    def encoder_recurrent(self, *, name: str) -> keras_layers.Layer:
        """Return an encoder layer: one direction, or two of half the width.

        Keras would give both directions the same seed if it made the second one.
        """
        width = self.architecture.encoder_width
        if not self.architecture.bidirectional:
            return self.recurrent(width, name=name)
        return keras_layers.Bidirectional(
            self.recurrent(width // 2, name=name),
            backward_layer=self.recurrent(
                width // 2, name=f"backward_{name}", backward=True
            ),
            name=name,
        )
