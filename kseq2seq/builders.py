"""Sizes to Keras models: a training model, an encoder and a decoder that share layers.

The encoder reads ``source_ids`` and hands its states (and, with attention, all its
outputs) to the decoder, which predicts one token after the other (Sutskever et al.,
2014, arXiv:1409.3215). With attention every decoder output looks back at the encoder
outputs (Luong et al., 2015, arXiv:1508.04025, equations 2, 5, 6 and 7).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import layers as keras_layers

from kseq2seq.arguments import (
    check_choice,
    check_flag,
    check_rate,
    check_whole,
    quoted_choices,
    random_generator,
)
from kseq2seq.layers import RECURRENT_LAYERS, Dropout, OneHot, PaddingMask, Unmasked

Embedding = str | np.ndarray
Initializer = Any

CELLS = tuple(RECURRENT_LAYERS)
ATTENTIONS = ("dot",)
EMBEDDINGS = ("learned", "one_hot")
MAX_LAYERS = 4


@dataclass(frozen=True)
class Seq2SeqModels:
    """Three Keras models that share their layers.

    Attributes
    ----------
    training : keras.Model
        ``[source_ids (batch, source_len), decoder_input_ids (batch, target_len)]`` to
        logits ``(batch, target_len, target_vocabulary_size)``; teacher forcing.
    encoder : keras.Model
        ``source_ids`` to the decoder's initial states, each ``(batch, units)`` (for an
        LSTM h and c of layer 1, then of layer 2 ...), and with attention the encoder
        outputs ``(batch, source_len, encoder_units)`` and their mask
        ``(batch, source_len)``.
    decoder : keras.Model
        One step: ``[decoder_input_ids (batch, 1), *what the encoder gave]`` to
        ``[logits (batch, 1, target_vocabulary_size), *new states]`` and with attention
        the weights ``(batch, 1, source_len)``.
    """

    training: keras.Model
    encoder: keras.Model
    decoder: keras.Model

    @property
    def has_attention(self) -> bool:
        """Whether the decoder looks back at the encoder outputs."""
        return any(layer.name == "attention" for layer in self.decoder.layers)

    @property
    def num_states(self) -> int:
        """How many of the decoder's inputs, and of its outputs, are states."""
        return len(self.decoder.inputs) - 1 - 2 * self.has_attention


def build_seq2seq(
    source_vocabulary_size: int,
    target_vocabulary_size: int,
    units: int = 256,
    *,
    encoder_units: int | None = None,
    cell: str = "lstm",
    num_layers: int = 1,
    bidirectional: bool = False,
    embedding_dim: int | None = None,
    source_embedding: Embedding = "learned",
    target_embedding: Embedding = "learned",
    freeze_embeddings: bool = False,
    dropout: float = 0.0,
    recurrent_dropout: float = 0.0,
    kernel_initializer: Initializer = "glorot_uniform",
    recurrent_initializer: Initializer = "orthogonal",
    bias_initializer: Initializer = "zeros",
    embeddings_initializer: Initializer = "uniform",
    random_state: int | np.random.Generator | None = None,
) -> Seq2SeqModels:
    """Build an encoder-decoder whose decoder starts from the encoder's last states.

    Ids are 0 PAD, 1 UNK, 2 START, 3 END and tokens from 4; padding on the right changes
    no answer. Every source needs at least one id that is not PAD.

    Parameters
    ----------
    source_vocabulary_size, target_vocabulary_size : int
        How many ids each side knows, the four special ids included; at least 5.
    units : int, default 256
        The width of the decoder.
    encoder_units : int, optional
        The width of the encoder outputs; `units` when None (rounded up to an even
        number if `bidirectional`). When it differs from `units`, a dense layer with
        tanh brings each encoder state to the decoder's width.
    cell : {"lstm", "gru", "rnn"}, default "lstm"
    num_layers : int, default 1
        Recurrent layers of the encoder, and of the decoder; 1 to 4.
    bidirectional : bool, default False
        Whether each encoder layer reads in both directions, half its width each.
    embedding_dim : int, optional
        The width of learned embeddings; `units` when None.
    source_embedding, target_embedding : {"learned", "one_hot"} or array, default
        "learned". An array ``(vocabulary size, any width)`` is the embeddings' start.
    freeze_embeddings : bool, default False
        Whether embeddings given as arrays stay as they are.
    dropout : float, default 0
        Share of the embeddings, of the values between layers and of the values before
        the logits that training drops; at least 0 and below 1.
    recurrent_dropout : float, default 0
        Share of each recurrent layer's state that training drops.
    kernel_initializer, recurrent_initializer, bias_initializer, \
embeddings_initializer : str or keras.initializers.Initializer
        Initializers that have no seed of their own draw one from `random_state`.
        `bias_initializer` is that of the recurrent layers.
    random_state : int, optional
        Seeds initializers and dropout. The global seeds are neither read nor set.

    Returns
    -------
    Seq2SeqModels

    Raises
    ------
    ValueError, TypeError
        When an argument is outside its range; the message names the range.

    Examples
    --------
    >>> from kseq2seq import build_seq2seq
    >>> models = build_seq2seq(16, 15, units=64, random_state=0)
    >>> models.training.output_shape
    (None, None, 15)
    """
    return _build(_Architecture(**locals()))


