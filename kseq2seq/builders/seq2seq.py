"""Sizes to Keras models: a training model, an encoder and a decoder that share layers.

The encoder reads ``source_ids`` and hands its states (and, with attention, all its
outputs) to the decoder, which predicts one token after the other (Sutskever et al.,
2014, arXiv:1409.3215). With attention every decoder output looks back at the encoder
outputs (Luong et al., 2015, arXiv:1508.04025, equations 2, 5, 6 and 7). Either side may
be of real values in place of ids: frames of a picture, a sound or a time series.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from kseq2seq.arguments import check_choice
from kseq2seq.builders.architecture import Architecture
from kseq2seq.builders.components import Components
from kseq2seq.builders.custom_parts import MakeAttention, MakeCell
from kseq2seq.builders.decoder import Decoder
from kseq2seq.builders.encoder import build_encoder
from kseq2seq.builders.settings import (
    ATTENTIONS,
    Embedding,
    Initializer,
    known_attention,
)
from kseq2seq.declarations import documented
from kseq2seq.layers import TrainingModel


@dataclass(frozen=True)
class Seq2SeqModels:
    """Three Keras models that share their layers.

    With monotonic attention, log-probabilities stand in place of logits; the last state
    is ``(batch, source_len, target_vocabulary_size)``, where the token before may stand
    and which it may be, and what each place brings to the tanh layer is ``(batch,
    source_len, attention_units)`` before the encoder outputs.

    Where tokens are copied, log-probabilities stand in place of logits, and the encoder
    gives ``copy_ids (batch, source_len)`` after the states: the target ids of the
    source's tokens, 0 where one cannot be copied.

    A side of real values has ``source_values (batch, source_len, source_features)`` or
    ``decoder_input_values (batch, target_len, target_features)`` in place of ids, and
    values in place of logits: ``(batch, target_len, target_features)``, or with
    `quantiles` ``(batch, target_len, target_features, 1 + number of quantiles)``, the
    value first. With `decoder_features` training model and decoder have
    ``decoder_features (batch, target_len, decoder_features)`` as an input after the
    decoder's values. A decoder that repeats the encoder's state takes it, as
    ``encoder_state (batch, units)``, after its own states; of the decoder inputs it
    reads nothing but their length.

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

    @property
    def num_decoder_inputs(self) -> int:
        """How many of the decoder's inputs are not what the encoder gives."""
        return 1 + (self.decoder.inputs[1].name == "decoder_features")

    @property
    def has_quantiles(self) -> bool:
        """Whether real values come with quantiles."""
        return self.has_real_targets and len(self.decoder.outputs[0].shape) == 4


def check_seq2seq_models(models: Any, name: str = "models") -> None:
    """Raise unless these are the models that a builder returned."""
    if not isinstance(models, Seq2SeqModels):
        raise TypeError(
            f"{name} must be the Seq2SeqModels that a builder returned; got "
            f"{type(models).__name__}."
        )


