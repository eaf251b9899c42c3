"""The parameters that shape models, declared once for builders and estimators."""

from __future__ import annotations

from functools import partial
from typing import Any

import keras
import numpy as np

from kseq2seq.arguments import (
    check_choice,
    check_flag,
    check_rate,
    check_real,
    check_size,
    check_unmasked,
    check_whole,
    nearest,
    quoted_choices,
    written,
)
from kseq2seq.builders.custom_parts import MakeCell
from kseq2seq.declarations import one_of, setting, settings
from kseq2seq.layers import ATTENTION_KINDS, CELL_KINDS
from kseq2seq.vocabulary import FIRST_TOKEN, PAD

Embedding = str | np.ndarray
Initializer = Any

CELLS = tuple(CELL_KINDS)
ATTENTIONS = tuple(ATTENTION_KINDS)
ATTENTION_ALIASES = {"luong": "general", "bahdanau": "additive"}
"""Kinds of attention by the first authors of their papers."""
DECODERS = ("autoregressive", "repeat")
EMBEDDINGS = ("learned", "one_hot")
MAX_LAYERS = 4


def check_cell(name: str, value: Any) -> Any:
    """Return the name of a cell, or what makes one, or raise."""
    return value if callable(value) else check_choice(name, value, CELLS)


def check_attention(name: str, value: Any) -> Any:
    """Return the name of an attention, what makes one or None, or raise."""
    if callable(value):
        return value
    return check_choice(name, known_attention(value), (*ATTENTIONS, None))


def known_attention(value: Any) -> Any:
    """Return the name of an attention that is named by its inventor, or the value."""
    return ATTENTION_ALIASES.get(value, value) if isinstance(value, str) else value


def check_initializer(name: str, value: Any, *, shape: tuple[int, ...] = (3, 6)) -> Any:
    """Return the initializer, or raise unless it can be had and fills an array."""
    try:
        found = keras.initializers.get(value)
        filled = found(shape, dtype="float32")  # as a layer will call it
    except Exception:
        filled = None
    if filled is None or tuple(filled.shape) != shape:
        known = [name for name in dir(keras.initializers) if name.islower()]
        raise ValueError(
            f"{name} must be a Keras initializer, the name of one, or a function of "
            f"shape and dtype, that fills an array of {len(shape)} dimensions; got "
            f"{written(value)}.{nearest(value, known)}"
        )
    return value


def check_copy(name: str, value: Any) -> Any:
    """Return True, False or a table of target ids, or raise."""
    if isinstance(value, bool | np.bool_):
        return bool(value)
    expected = (
        "True, False or an integer array (source_vocabulary_size,) of target ids, 0 "
        "where a source id cannot be copied"
    )
    check_unmasked(name, value)
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "iu":
        got = getattr(value, "dtype", None)
        what = type(value).__name__ if got is None else f"an array of {got}"
        raise TypeError(f"{name} must be {expected}; got {what}.")
    if value.ndim != 1:
        raise ValueError(f"{name} must be {expected}; got shape {value.shape}.")
    special = np.flatnonzero(value[:FIRST_TOKEN])
    if len(special):
        raise ValueError(
            f"{name}[{special[0]}] must be 0: ids 0 to 3 are PAD, UNK, START and END, "
            f"which are not copied; got {value[special[0]]}."
        )
    wrong = np.flatnonzero((value != PAD) & (value < FIRST_TOKEN))
    if len(wrong):
        raise ValueError(
            f"{name} must hold target ids of tokens, from {FIRST_TOKEN} on, or 0; "
            f"{name}[{wrong[0]}] is {value[wrong[0]]}."
        )
    if not value.any():
        raise ValueError(
            f"{name} is 0 for every source id, so nothing can be copied. Pass "
            f"{name}=False, or the target ids of some."
        )
    return value


def check_quantiles(name: str, value: Any) -> tuple[float, ...]:
    """Return levels of quantiles, or raise unless they rise from 0 to 1."""
    expected = "numbers between 0 and 1, each larger than the one before"
    if not isinstance(value, list | tuple | np.ndarray) or np.ndim(value) != 1:
        raise TypeError(
            f"{name} must be a list of {expected}, such as [0.1, 0.5, 0.9]; got "
            f"{written(value)}."
        )
    levels = tuple(
        check_real(f"{name}[{i}]", level, exclusive=True, maximum=1.0)
        for i, level in enumerate(value)
    )
    if not levels or 1.0 in levels or list(levels) != sorted(set(levels)):
        raise ValueError(
            f"{name} must be one or more {expected}; got {written(list(value))}."
        )
    return levels


