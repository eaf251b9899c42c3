"""The settings of estimators: those of their data, and what each has in all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, ClassVar

import keras

from kseq2seq.answering import AnswerSettings
from kseq2seq.arguments import (
    LARGEST_BATCH,
    LARGEST_WEIGHT,
    check_choice,
    check_flag,
    check_rate,
    check_real,
    check_whole,
    written,
)
from kseq2seq.batching import FIRST_VALUES
from kseq2seq.builders.custom_parts import MakeAttention
from kseq2seq.builders.settings import (
    ATTENTION,
    QUANTILES,
    AttentionSettings,
    EncoderSettings,
    LookBackSettings,
    StackSettings,
    check_attention,
)
from kseq2seq.codec import SCALINGS
from kseq2seq.declarations import one_of, setting, settings
from kseq2seq.descriptions import MOST_MEMBERS
from kseq2seq.generation import LONGEST
from kseq2seq.tokenizers import UNICODE_NORMALIZATIONS, check_tokenizer
from kseq2seq.training import (
    AnswerTrainingSettings,
    ClassTrainingSettings,
    ValueTrainingSettings,
)
from kseq2seq.vocabulary import Token, Vocabulary


@settings
class SourceSettings:
    """How sources become ids."""

    source_tokenizer: Any = setting(
        "str or object",
        """How strings are split: ``"char"``, ``"word"``, ``"whitespace"``;
        ``"bpe:8000"`` or ``"unigram:8000"`` into this many subwords at most (of bpe at
        least 256), which `fit` learns from the texts (with the ``text`` extra; see
        ``kseq2seq.tokenizers.train_tokenizer``); a pair of functions ``(split,
        join)``, a ``tokenizers.Tokenizer``, or an object with ``encode`` and
        ``decode``.""",
        check_tokenizer,
        default="char",
        of_first_fit=True,
    )
    lowercase: bool = setting(
        "bool",
        """Whether capitals of texts become small letters; where answers are texts, they
        are learned and measured in these.""",
        check_flag,
        default=False,
        of_first_fit=True,
    )
    unicode_normalization: str | None = setting(
        '{"NFC", "NFD", "NFKC", "NFKD"}',
        "The Unicode form that texts are brought to; None for as they are.",
        partial(check_choice, choices=UNICODE_NORMALIZATIONS),
        default=None,
        of_first_fit=True,
    )
    unknown: str = setting(
        '{"unk", "error"}',
        """What a source token that training never saw becomes at predict, and what a
        token of either side becomes that is not in a vocabulary given up front: UNK, or
        an error.""",
        partial(check_choice, choices=("unk", "error")),
        default="unk",
        of_first_fit=True,
    )
    min_frequency: int = setting(
        "int", "Tokens seen less often in training are UNK.", check_whole, default=1
    )
    max_size: int | None = setting(
        "int", "How many tokens a vocabulary keeps at most.", check_whole, default=None
    )
    source_vocabulary: Sequence[Token] | Vocabulary | None = setting(
        "list or str",
        """The tokens, given up front: a list of strings or of integers, or the
        characters of a string. Training takes a token that is not among them as
        `unknown` says, with a warning if that is UNK; one of integer answers is always
        an error. Learned from the data when None, which a stream does not allow.""",
        default=None,
        from_files=False,
    )
    feature_vocabulary: Sequence[str] | Vocabulary | None = setting(
        "list of str",
        """The features, given up front, where X holds pairs (source, features); one
        that is not among them is treated as `unknown` says. All features of training
        when None, however rare they are, which a stream does not allow.""",
        default=None,
        from_files=False,
    )

    extend_vocabulary: bool = setting(
        "bool",
        """Whether a fit that continues with a fitted model (`warm_start`,
        `partial_fit`) gives places to tokens and features that are new, in
        vocabularies, embeddings and logits; what was learned stays. Else they are
        unknown. Not for a stream, nor for rows of embeddings that were given.""",
        check_flag,
        default=False,
    )


@settings
class TargetSettings(SourceSettings):
    """How both sides become ids, where answers are sequences."""

    target_tokenizer: Any = setting(
        "str or object",
        "How target strings are split; as `source_tokenizer`.",
        check_tokenizer,
        default="char",
        of_first_fit=True,
    )
    target_vocabulary: Sequence[Token] | Vocabulary | None = setting(
        "list or str",
        "The target tokens, given up front, as `source_vocabulary`.",
        default=None,
        from_files=False,
    )
    shared_vocabulary: bool = setting(
        "bool",
        """Whether both sides have one vocabulary, learned from the texts or token lists
        of both, as their one tokenizer is.""",
        check_flag,
        default=False,
        of_first_fit=True,
    )
    reverse_source: bool = setting(
        "bool",
        """Whether the model reads sources from their end to their start, which brings
        the tokens that are needed first near to the first answer (Sutskever et al.,
        2014, arXiv:1409.3215, 3.3). Sources and pictures keep their order.""",
        check_flag,
        default=False,
        of_first_fit=True,
    )
    max_length: int | None = setting(
        "int",
        """How many tokens an answer has at most; half as many again as the longest of
        training when None, which a stream of texts or token lists does not allow.""",
        partial(check_whole, maximum=LONGEST - 1),
        default=None,
    )


_DROPOUT, _DROPOUT_OF_MANY, _MANY_PAIRS = 0.5, 0.1, 20_000
"""The choice, and what it rests on, stands in ``benchmarks/NOTES.md``."""


@settings
class ModelSettings(AttentionSettings):
    """What shapes the models of an estimator of sequences."""

    units: int = 128
    bidirectional: bool = True
    embedding_dim: int | None = 64
    dropout: float | None = setting(  # type: ignore[assignment]  # None is new
        "float",
        """Share of the embeddings, of the values between layers and of the values
        before the logits that training drops; at least 0 and below 1. When None 0.5 of
        fewer than 20,000 pairs, else 0.1, and 0.1 of a stream.""",
        check_rate,
        default=None,
    )
    attention_kind: str | MakeAttention | None = setting(
        *ATTENTION, check_attention, default="general"
    )
    copy: bool = setting(
        "bool",
        """Whether answers may take tokens of the source: at every step a switch shares
        the probability out between all tokens of the answers and those tokens of the
        source that attention points to (a pointer-generator; See et al., 2017,
        arXiv:1704.04368). For answers that repeat parts of their source, such as names
        or word forms. The sides may be split in different ways, and have different
        vocabularies; tokens that the answers do not have are never copied.""",
        check_flag,
        default=False,
    )

    def share_dropped(self, num_pairs: int | None) -> float:
        """Return what training drops, of so many pairs; of a stream if None."""
        if self.dropout is not None:
            return self.dropout
        many = num_pairs is None or num_pairs >= _MANY_PAIRS
        return _DROPOUT_OF_MANY if many else _DROPOUT


@settings
class Seq2SeqSettings(
    AnswerTrainingSettings, AnswerSettings, ModelSettings, TargetSettings
):
    """All parameters of an estimator of sequences."""

    random_state: int | None = setting(
        "int",
        """Seeds weights, dropout, the order of batches and the held-back part; and what
        is drawn with a `temperature`, which is then the same at each `predict`.""",
        default=None,
    )


@settings
class ValueModelSettings(LookBackSettings, StackSettings):
    """What shapes the models of an estimator of real values."""

    units: int = 64
    decoder: str = "repeat"
    attention_kind: str | MakeAttention | None = setting(
        *ATTENTION, check_attention, default=None
    )
    quantiles: Sequence[float] | None = setting(*QUANTILES, default=None)
    first_values: str = setting(
        one_of(FIRST_VALUES),
        """What a decoder that reads its own answers is fed at its first step: zeros,
        which are the mean where values are scaled, or the last frame of the source,
        whose first features must be those of the targets.""",
        partial(check_choice, choices=FIRST_VALUES),
        default="zeros",
    )
    n_estimators: int = setting(
        "int",
        """How many models, which differ in their first weights and in what dropout
        drops, are trained side by side on the same batches; answers are the average of
        theirs.""",
        partial(check_whole, maximum=MOST_MEMBERS),
        default=1,
    )


@settings
class ValueDataSettings:
    """How real values are brought to the scale that models compute in."""

    scaling: str | None = setting(
        one_of(SCALINGS[:-1]),
        """How values are scaled, and answers scaled back: to mean 0 and standard
        deviation 1 of each feature, as training has seen it; or of each source on its
        own (its window), for its first features and the targets, whose own past these
        then are, and the other features as before. None for as they are.""",
        partial(check_choice, choices=SCALINGS),
        default="feature",
        of_first_fit=True,
    )
    missing: str = setting(
        '{"error", "mask"}',
        """What NaN means: a mistake, or that a value is missing. A source's frame that
        misses a value is passed by; a target that is missing is learned by none.""",
        partial(check_choice, choices=("error", "mask")),
        default="error",
        of_first_fit=True,
    )


@settings
class RegressorSettings(ValueTrainingSettings, ValueModelSettings, ValueDataSettings):
    """All parameters of an estimator of real-valued sequences."""


def _check_seasons(name: str, value: Any) -> Any:
    """Return the lengths of seasons, or "auto", or raise."""
    if isinstance(value, str):
        return check_choice(f"{name}, unless a list of lengths,", value, ["auto"])
    if not isinstance(value, list | tuple):
        raise TypeError(
            f"{name} must be 'auto' or a list of whole numbers, such as [24, 168]; got "
            f"{written(value)}."
        )
    lengths = [check_whole(f"{name}[{i}]", n) for i, n in enumerate(value)]
    if len(set(lengths)) < len(lengths):
        raise ValueError(f"{name} must differ; got {written(lengths)}.")
    return lengths


def _check_names(name: str, value: Any) -> Any:
    """Return names or places of covariates, or raise."""
    listed = value if isinstance(value, list | tuple) else [None]
    if not all(isinstance(one, str | int) for one in listed):
        raise TypeError(
            f"{name} must be a list of names, or of places from 0, of covariates; got "
            f"{written(value)}."
        )
    return list(value)


@settings
class SeriesSettings:
    """How forecasts are asked for, and what is read for them."""

    horizon: int = setting(
        "int",
        "How many frames a forecast has.",
        partial(check_whole, maximum=LONGEST),
        default=24,
        of_first_fit=True,
    )
    history: int | None = setting(
        "int",
        """How many frames a forecast is made from. When None the longest season, or
        twice the horizon if that is more, as far as the series are long enough.""",
        partial(check_whole, maximum=LONGEST),
        default=None,
        of_first_fit=True,
    )
    season_lengths: str | Sequence[int] = setting(
        '"auto" or list of int',
        """After how many frames the series repeat: 24 and 168, say, of hours. The value
        of the last season before stands beside each frame that is read or forecast.
        Found in the series (:func:`kseq2seq.codec.find_season_lengths`) when
        ``"auto"``; an empty list for none.""",
        _check_seasons,
        default="auto",
        of_first_fit=True,
    )
    past_covariates: Sequence[str | int] = setting(
        "list of str or int",
        """The covariates, by their names or places, that are known of the past alone;
        the others are known ahead.""",
        _check_names,
        default=(),
        of_first_fit=True,
    )


@settings
class ForecasterModelSettings(ValueModelSettings):
    """What shapes the models of a forecaster."""

    units: int = 100
    dropout: float = 0.1
    quantiles: Sequence[float] | None = (0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975)


_FEW_WINDOWS, _FEW_BATCH, _MANY_BATCH = 5_000, 32, 128
"""The choice, and what it rests on, stands in ``benchmarks/NOTES.md``."""


@settings
class ForecasterTrainingSettings(ValueTrainingSettings):
    """How a forecaster is trained."""

    usual_epochs: ClassVar[int] = 15
    usual_updates: ClassVar[tuple[int, int]] = (500, 3_000)
    most_epochs: ClassVar[int] = 200

    loss: str | keras.losses.Loss = "absolute_error"
    batch_size: int | None = setting(  # type: ignore[assignment]  # None is new
        "int",
        "Windows a batch; when None 32 of fewer than 5,000 windows, else 128.",
        partial(check_whole, maximum=LARGEST_BATCH),
        default=None,
    )
    epochs: int | None = setting(
        "int",
        """Passes over the windows of the series; where there are many, parts of a pass,
        of 200 updates. When None 15, but as many as make 500 updates at least.""",
        check_whole,
        default=None,
    )
    validation_fraction: float = setting(
        "float",
        """Share of the windows of each series, the last ones, that is held back to
        watch the training by; 0 for none, and to learn from all.""",
        check_rate,
        default=0.0,
    )

    def windows_a_batch(self, num_windows: int) -> int:
        """Return how many windows a batch has, of so many windows."""
        if self.batch_size is not None:
            return self.batch_size
        return _FEW_BATCH if num_windows < _FEW_WINDOWS else _MANY_BATCH


@settings
class ForecasterSettings(
    ForecasterTrainingSettings,
    ForecasterModelSettings,
    ValueDataSettings,
    SeriesSettings,
):
    """All parameters of a forecaster."""

    scaling: str | None = "window"


def _check_class_weight(name: str, value: Any) -> Any:
    """Return the weights of classes, or raise."""
    if not isinstance(value, Mapping):
        return check_choice(f"{name}, unless a dict,", value, ["balanced"])
    for label, weight in value.items():
        check_real(
            f"{name}[{written(label)}]", weight, exclusive=True, maximum=LARGEST_WEIGHT
        )
    return value


@settings
class ClassifierModelSettings(EncoderSettings):
    """What shapes the model of an estimator of classes."""

    units: int = 128
    embedding_dim: int | None = 64
    dropout: float = 0.3


@settings
class ClassifierSettings(
    ClassTrainingSettings, ClassifierModelSettings, SourceSettings
):
    """All parameters of an estimator of classes."""

    class_weight: str | Mapping[Any, float] | None = setting(
        '{"balanced"} or dict of label to float',
        """How much an example of each class counts, in training, validation and early
        stopping, times its `sample_weight`: ``"balanced"`` so that all classes count
        the same together; with a dict those that it does not have count 1.""",
        _check_class_weight,
        default=None,
        from_files=False,
    )