def build_attention_seq2seq(
    source_vocabulary_size: int,
    target_vocabulary_size: int,
    units: int = 256,
    *,
    attention: str = "dot",
    attention_units: int | None = None,
    encoder_units: int | None = None,
    cell: str = "lstm",
    num_layers: int = 1,
    bidirectional: bool = False,
    embedding_dim: int | None = None,
    source_embedding: Embedding = "learned",
    target_embedding: Embedding = "learned",
    freeze_embeddings: bool = False,
    dropout: float = 0.0,
    recurrent_dropout: float = 0.0,
    kernel_initializer: Initializer = "glorot_uniform",
    recurrent_initializer: Initializer = "orthogonal",
    bias_initializer: Initializer = "zeros",
    embeddings_initializer: Initializer = "uniform",
    random_state: int | np.random.Generator | None = None,
) -> Seq2SeqModels:
    """Build an encoder-decoder with attention over the encoder outputs.

    At every step the decoder output is compared with each encoder output by their dot
    product; a softmax over the tokens of the source gives the weights, the weighted sum
    of the encoder outputs is the context vector, and a tanh layer over both gives what
    the logits are read from (Luong et al., 2015, arXiv:1508.04025, equations 5 to 7).

    Parameters
    ----------
    attention : {"dot"}, default "dot"
        The score. Where `encoder_units` differs from the decoder's `units`, a dense
        layer without bias brings the decoder output to the encoder's width first.
    attention_units : int, optional
        The width of the tanh layer; `units` when None.
    source_vocabulary_size, target_vocabulary_size, units, encoder_units, cell, \
num_layers, bidirectional, embedding_dim, source_embedding, target_embedding, \
freeze_embeddings, dropout, recurrent_dropout, kernel_initializer, \
recurrent_initializer, bias_initializer, embeddings_initializer, random_state
        As in :func:`build_seq2seq`.

    Returns
    -------
    Seq2SeqModels

    Raises
    ------
    ValueError, TypeError
        When an argument is outside its range; the message names the range.

    Examples
    --------
    >>> from kseq2seq import build_attention_seq2seq
    >>> models = build_attention_seq2seq(16, 15, units=64, random_state=0)
    >>> [layer.name for layer in models.decoder.layers][-3:]
    ['attention_concatenate', 'attention_vector', 'logits']
    """
    check_choice("attention", attention, ATTENTIONS)
    return _build(_Architecture(**locals()))


@dataclass(frozen=True, kw_only=True)
class _Architecture:
    """The checked arguments of the builders."""

    source_vocabulary_size: int
    target_vocabulary_size: int
    units: int
    encoder_units: int | None
    cell: str
    num_layers: int
    bidirectional: bool
    embedding_dim: int | None
    source_embedding: Embedding
    target_embedding: Embedding
    freeze_embeddings: bool
    dropout: float
    recurrent_dropout: float
    kernel_initializer: Initializer
    recurrent_initializer: Initializer
    bias_initializer: Initializer
    embeddings_initializer: Initializer
    random_state: Any
    attention: str | None = None
    attention_units: int | None = None

    def __post_init__(self) -> None:
        for name in ("source_vocabulary_size", "target_vocabulary_size"):
            check_whole(name, getattr(self, name), minimum=5)
        check_whole("units", self.units)
        for name in ("encoder_units", "embedding_dim", "attention_units"):
            if getattr(self, name) is not None:
                check_whole(name, getattr(self, name))
        check_choice("cell", self.cell, CELLS)
        check_whole("num_layers", self.num_layers, maximum=MAX_LAYERS)
        for name in ("bidirectional", "freeze_embeddings"):
            check_flag(name, getattr(self, name))
        for name in ("dropout", "recurrent_dropout"):
            check_rate(name, getattr(self, name))
        if self.bidirectional and self.encoder_width % 2:
            raise ValueError(
                "encoder_units must be even when bidirectional, half for each "
                f"direction; got {self.encoder_units}."
            )
        for side in ("source", "target"):
            check_embedding(
                f"{side}_embedding",
                getattr(self, f"{side}_embedding"),
                getattr(self, f"{side}_vocabulary_size"),
            )

    @property
    def encoder_width(self) -> int:
        if self.encoder_units is not None:
            return self.encoder_units
        return self.units + (self.units % 2 if self.bidirectional else 0)