def check_embedding(name: str, value: Any, *, size: int | None = None) -> Any:
    """Return a known name or a finite matrix with a row for each id, or raise."""
    if isinstance(value, str):
        return check_choice(name, value, EMBEDDINGS)
    rows = "vocabulary size" if size is None else size
    expected = f"{quoted_choices(EMBEDDINGS)}, or a matrix of shape ({rows}, width)"
    check_unmasked(name, value)
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "fiu":
        raise TypeError(f"{name} must be {expected}; got {type(value).__name__}.")
    fits = value.ndim == 2 and value.shape[1] > 0
    if not fits or size not in (None, value.shape[0]):
        raise ValueError(
            f"{name} must be {expected}, ids 0 to 3 being PAD, UNK, START and END; "
            f"got shape {value.shape}."
        )
    finite = np.isfinite(np.abs(value).astype("float64")) & (
        np.abs(value) <= np.finfo("float32").max
    )
    if not finite.all():
        row = int(np.argwhere(~finite)[0][0])
        raise ValueError(f"{name} must be finite; row {row} holds NaN or infinity.")
    return value


_EMBEDDING = (
    one_of(EMBEDDINGS, "array"),
    """How ids become vectors: learned ones, one-hot ones as wide as the vocabulary, or
    an array ``(vocabulary size, width)`` as the start of learned ones: rows 0 to 3 for
    PAD, UNK, START and END, then one for each token in the order of their ids;
    :func:`kseq2seq.load_vectors` reads it from a file of word vectors.""",
    check_embedding,
)
_INITIALIZER = "str or keras.initializers.Initializer"
QUANTILES = (
    "list of float",
    """Levels of quantiles, such as ``[0.1, 0.5, 0.9]``, rising, between 0 and 1, that
    are answered beside each real value.""",
    check_quantiles,
)
"""Kind, documentation and check of the quantiles, of builders and estimators."""
ATTENTION = (
    one_of(ATTENTIONS, "callable"),
    """How the decoder looks back at the encoder outputs: the score of decoder output q
    and encoder output h. ``q . h``; the same divided by the square root of the width
    (Vaswani et al., 2017, arXiv:1706.03762); ``q W h`` (Luong et al., 2015,
    arXiv:1508.04025, equation 8, general); or ``v . tanh(W q + U h + b)``, its inside
    `units` wide (Bahdanau et al., 2015, arXiv:1409.0473, A.1.2; here with the decoder
    output of the same step). ``"luong"`` and ``"bahdanau"`` are other names of the last
    two. ``"monotonic"`` has the scores ``q W h`` and lets each answered token stand at
    one place of the source, never before that of the token before it; the
    probabilities of all places are summed up exactly (Wu and Cotterell, 2019,
    arXiv:1905.06319). It is for answers in the order of their source, such as
    pronunciations and word forms, and for small vocabularies, of characters or sounds:
    a batch takes memory for ``target_len * source_len`` times the larger of target
    vocabulary and source length, and a step of training two to four times as long as
    with ``general``. Sources that are read from their end are moved through from
    there. Where `encoder_units` differs from `units`,
    ``dot`` and ``scaled_dot`` bring q to the encoder's width first, by a dense layer
    without bias. Or a function,
    such as a class of your own, that returns a Keras layer; it is called with decoder
    outputs ``(batch, target_len, units)``, encoder outputs ``(batch, source_len,
    encoder_units)`` and their mask ``(batch, source_len)``, True where a token stands,
    and returns context vectors ``(batch, target_len, any width)`` and weights ``(batch,
    target_len, source_len)``. Keras must know its class, too.""",
)
"""Kind and documentation of the attention, which estimators have by another name."""
_whole_layers = partial(check_whole, maximum=MAX_LAYERS)


@settings
class RecurrentSettings:
    """What shapes recurrent layers."""

    units: int = setting(
        "int",
        "The width of the recurrent layers.",
        check_size,
        default=256,
    )
    cell: str | MakeCell = setting(
        one_of(CELLS, "callable"),
        """The cell of the recurrent layers. Or a function of a width, such as a class
        of your own, that returns a Keras cell: a layer with ``state_size``, one or more
        of that width, the first of them taken for h, and ``call(inputs, states)``. Its
        initializers are its own, and Keras must know the class
        (``@keras.saving.register_keras_serializable()``).""",
        check_cell,
        default="lstm",
    )
    num_layers: int = setting(
        "int",
        "How many recurrent layers stand above each other; 1 to 4.",
        _whole_layers,
        default=1,
    )
    bidirectional: bool = setting(
        "bool",
        "Whether sources are read in both directions, with half the width each.",
        check_flag,
        default=False,
    )
    dropout: float = setting(
        "float",
        """Share of the embeddings, of the values between layers and of the values
        before the logits that training drops; at least 0 and below 1.""",
        check_rate,
        default=0.0,
    )
    recurrent_dropout: float = setting(
        "float",
        "Share of each recurrent layer's states that training drops.",
        check_rate,
        default=0.0,
    )
    kernel_initializer: Initializer = setting(
        _INITIALIZER,
        """What the weights of matrices start from. Initializers, these and the other
        ones, that have no seed of their own draw one from `random_state`.""",
        check_initializer,
        default="glorot_uniform",
    )
    recurrent_initializer: Initializer = setting(
        _INITIALIZER,
        "What the weights start from that recurrent states are multiplied with.",
        check_initializer,
        default="orthogonal",
    )
    bias_initializer: Initializer = setting(
        _INITIALIZER, "What the recurrent layers' biases start from.", default="zeros"
    )