@documented(Architecture)
def build_seq2seq(
    source_vocabulary_size: int | None = None,
    target_vocabulary_size: int | None = None,
    units: int = 256,
    *,
    source_features: int | None = None,
    target_features: int | None = None,
    decoder_features: int | None = None,
    quantiles: Sequence[float] | None = None,
    mask_nan: bool = False,
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
    no answer. Every source needs at least one id that is not PAD. Of real values all
    frames of a batch count, or with `mask_nan` those that hold no NaN; targets of
    unequal length take a ``sample_weight (batch, target_len)``.

    Parameters
    ----------
    {parameters}

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

    A loss of logits and a metric, both without padding:

    >>> from kseq2seq.training import MaskedCrossentropy, TeacherForcedAccuracy
    >>> measures = {"loss": MaskedCrossentropy(), "metrics": [TeacherForcedAccuracy()]}
    >>> models.training.compile("adam", **measures)

    Real values:

    >>> forecast = build_seq2seq(source_features=3, target_features=1, units=8)
    >>> forecast.training.output_shape
    (None, None, 1)

    Values of different lengths, and a decoder that knows of two values ahead:

    >>> forecast = build_seq2seq(
    ...     source_features=3, target_features=1, units=8, mask_nan=True,
    ...     decoder_features=2, quantiles=[0.1, 0.9],
    ... )
    >>> [given.name for given in forecast.training.inputs]
    ['source_values', 'decoder_input_values', 'decoder_features']
    >>> forecast.training.output_shape
    (None, None, 1, 3)
    """
    return _build(Architecture(**locals()))


@documented(Architecture)
def build_attention_seq2seq(
    source_vocabulary_size: int | None = None,
    target_vocabulary_size: int | None = None,
    units: int = 256,
    *,
    source_features: int | None = None,
    target_features: int | None = None,
    decoder_features: int | None = None,
    quantiles: Sequence[float] | None = None,
    mask_nan: bool = False,
    decoder: str = "autoregressive",
    attention: str | MakeAttention = "dot",
    attention_units: int | None = None,
    attention_dropout: float = 0.0,
    input_feeding: bool = False,
    copy: bool | np.ndarray = False,
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

    With `copy` it is a pointer-generator (See et al., 2017, arXiv:1704.04368). A
    sigmoid over context vector and decoder output gives p_gen, the share of the
    softmax of the logits; the rest comes from the attention weights, each given to the
    target id of its token: ``P(w) = p_gen P_vocab(w) + (1 - p_gen) sum_{s: w_s = w}
    a_s`` (equations 8 and 9, the former without the decoder's input, which its output
    knows of). The weights of tokens that can be copied are first made to sum to 1; a
    source that has none leaves p_gen at 1. The logarithms of P stand in place of the
    logits, and can be used like these.

    With ``attention="monotonic"`` (Wu and Cotterell, 2019, arXiv:1905.06319) there is
    no context vector: the tanh layer is over the decoder output and one encoder output
    h_j, and what is read from it is ``P(y_t | a_t = j)``, a_t the place of the source
    at which y_t stands. With the scores e_tj, ``P(a_t = j | a_{t-1} = i) = exp(e_tj) /
    sum_{k >= i} exp(e_tk)`` for j >= i, else 0, from the first place on; the sum over
    all ways through the source is exact (:class:`kseq2seq.layers.MonotonicAttention`
    has the equations). Log-probabilities stand in place of the logits. The attention
    weights are ``P(a_t = j | y_1 ... y_{t-1})``. With `copy`, each place has a switch
    of its own, and what it copies is its own token.

    Parameters
    ----------
    {parameters}

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

    A loss of logits and a metric, both without padding:

    >>> from kseq2seq.training import MaskedCrossentropy, TeacherForcedAccuracy
    >>> measures = {"loss": MaskedCrossentropy(), "metrics": [TeacherForcedAccuracy()]}
    >>> models.training.compile("adam", **measures)

    Copying, where source ids 4 and 5 mean the same tokens as target ids 7 and 4:

    >>> import numpy as np
    >>> table = np.array([0, 0, 0, 0, 7, 4, 0, 0])
    >>> models = build_attention_seq2seq(8, 9, units=4, copy=table, random_state=0)
    >>> log_probs = models.training([np.array([[5, 3]]), np.array([[2]])])
    >>> round(float(np.exp(log_probs).sum()), 4)
    1.0
    """
    if not callable(attention):
        check_choice("attention", known_attention(attention), ATTENTIONS)
    return _build(Architecture(**locals()))


def _build(architecture: Architecture) -> Seq2SeqModels:
    components = Components(architecture)
    encoder = build_encoder(architecture, components)
    decoder = Decoder(architecture, components)
    step_model = decoder.step_model(encoder)
    decoder_inputs = decoder.inputs(steps=None)
    outputs, *_ = decoder.wire(decoder_inputs, encoder.outputs)
    inputs = [*encoder.inputs, *decoder_inputs]
    training = TrainingModel(inputs, outputs, name="training")
    return Seq2SeqModels(training=training, encoder=encoder, decoder=step_model)
