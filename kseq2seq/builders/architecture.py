"""The arguments that every builder takes, checked in one place."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import keras
import numpy as np

from kseq2seq.arguments import (
    check_choice,
    check_flag,
    check_rate,
    check_size,
    check_whole,
    nearest,
    quoted_choices,
)
from kseq2seq.builders.custom_parts import MakeAttention, MakeCell, count_states
from kseq2seq.layers import ATTENTION_KINDS, CELL_KINDS, AttentionKind, CellKind

Embedding = str | np.ndarray
Initializer = Any

CELLS = tuple(CELL_KINDS)
ATTENTIONS = tuple(ATTENTION_KINDS)
DECODERS = ("autoregressive", "repeat")
EMBEDDINGS = ("learned", "one_hot")
MAX_LAYERS = 4
LARGEST_MATRIX = 2**31 - 1
"""No matrix of weights is larger: 8 GB, and as much again for its gradient."""
_FLAGS = ("bidirectional", "freeze_embeddings", "residual", "layer_normalization")


@dataclass(frozen=True, kw_only=True)
class EncoderArchitecture:
    """The checked arguments of what reads a source."""

    source_vocabulary_size: int | None
    source_features: int | None
    units: int
    cell: str | MakeCell
    num_layers: int
    bidirectional: bool
    embedding_dim: int | None
    source_embedding: Embedding
    freeze_embeddings: bool
    dropout: float
    recurrent_dropout: float
    kernel_initializer: Initializer
    recurrent_initializer: Initializer
    bias_initializer: Initializer
    embeddings_initializer: Initializer
    random_state: Any
    encoder_units: int | None = None
    residual: bool = False
    layer_normalization: bool = False
    word_dropout: float = 0.0

    def __post_init__(self) -> None:
        self.check_side("source")
        self.check_sizes("units", "encoder_units", "embedding_dim")
        if not callable(self.cell):
            check_choice("cell", self.cell, CELLS)
        _ = self.state_names  # a cell of one's own is made, or refused, once
        self.check_matrices("source", "units", "encoder_units", "embedding_dim")
        check_whole("num_layers", self.num_layers, maximum=MAX_LAYERS)
        for name in _FLAGS:
            check_flag(name, getattr(self, name))
        for name in ("dropout", "recurrent_dropout", "word_dropout"):
            check_rate(name, getattr(self, name))
        if callable(self.cell) and self.recurrent_dropout:
            raise ValueError(
                "recurrent_dropout is for the cells that are known by name; a cell of "
                "your own drops inside itself. Leave it out."
            )
        if self.bidirectional and self.encoder_width % 2:
            raise ValueError(
                "encoder_units must be even when bidirectional, half for each "
                f"direction; got {self.encoder_units}."
            )
        for name in ("kernel", "recurrent", "embeddings"):
            initializer = getattr(self, f"{name}_initializer")
            if name != "embeddings" or initializer is not None:
                check_initializer(f"{name}_initializer", initializer, (3, 6))
        shape = self.cell_kind.bias_shape(6) if self.cell_kind else (6,)
        check_initializer("bias_initializer", self.bias_initializer, shape)

    def check_sizes(self, *names: str, minimum: int = 1) -> None:
        """Raise unless these are whole numbers or None; NumPy's become Python's."""
        for name in names:
            value = getattr(self, name)
            if value is not None or name == "units":
                size = check_size(name, value, minimum=minimum)
                object.__setattr__(self, name, size)

    def check_matrices(self, side: str, *widths: str) -> None:
        """Raise where these widths and a side's size make too large a matrix."""

        def size(name: str) -> int:
            return getattr(self, name) or 1

        widest = max(widths, key=size)
        sides = (f"{side}_vocabulary_size", f"{side}_features")
        largest = max((*widths, *sides), key=size)
        if size(widest) * size(largest) > LARGEST_MATRIX:
            raise ValueError(
                f"{largest}={size(largest):,} and {widest}={size(widest):,} make a "
                f"matrix of {size(widest) * size(largest):,} weights; expected at most "
                f"{LARGEST_MATRIX:,}. Make one of them smaller."
            )

    def check_side(self, side: str) -> None:
        """Raise unless a side has either ids or real values, of a size in range."""
        ids, features = f"{side}_vocabulary_size", f"{side}_features"
        size, width = getattr(self, ids), getattr(self, features)
        if (size is None) == (width is None):
            raise ValueError(
                f"expected either {ids}, for ids, or {features}, for real values; got "
                f"{size!r} and {width!r}."
            )
        if size is None:
            self.check_sizes(features)
            return
        self.check_sizes(ids, minimum=4)
        check_embedding(f"{side}_embedding", getattr(self, f"{side}_embedding"), size)

    @property
    def encoder_width(self) -> int:
        """The width of the encoder outputs."""
        if self.encoder_units is not None:
            return self.encoder_units
        return self.units + (self.units % 2 if self.bidirectional else 0)

    @property
    def embedding_width(self) -> int:
        """The width of learned embeddings."""
        return self.embedding_dim or self.units

    @property
    def cell_name(self) -> str:
        """What the names of the recurrent layers contain: the cell's, or "cell"."""
        return self.cell if isinstance(self.cell, str) else "cell"

    @property
    def cell_kind(self) -> CellKind | None:
        """The kind of a cell that is known by name; None for one of the user's own."""
        return CELL_KINDS[self.cell] if isinstance(self.cell, str) else None

    @cached_property
    def state_names(self) -> tuple[str, ...]:
        """The names of a layer's states; of a user's own cell they are h, s2, s3 ..."""
        if callable(self.cell):
            num_states = count_states(self.cell, self.units)
            return ("h", *(f"s{i}" for i in range(2, num_states + 1)))
        return CELL_KINDS[self.cell].state_names


