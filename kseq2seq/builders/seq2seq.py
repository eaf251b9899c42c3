"""Sizes to Keras models: a training model, an encoder and a decoder that share layers.

The encoder reads ``source_ids`` and hands its states (and, with attention, all its
outputs) to the decoder, which predicts one token after the other (Sutskever et al.,
2014, arXiv:1409.3215). With attention every decoder output looks back at the encoder
outputs (Luong et al., 2015, arXiv:1508.04025, equations 2, 5, 6 and 7). Either side may
be of real values in place of ids: frames of a picture, a sound or a time series.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from kseq2seq.arguments import check_choice
from kseq2seq.builders.architecture import (
    ATTENTIONS,
    Architecture,
    Embedding,
    Initializer,
)
from kseq2seq.builders.components import Components
from kseq2seq.builders.decoder import Decoder
from kseq2seq.builders.encoder import build_encoder
from kseq2seq.builders.custom_parts import MakeAttention, MakeCell


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
        ``(batch, source_len)``; before them, where attention is additive, its keys
        ``(batch, source_len, units)``.
    decoder : keras.Model
        One step: ``[decoder_input_ids (batch, 1), *what the encoder gave]`` to
        ``[logits (batch, 1, target_vocabulary_size), *new states]`` and with attention
        the weights ``(batch, 1, source_len)``.

    A side of real values has ``source_values (batch, source_len, source_features)`` or
    ``decoder_input_values (batch, target_len, target_features)`` in place of ids, and
    values in place of logits. A decoder that repeats the encoder's state takes it, as
    ``encoder_state (batch, units)``, after its own states; of the decoder inputs it
    reads nothing but their length.
    """

    training: keras.Model
    encoder: keras.Model
    decoder: keras.Model

    @property
    def has_attention(self) -> bool:
        """Whether the decoder looks back at the encoder outputs."""
        return len(self.decoder.outputs) > 1 + self.num_states  # the weights come last

    @property
    def num_states(self) -> int:
        """How many of the decoder's inputs, and of its outputs, are states."""
        return sum(given.name.startswith("state_") for given in self.decoder.inputs)

    @property
    def has_real_targets(self) -> bool:
        """Whether the decoder puts out real values, and no logits."""
        return self.decoder.inputs[0].name == "decoder_input_values"


def check_seq2seq_models(models: Any, name: str = "models") -> None:
    """Raise unless these are the models that a builder returned."""
    if not isinstance(models, Seq2SeqModels):
        raise TypeError(
            f"{name} must be the Seq2SeqModels that a builder returned; got "
            f"{type(models).__name__}."
        )


def build_seq2seq(
    source_vocabulary_size: int | None = None,
    target_vocabulary_size: int | None = None,
    units: int = 256,
    *,
    source_features: int | None = None,
    target_features: int | None = None,
    decoder: str = "autoregressive",
    encoder_units: int | None = None,
    cell: str | MakeCell = "lstm",
    num_layers: int = 1,
    bidirectional: bool = False,
    bridge: bool = False,
    residual: bool = False,
    layer_normalization: bool = False,
    embedding_dim: int | None = None,
    source_embedding: Embedding = "learned",
    target_embedding: Embedding = "learned",
    freeze_embeddings: bool = False,
    tied_embeddings: bool = False,
    dropout: float = 0.0,
    recurrent_dropout: float = 0.0,
    word_dropout: float = 0.0,
    kernel_initializer: Initializer = "glorot_uniform",
    recurrent_initializer: Initializer = "orthogonal",
    bias_initializer: Initializer = "zeros",
    embeddings_initializer: Initializer | None = None,
    random_state: int | np.random.Generator | None = None,
) -> Seq2SeqModels:
    """Build an encoder-decoder whose decoder starts from the encoder's last states.

    Ids are 0 PAD, 1 UNK, 2 START, 3 END and tokens from 4; padding on the right changes
    no answer. Every source needs at least one id that is not PAD. Real values have no
    padding: all frames of a batch count.

    Parameters
    ----------
    source_vocabulary_size, target_vocabulary_size : int, optional
        How many ids each side knows, the four special ids included; at least 4. None
        for a side of real values.
    units : int, default 256
        The width of the decoder.
    source_features, target_features : int, optional
        How many real values a frame of the side has; in place of the vocabulary size.
        The decoder's inputs are then :func:`kseq2seq.batching.shift_values` of the
        targets: the decoder starts from a frame of zeros.
    decoder : {"autoregressive", "repeat"}, default "autoregressive"
        What the decoder is fed at each step: the token before (its own last answer, or
        in training the gold one), or always the encoder's last state, the top layer's
        h, as it is given to the decoder. The latter answers all steps without reading
        itself.
    encoder_units : int, optional
        The width of the encoder outputs; `units` when None (rounded up to an even
        number if `bidirectional`).
    cell : {"lstm", "gru", "rnn"} or callable, default "lstm"
        Or a function of a width, such as a class of your own, that returns a Keras
        cell: a layer with ``state_size``, one or more of that width, the first of them
        taken for h, and ``call(inputs, states)``. Its initializers are its own, and
        Keras must know the class (``@keras.saving.register_keras_serializable()``).
    num_layers : int, default 1
        Recurrent layers of the encoder, and of the decoder; 1 to 4.
    bidirectional : bool, default False
        Whether each encoder layer reads in both directions, half its width each.
    bridge : bool, default False
        Whether a dense layer with tanh stands between each of the encoder's last states
        and the decoder's first. Where the encoder outputs are not as wide as the
        decoder, it always does.
    residual : bool, default False
        Whether, from the second recurrent layer on, a layer's inputs are added to its
        outputs (He et al., 2016, arXiv:1512.03385).
    layer_normalization : bool, default False
        Whether each recurrent layer's outputs, after that, are normalized over their
        width (Ba et al., 2016, arXiv:1607.06450). States are not.
    embedding_dim : int, optional
        The width of learned embeddings; `units` when None.
    source_embedding, target_embedding : {"learned", "one_hot"} or array, default
        "learned". An array ``(vocabulary size, any width)`` is the embeddings' start.
    freeze_embeddings : bool, default False
        Whether embeddings given as arrays stay as they are.
    tied_embeddings : bool, default False
        Whether the logits are the products with the target embeddings, with no weights
        of their own (Press and Wolf, 2017, arXiv:1608.05859). These must be as wide as
        what the logits are read from: `units`, or with attention its width.
    dropout : float, default 0
        Share of the embeddings, of the values between layers and of the values before
        the logits that training drops; at least 0 and below 1.
    recurrent_dropout : float, default 0
        Share of each recurrent layer's state that training drops.
    word_dropout : float, default 0
        Share of the tokens, of sources and of decoder inputs, that are UNK in training.
    kernel_initializer, recurrent_initializer, bias_initializer, \
embeddings_initializer : str or keras.initializers.Initializer
        Initializers that have no seed of their own draw one from `random_state`.
        `embeddings_initializer` None is a normal distribution with a standard deviation
        of 0.1.
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
    >>> forecast = build_seq2seq(source_features=3, target_features=1, units=8)
    >>> forecast.training.output_shape
    (None, None, 1)
    """
    return _build(Architecture(**locals()))


