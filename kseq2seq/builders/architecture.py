"""The arguments that every builder takes, checked in one place."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from kseq2seq.arguments import check_flag, check_size, written
from kseq2seq.builders.custom_parts import MakeAttention, count_states
from kseq2seq.builders.settings import (
    ATTENTION,
    QUANTILES,
    AttentionSettings,
    EncoderSettings,
    check_attention,
    check_embedding,
    check_initializer,
)
from kseq2seq.declarations import checked, setting, settings
from kseq2seq.layers import ATTENTION_KINDS, CELL_KINDS, AttentionKind, CellKind

LARGEST_MATRIX = 2**31 - 1
"""No matrix of weights is larger: 8 GB, and as much again for its gradient."""
_IDS = (
    "int",
    """How many ids there are, the four special ids included; at least 4. None for real
    values.""",
)
_FEATURES = (
    "int",
    """How many real values a frame has; in place of the vocabulary size. The decoder's
    inputs, if it is the targets', are then ``kseq2seq.batching.shift_values`` of them:
    the decoder starts from a frame of zeros, or from the last frame of the source.""",
)


@settings
class EncoderArchitecture(EncoderSettings):
    """The checked arguments of what reads a source."""

    source_vocabulary_size: int | None = setting(*_IDS, default=None)
    source_features: int | None = setting(*_FEATURES, default=None)
    mask_nan: bool = setting(
        "bool",
        """Whether frames of real values that hold a NaN are left out as padding is:
        states pass them by, and attention does not look at them. Sequences of different
        lengths can then be filled up with NaN, on the right; gaps inside may be NaN,
        too. A source needs at least one whole frame.""",
        check_flag,
        default=False,
    )
    random_state: Any = setting(
        "int",
        """Seeds initializers and dropout. None takes new numbers from the system each
        time. Global seeds (Python's, NumPy's, ``keras.utils.set_random_seed``) have no
        say.""",
        default=None,
    )
    encoder_units: int | None = None
    residual: bool = False
    layer_normalization: bool = False

    def __post_init__(self) -> None:
        for name, value in checked(self).items():
            setattr(self, name, value)
        self.check_side("source")
        if self.mask_nan and self.source_features is None:
            raise ValueError(
                "mask_nan is for sources of real values; ids are padded with PAD. "
                "Leave it out."
            )
        _ = self.state_names  # a cell of one's own is made, or refused, once
        self.check_matrices("source", "units", "encoder_units", "embedding_dim")
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
        shape = self.cell_kind.bias_shape(6) if self.cell_kind else (6,)
        check_initializer("bias_initializer", self.bias_initializer, shape=shape)

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
                f"{written(size)} and {written(width)}."
            )
        if size is None:
            setattr(self, features, check_size(features, width))
            return
        setattr(self, ids, check_size(ids, size, minimum=4))
        name = f"{side}_embedding"
        check_embedding(name, getattr(self, name), size=getattr(self, ids))

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


@settings
class Architecture(AttentionSettings, EncoderArchitecture):
    """The checked arguments of an encoder and a decoder."""

    target_vocabulary_size: int | None = setting(*_IDS, default=None)
    target_features: int | None = setting(*_FEATURES, default=None)
    decoder_features: int | None = setting(
        "int",
        """How many real values beside, known ahead of each step, the decoder also
        reads: holidays, say, or the value of a week before. The models then have one
        more input, ``decoder_features``. For real-valued targets.""",
        default=None,
    )
    quantiles: Sequence[float] | None = setting(*QUANTILES, default=None)
    attention: str | MakeAttention | None = setting(
        *ATTENTION, check_attention, default=None
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if callable(self.attention) and self.attention_dropout:
            raise ValueError(
                "attention_dropout is for the kinds that are known by name; a layer of "
                "your own drops inside itself. Leave it out."
            )
        if self.input_feeding:
            self._check_feeding()
        if self.is_monotonic:
            self._check_monotonic()
        self.check_side("target")
        self._check_values()
        widths = ("units", "encoder_units", "embedding_dim", "attention_units")
        self.check_matrices("target", *widths)
        if self.tied_embeddings:
            self._check_tie()
        if self.copies:
            self._check_copying()

    @property
    def attention_kind(self) -> AttentionKind | None:
        """The kind of attention that is known by name; None for others, or without."""
        if not isinstance(self.attention, str):
            return None
        return ATTENTION_KINDS[self.attention]

    @property
    def is_monotonic(self) -> bool:
        """Whether the decoder moves through the source and never back."""
        return self.attention_kind is not None and self.attention_kind.is_monotonic

    @property
    def copies(self) -> bool:
        """Whether the decoder copies tokens of the source."""
        return self.copy is not False

    @property
    def copy_table(self) -> np.ndarray | None:
        """The target ids of the source ids; None where both are the same."""
        return self.copy if isinstance(self.copy, np.ndarray) else None

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
        names += ["attention"] if self.input_feeding else []
        return [*names, "places"] if self.is_monotonic else names

    def _check_values(self) -> None:
        """Raise unless what belongs to real-valued targets has such."""
        for name in ("decoder_features", "quantiles"):
            if getattr(self, name) is not None and self.target_features is None:
                raise ValueError(
                    f"{name} is for targets of real values. Leave it out, or pass "
                    "target_features in place of target_vocabulary_size."
                )
        if self.decoder_features is not None:
            self.decoder_features = check_size(
                "decoder_features", self.decoder_features
            )

    def _check_feeding(self) -> None:
        """Raise unless attentional vectors can be fed to the next step."""
        if self.decoder == "repeat" or self.recurrent_dropout or self.attention_dropout:
            raise ValueError(
                "input_feeding runs the decoder step by step and drops nothing inside "
                "a step; leave it out with decoder='repeat', recurrent_dropout or "
                "attention_dropout."
            )

    def _check_monotonic(self) -> None:
        """Raise unless each answered id can stand at one place of the source."""
        unfit = {
            "decoder='repeat'": self.decoder == "repeat",
            "input_feeding": self.input_feeding,
            "attention_dropout": self.attention_dropout,
            "real-valued sources": self.source_features is not None,
            "real-valued targets": self.target_features is not None,
        }
        wrong = [name for name, is_asked in unfit.items() if is_asked]
        if wrong:
            raise ValueError(
                "monotonic attention finds the places of ids among ids, by what the "
                "decoder was fed, and makes no weighted sum of encoder outputs that "
                f"could be fed or dropped; leave out {' and '.join(wrong)}, or choose "
                "another attention, such as 'general'."
            )

    def _check_copying(self) -> None:
        """Raise unless tokens of the source can be copied into answers."""
        source, target = self.source_vocabulary_size, self.target_vocabulary_size
        if self.decoder == "repeat" or source is None or target is None:
            raise ValueError(
                "copy is for ids on both sides and a decoder that reads its answers; "
                "leave it out with real values or decoder='repeat'."
            )
        table = self.copy_table
        if table is None:
            if source != target:
                raise ValueError(
                    "copy=True is for sides that have the same ids, and "
                    f"source_vocabulary_size is {source} and target_vocabulary_size "
                    f"{target}. Pass copy=table, an array that has for each source id "
                    "the target id that copying it writes, 0 where there is none."
                )
        elif len(table) != source:
            raise ValueError(
                f"copy must have an entry for each of the {source} source ids; got "
                f"{len(table)}."
            )
        elif table.max() >= target:
            i = int(np.argmax(table >= target))
            raise ValueError(
                f"copy must hold target ids, which are below {target}; copy[{i}] is "
                f"{table[i]}."
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