def check_embedding(name: str, value: Any, vocabulary_size: int | None) -> None:
    """Raise unless value is a known name or a finite matrix with a row for each id."""
    if isinstance(value, str):
        return check_choice(name, value, EMBEDDINGS)
    rows = "vocabulary size" if vocabulary_size is None else vocabulary_size
    expected = f"{quoted_choices(EMBEDDINGS)}, or a matrix of shape ({rows}, width)"
    if not isinstance(value, np.ndarray) or not np.issubdtype(value.dtype, np.number):
        raise TypeError(f"{name} must be {expected}; got {type(value).__name__}.")
    fits = value.ndim == 2 and value.shape[1] > 0
    if not fits or vocabulary_size not in (None, value.shape[0]):
        raise ValueError(
            f"{name} must be {expected}, ids 0 to 3 being PAD, UNK, START and END; "
            f"got shape {value.shape}."
        )
    if not np.isfinite(value).all():
        row = int(np.argwhere(~np.isfinite(value))[0][0])
        raise ValueError(f"{name} must be finite; row {row} holds NaN or infinity.")
    return None


class _Layers:
    """Makes the layers of one architecture, each with a seed of its own."""

    def __init__(self, architecture: _Architecture) -> None:
        self.architecture = architecture
        self._generator = random_generator(architecture.random_state)

    def seed(self) -> int:
        return int(self._generator.integers(2**31))

    def initializer(self, initializer: Initializer) -> keras.initializers.Initializer:
        """Return the initializer; one without a seed gets the next one of ours."""
        found = keras.initializers.get(initializer)
        if not isinstance(found, keras.initializers.Initializer):
            return found  # a plain function of shape and dtype
        config = found.get_config()
        if "seed" not in config or config["seed"] is not None:
            return found
        return type(found).from_config({**config, "seed": self.seed()})

    def dense(self, units: int, *, name: str, **kwargs: Any) -> keras_layers.Dense:
        return keras_layers.Dense(
            units,
            kernel_initializer=self.initializer(self.architecture.kernel_initializer),
            name=name,
            **kwargs,
        )

    def dropout(self, *, name: str) -> keras_layers.Layer | None:
        if not self.architecture.dropout:
            return None
        return Dropout(self.architecture.dropout, seed=self.seed(), name=name)

    def embedding(self, side: str, size: int, how: Embedding) -> keras_layers.Layer:
        name = f"{side}_embedding"
        if isinstance(how, str) and how == "one_hot":
            return OneHot(size, name=name)
        if isinstance(how, str):
            initializer = self.initializer(self.architecture.embeddings_initializer)
            dim = self.architecture.embedding_dim or self.architecture.units
            return keras_layers.Embedding(
                size, dim, embeddings_initializer=initializer, name=name
            )
        layer = keras_layers.Embedding(
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
        architecture = self.architecture
        return RECURRENT_LAYERS[architecture.cell](
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


def _build(architecture: _Architecture) -> Seq2SeqModels:
    layers = _Layers(architecture)
    encoder = _build_encoder(architecture, layers)
    decoder = _Decoder(architecture, layers)
    step_model = decoder.step_model(encoder)
    decoder_input_ids = _input((None,), name="decoder_input_ids", dtype="int32")
    logits, *_ = decoder.wire(decoder_input_ids, encoder.outputs)
    training = keras.Model(
        [*encoder.inputs, decoder_input_ids], logits, name="training"
    )
    return Seq2SeqModels(training=training, encoder=encoder, decoder=step_model)


def as_list(outputs: Any) -> list[Any]:
    """Return a model's outputs as a list; Keras unpacks a list of one."""
    return list(outputs) if isinstance(outputs, list | tuple) else [outputs]


def _input(shape: Sequence[int | None], *, name: str, dtype: str) -> keras.KerasTensor:
    return keras.Input(tuple(shape), name=name, dtype=dtype)


def _through(layer: keras_layers.Layer | None, values: Any) -> Any:
    return values if layer is None else layer(values)


def _build_encoder(architecture: _Architecture, layers: _Layers) -> keras.Model:
    source_ids = _input((None,), name="source_ids", dtype="int32")
    embedding = layers.embedding(
        "source", architecture.source_vocabulary_size, architecture.source_embedding
    )
    mask = PaddingMask(name="source_mask")(source_ids)
    outputs = _through(
        layers.dropout(name="source_embedding_dropout"), embedding(source_ids)
    )
    states = []
    for i in range(1, architecture.num_layers + 1):
        if i > 1:
            outputs = _through(layers.dropout(name=f"encoder_dropout_{i}"), outputs)
        layer = layers.encoder_recurrent(name=f"encoder_{architecture.cell}_{i}")
        outputs, *layer_states = layer(outputs, mask=mask)
        states += _decoder_states(architecture, layers, layer_states, i)
    memory = []
    if architecture.attention:
        memory = [Unmasked(name="encoder_outputs")(outputs), mask]
    return keras.Model(source_ids, [*states, *memory], name="encoder")


def _decoder_states(
    architecture: _Architecture, layers: _Layers, states: list[Any], i: int
) -> list[Any]:
    """Join the two directions' states and bring them to the decoder's width."""
    names = ("h", "c")[: len(states) // (1 + architecture.bidirectional)]
    if architecture.bidirectional:
        states = [
            keras_layers.Concatenate(name=f"encoder_state_{name}_{i}")(pair)
            for name, *pair in zip(names, states, states[len(names) :], strict=False)
        ]
    if architecture.encoder_width == architecture.units:
        return states
    return [
        layers.dense(architecture.units, activation="tanh", name=f"bridge_{name}_{i}")(
            state
        )
        for name, state in zip(names, states, strict=True)
    ]


class _Decoder:
    """The decoder's layers, and the one way in which they are wired."""

    def __init__(self, architecture: _Architecture, layers: _Layers) -> None:
        self.architecture = architecture
        self.embedding = layers.embedding(
            "target", architecture.target_vocabulary_size, architecture.target_embedding
        )
        self.embedding_dropout = layers.dropout(name="target_embedding_dropout")
        numbers = range(1, architecture.num_layers + 1)
        self.recurrent = [
            layers.recurrent(
                architecture.units, name=f"decoder_{architecture.cell}_{i}"
            )
            for i in numbers
        ]
        self.dropouts = [None] + [
            layers.dropout(name=f"decoder_dropout_{i}") for i in numbers[1:]
        ]
        self.attention = None
        if architecture.attention:
            self.attention = _Attention(architecture, layers)
        self.logits_dropout = layers.dropout(name="logits_dropout")
        self.logits = layers.dense(
            architecture.target_vocabulary_size, name="logits", dtype=None
        )

    def wire(self, decoder_input_ids: Any, memory: list[Any]) -> list[Any]:
        """Return ``[logits, *states]`` and with attention the weights.

        Serves any number of steps: all gold ids in training, one id in the decoder.
        """
        outputs = _through(self.embedding_dropout, self.embedding(decoder_input_ids))
        states_per_layer = 2 if self.architecture.cell == "lstm" else 1
        new_states: list[Any] = []
        for layer, dropout in zip(self.recurrent, self.dropouts, strict=True):
            start = len(new_states)
            states = memory[start : start + states_per_layer]
            outputs, *states = layer(_through(dropout, outputs), initial_state=states)
            new_states += states
        weights: list[Any] = []
        if self.attention is not None:
            outputs, *weights = self.attention.wire(outputs, *memory[-2:])
        logits = self.logits(_through(self.logits_dropout, outputs))
        return [logits, *new_states, *weights]

    def step_model(self, encoder: keras.Model) -> keras.Model:
        """Return the decoder as a model of one step, whatever the encoder gives."""
        names = [
            f"state_{name}_{i}"
            for i in range(1, self.architecture.num_layers + 1)
            for name in ("h", "c")[: 2 if self.architecture.cell == "lstm" else 1]
        ]
        names += ["encoder_outputs", "source_mask"] if self.attention else []
        decoder_input_ids = _input((1,), name="decoder_input_ids", dtype="int32")
        memory = [
            _input(given.shape[1:], name=name, dtype=given.dtype)
            for name, given in zip(names, encoder.outputs, strict=True)
        ]
        outputs = self.wire(decoder_input_ids, memory)
        return keras.Model([decoder_input_ids, *memory], outputs, name="decoder")


class _Attention:
    """Dot-product attention over the encoder outputs, masked where the source ends."""

    def __init__(self, architecture: _Architecture, layers: _Layers) -> None:
        self.query = None
        if architecture.encoder_width != architecture.units:
            self.query = layers.dense(
                architecture.encoder_width, use_bias=False, name="attention_query"
            )
        self.attention = keras_layers.Attention(name="attention")
        self.concatenate = keras_layers.Concatenate(name="attention_concatenate")
        self.vector = layers.dense(
            architecture.attention_units or architecture.units,
            activation="tanh",
            name="attention_vector",
        )

    def wire(self, outputs: Any, encoder_outputs: Any, mask: Any) -> tuple[Any, Any]:
        """Return the attentional vector and the weights, both for every step."""
        context, weights = self.attention(
            [_through(self.query, outputs), encoder_outputs],
            mask=[None, mask],
            return_attention_scores=True,
        )
        return self.vector(self.concatenate([context, outputs])), weights