@dataclass(frozen=True, kw_only=True)
class Architecture(EncoderArchitecture):
    """The checked arguments of an encoder and a decoder."""

    target_vocabulary_size: int | None
    target_features: int | None
    target_embedding: Embedding
    decoder: str
    attention: str | MakeAttention | None = None
    attention_units: int | None = None
    attention_dropout: float = 0.0
    input_feeding: bool = False
    bridge: bool = False
    tied_embeddings: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        check_rate("attention_dropout", self.attention_dropout)
        if callable(self.attention) and self.attention_dropout:
            raise ValueError(
                "attention_dropout is for the kinds that are known by name; a layer of "
                "your own drops inside itself. Leave it out."
            )
        check_flag("bridge", self.bridge)
        if check_flag("input_feeding", self.input_feeding):
            self._check_feeding()
        self.check_side("target")
        check_choice("decoder", self.decoder, DECODERS)
        self.check_sizes("attention_units")
        widths = ("units", "encoder_units", "embedding_dim", "attention_units")
        self.check_matrices("target", *widths)
        if check_flag("tied_embeddings", self.tied_embeddings):
            self._check_tie()

    @property
    def attention_kind(self) -> AttentionKind | None:
        """The kind of attention that is known by name; None for others, or without."""
        if not isinstance(self.attention, str):
            return None
        return ATTENTION_KINDS[self.attention]

    @property
    def output_width(self) -> int:
        """The width of what the logits, or the values, are read from."""
        return (self.attention and self.attention_units) or self.units

    @property
    def decoder_states(self) -> list[str]:
        """The names of what a decoder step hands on to the next."""
        names = [
            f"{name}_{i}"
            for i in range(1, self.num_layers + 1)
            for name in self.state_names
        ]
        return [*names, "attention"] if self.input_feeding else names

    def _check_feeding(self) -> None:
        """Raise unless attentional vectors can be fed to the next step."""
        if self.decoder == "repeat" or self.recurrent_dropout or self.attention_dropout:
            raise ValueError(
                "input_feeding runs the decoder step by step and drops nothing inside "
                "a step; leave it out with decoder='repeat', recurrent_dropout or "
                "attention_dropout."
            )

    def _check_tie(self) -> None:
        """Raise unless target embeddings can serve as the kernel of the logits."""
        one_hot = isinstance(self.target_embedding, str) and (
            self.target_embedding == "one_hot"
        )
        if self.decoder == "repeat" or self.target_features is not None or one_hot:
            raise ValueError(
                "tied_embeddings needs a decoder that reads embeddings of ids; leave "
                "it out with real-valued targets, one-hot ids or decoder='repeat'."
            )
        width, read = self.embedding_width, self.output_width
        if not isinstance(self.target_embedding, str):
            width = self.target_embedding.shape[1]
        if width != read:
            name = "attention_units" if self.attention else "units"
            raise ValueError(
                "tied_embeddings needs target embeddings as wide as what the logits "
                f"are read from; got {width} and {read}. Set embedding_dim={read}, or "
                f"{name}={width}."
            )


def check_initializer(name: str, value: Any, shape: tuple[int, ...]) -> None:
    """Raise unless the initializer can be had and fills a small array."""
    try:
        found = keras.initializers.get(value)
        filled = found(shape, dtype="float32")  # as a layer will call it
    except Exception:
        filled = None
    if filled is None or tuple(filled.shape) != shape:
        raise ValueError(
            f"{name} must be a Keras initializer, the name of one, or a function of "
            f"shape and dtype, that fills an array of {len(shape)} dimensions; got "
            f"{value!r}.{nearest(value, _initializer_names())}"
        )


def _initializer_names() -> list[str]:
    return [name for name in dir(keras.initializers) if name.islower()]


def check_embedding(name: str, value: Any, vocabulary_size: int | None) -> None:
    """Raise unless value is a known name or a finite matrix with a row for each id."""
    if isinstance(value, str):
        return check_choice(name, value, EMBEDDINGS)
    rows = "vocabulary size" if vocabulary_size is None else vocabulary_size
    expected = f"{quoted_choices(EMBEDDINGS)}, or a matrix of shape ({rows}, width)"
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "fiu":
        raise TypeError(f"{name} must be {expected}; got {type(value).__name__}.")
    fits = value.ndim == 2 and value.shape[1] > 0
    if not fits or vocabulary_size not in (None, value.shape[0]):
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
    return None