def build_attention_seq2seq(
    source_vocabulary_size: int | None = None,
    target_vocabulary_size: int | None = None,
    units: int = 256,
    *,
    source_features: int | None = None,
    target_features: int | None = None,
    decoder: str = "autoregressive",
    attention: str | MakeAttention = "dot",
    attention_units: int | None = None,
    attention_dropout: float = 0.0,
    input_feeding: bool = False,
    encoder_units: int | None = None,
    cell: str | MakeCell = "lstm",
    num_layers: int = 1,
    bidirectional: bool = False,
    bridge: bool = False,
    residual: bool = False,
    layer_normalization: bool = False,
    embedding_dim: int | None = None,
    source_embedding: Embedding = "learned",
    target_embedding: Embedding = "learned",
    freeze_embeddings: bool = False,
    tied_embeddings: bool = False,
    dropout: float = 0.0,
    recurrent_dropout: float = 0.0,
    word_dropout: float = 0.0,
    kernel_initializer: Initializer = "glorot_uniform",
    recurrent_initializer: Initializer = "orthogonal",
    bias_initializer: Initializer = "zeros",
    embeddings_initializer: Initializer | None = None,
    random_state: int | np.random.Generator | None = None,
) -> Seq2SeqModels:
    """Build an encoder-decoder with attention over the encoder outputs.

    At every step the decoder output is compared with each encoder output, which gives a
    score; a softmax over the tokens of the source gives the weights, the weighted sum
    of the encoder outputs is the context vector, and a tanh layer over both gives what
    the logits are read from (Luong et al., 2015, arXiv:1508.04025, equations 5 to 7).

    Parameters
    ----------
    attention : {"dot", "scaled_dot", "general", "additive"} or callable, default "dot"
        The score of decoder output q and encoder output h: ``q . h``; the same divided
        by the square root of the width (Vaswani et al., 2017, arXiv:1706.03762); ``q W
        h`` (Luong et al., equation 8, general); or ``v . tanh(W q + U h + b)``, its
        inside `units` wide (Bahdanau et al., 2015, arXiv:1409.0473, A.1.2; here with
        the decoder output of the same step). Where `encoder_units` differs from the
        decoder's `units`, the first two bring q to the encoder's width first, by a
        dense layer without bias. Or a function, such as a class of your own, that
        returns a Keras layer; it is called with decoder outputs ``(batch, target_len,
        units)``, encoder outputs ``(batch, source_len, encoder_units)`` and their mask
        ``(batch, source_len)``, True where a token stands, and returns context vectors
        ``(batch, target_len, any width)`` and weights ``(batch, target_len,
        source_len)``. Keras must know its class, too.
    attention_units : int, optional
        The width of the tanh layer; `units` when None.
    attention_dropout : float, default 0
        Share of the attention weights that training drops from the context vector.
    input_feeding : bool, default False
        Whether each step also reads the tanh layer's output of the step before, zeros
        at the first (Luong et al., section 3.3). Training then takes the steps one by
        one, which is slower, and drops nothing inside a step: neither between the
        decoder's layers nor recurrent states nor attention weights.
    source_vocabulary_size, target_vocabulary_size, units, source_features, \
target_features, decoder, encoder_units, cell, num_layers, bidirectional, bridge, \
residual, layer_normalization, embedding_dim, source_embedding, target_embedding, \
freeze_embeddings, tied_embeddings, dropout, recurrent_dropout, word_dropout, \
kernel_initializer, recurrent_initializer, bias_initializer, embeddings_initializer, \
random_state
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
    if not callable(attention):
        check_choice("attention", attention, ATTENTIONS)
    return _build(Architecture(**locals()))


def _build(architecture: Architecture) -> Seq2SeqModels:
    components = Components(architecture)
    encoder = build_encoder(architecture, components)
    decoder = Decoder(architecture, components)
    step_model = decoder.step_model(encoder)
    decoder_inputs = decoder.inputs(steps=None)
    outputs, *_ = decoder.wire(decoder_inputs, encoder.outputs)
    training = keras.Model([*encoder.inputs, decoder_inputs], outputs, name="training")
    return Seq2SeqModels(training=training, encoder=encoder, decoder=step_model)
