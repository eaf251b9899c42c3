"""Data that is there as a whole, read: values to ids, a part held back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kseq2seq.arguments import check_lengths, check_sample_weight
from kseq2seq.codec import SequenceCodec
from kseq2seq.estimators.codecs import Encoded
from kseq2seq.estimators.examples import Examples, FitData, Task, split_rows
from kseq2seq.training import Trainer

if TYPE_CHECKING:
    from kseq2seq.estimators.base import SequenceEstimator


def read_examples(
    estimator: SequenceEstimator,
    data: FitData,
    known: Sequence[Any],
    trainer: Trainer,
    rng: np.random.Generator,
) -> Task:
    """Return data that is there as a whole as ids, split for validation.

    Parameters
    ----------
    known : pair of codecs or None
        Those of both sides that are used again.
    """
    (source, sources), (target, targets) = encoded(estimator, data, known)
    weights = check_sample_weight(data.sample_weight, len(sources))
    examples = Examples(sources, targets, weights)
    examples = estimator._weighed(examples, examples, target)
    if (given := data.validation_data) is not None:
        validation = encode_validation(source, target, given)
        validation = estimator._weighed(validation, examples, target)
        return Task(source, target, examples, validation, (given.X, given.y))
    fraction = trainer.settings.validation_fraction
    train, held_back = split_rows(len(examples), fraction, rng)
    return Task(
        source,
        target,
        examples.take(train),
        examples.take(held_back),
        estimator._validation_values(data, trainer, (source, target), held_back),
    )


def encoded(
    estimator: SequenceEstimator, data: FitData, known: Sequence[Any]
) -> Sequence[Encoded]:
    """Return codec and ids of both sides of data without pairs of weight 0."""
    try:
        sides = estimator._encode(data, known)
    except (ValueError, TypeError) as error:
        if data.num_left_out:
            error.add_note(
                f"Pairs are counted without the {data.num_left_out} of weight 0."
            )
        raise
    check_lengths(*(len(ids) for _, ids in sides))
    return sides


def encode_validation(source: SequenceCodec, target: Any, data: FitData) -> Examples:
    """Return validation data as ids, unknown tokens of targets as UNK."""
    options = {"unknown": "unk"} if isinstance(target, SequenceCodec) else {}
    try:
        sources, targets = source.encode(data.X), target.encode(data.y, **options)
        check_lengths(len(sources), len(targets))
        weights = check_sample_weight(data.sample_weight, len(sources))
    except (ValueError, TypeError) as error:
        raise type(error)(f"validation_data: {error}") from None
    return Examples(sources, targets, weights)