@settings
class EncoderSettings(RecurrentSettings):
    """What shapes the reading of a source."""

    embedding_dim: int | None = setting(
        "int",
        "The width of learned embeddings; `units` when None.",
        check_size,
        default=None,
    )
    source_embedding: Embedding = setting(*_EMBEDDING, default="learned")
    freeze_embeddings: bool = setting(
        "bool",
        "Whether embeddings given as arrays stay as they are.",
        check_flag,
        default=False,
    )
    word_dropout: float = setting(
        "float",
        "Share of the tokens (and features) read that are UNK in training.",
        check_rate,
        default=0.0,
    )
    embeddings_initializer: Initializer | None = setting(
        _INITIALIZER,
        """What learned embeddings start from; when None a normal distribution with a
        standard deviation of 0.1.""",
        check_initializer,
        default=None,
    )


@settings
class StackSettings(RecurrentSettings):
    """What shapes the recurrent layers of an encoder and a decoder."""

    units: int = setting("int", "The width of the decoder.", check_size, default=256)
    num_layers: int = setting(
        "int",
        "Recurrent layers of the encoder, and of the decoder; 1 to 4.",
        _whole_layers,
        default=1,
    )

    decoder: str = setting(
        one_of(DECODERS),
        """What the decoder is fed at each step: the token, or the frame of real values,
        before (its own last answer, or in training the gold one), or always the
        encoder's last state, the top layer's h, as it is given to the decoder. The
        latter answers all steps without reading itself.""",
        partial(check_choice, choices=DECODERS),
        default="autoregressive",
    )
    encoder_units: int | None = setting(
        "int",
        """The width of the encoder outputs; `units` when None (rounded up to an even
        number if `bidirectional`).""",
        check_size,
        default=None,
    )
    bridge: bool = setting(
        "bool",
        """Whether a dense layer with tanh stands between each of the encoder's last
        states and the decoder's first. Where the encoder outputs are not as wide as the
        decoder, it always does.""",
        check_flag,
        default=False,
    )
    residual: bool = setting(
        "bool",
        """Whether, from the second recurrent layer on, a layer's inputs are added to
        its outputs (He et al., 2016, arXiv:1512.03385).""",
        check_flag,
        default=False,
    )
    layer_normalization: bool = setting(
        "bool",
        """Whether each recurrent layer's outputs, after that, are normalized over their
        width (Ba et al., 2016, arXiv:1607.06450). States are not.""",
        check_flag,
        default=False,
    )


@settings
class DecoderSettings(StackSettings, EncoderSettings):
    """What shapes an encoder and a decoder, but the kind of attention."""

    target_embedding: Embedding = setting(*_EMBEDDING, default="learned")
    tied_embeddings: bool = setting(
        "bool",
        """Whether the logits are the products with the target embeddings, with no
        weights of their own (Press and Wolf, 2017, arXiv:1608.05859). These must be as
        wide as what the logits are read from: `units`, or with attention
        `attention_units`.""",
        check_flag,
        default=False,
    )


@settings
class LookBackSettings:
    """What shapes a decoder that looks back at the encoder outputs."""

    attention_units: int | None = setting(
        "int",
        """The width of the tanh layer over context vector and decoder output; `units`
        when None.""",
        check_size,
        default=None,
    )
    attention_dropout: float = setting(
        "float",
        "Share of the attention weights that training drops from the context vector.",
        check_rate,
        default=0.0,
    )
    input_feeding: bool = setting(
        "bool",
        """Whether each step also reads the tanh layer's output of the step before,
        zeros at the first (Luong et al., 2015, section 3.3). Training then takes the
        steps one by one, which is slower, and drops nothing inside a step: neither
        between the decoder's layers nor recurrent states nor attention weights.""",
        check_flag,
        default=False,
    )


@settings
class AttentionSettings(LookBackSettings, DecoderSettings):
    """What shapes an encoder and a decoder that looks back."""

    copy: bool | np.ndarray = setting(
        "bool or array",
        """Whether answers may take tokens of the source: a switch at every step shares
        the probability out between the vocabulary and the attention weights of the
        source's tokens (See et al., 2017, arXiv:1704.04368). True where both sides have
        the same ids; or an array ``(source_vocabulary_size,)`` of integers, for each
        source id the target id that copying it writes, 0 where it cannot be copied.
        PAD, UNK, START and END never are.""",
        check_copy,
        default=False,
    )
