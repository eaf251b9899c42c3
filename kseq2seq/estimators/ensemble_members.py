"""The members of an ensemble: trained, each with a seed, or checked and joined."""

from __future__ import annotations

import copy
import statistics
import warnings
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import keras
from sklearn.base import clone
from sklearn.utils.parallel import Parallel, delayed

from kseq2seq.answering import Answerer
from kseq2seq.arguments import make_rng, shown
from kseq2seq.builders import build_ensemble
from kseq2seq.codec import SequenceCodec
from kseq2seq.descriptions import FEWEST_MEMBERS
from kseq2seq.estimators.checkpoint_file import Checkpoint, member_checkpoints
from kseq2seq.estimators.examples import FitData
from kseq2seq.estimators.fitting import fit_estimator
from kseq2seq.estimators.reading import encoded
from kseq2seq.estimators.seq2seq_estimator import Seq2SeqEstimator
from kseq2seq.persistence import check_can_write
from kseq2seq.tokenizer_files import tokenizer_to_json

Members = list[Seq2SeqEstimator]


def new_members(template: Seq2SeqEstimator, number: int, random_state: Any) -> Members:
    """Return unfitted estimators, each with a seed of its own; None for none."""
    seeds: list[int | None] = [None] * number
    if random_state is not None:
        seeds = make_rng(random_state).integers(2**31, size=number).tolist()
    return [clone(template).set_params(random_state=seed) for seed in seeds]


def train_members(
    members: Members,
    data: FitData,
    *,
    checkpoint: str | Path | None,
    n_jobs: int | None,
) -> Members:
    """Fit the members, in processes if asked; return those that are done.

    Raises
    ------
    KeyboardInterrupt
        Where an interrupt leaves fewer than make an ensemble.
    """
    if checkpoint is not None:
        checkpoint = check_can_write(checkpoint, overwrite=True, name="checkpoint")
    checkpoints = member_checkpoints(checkpoint, len(members))
    codecs = _codecs(members[0], data, checkpoints)
    data = FitData(**{**vars(data), "codecs": codecs})
    policy = keras.config.dtype_policy().name
    run = Parallel(n_jobs=n_jobs, backend="loky", return_as="generator")
    fits = run(
        delayed(_fit)(member, data, file, policy)
        for member, file in zip(members, checkpoints, strict=True)
    )
    done: Members = []
    interrupted = False
    with closing(fits):
        try:
            for member in fits:
                if member.interrupted_:
                    interrupted = True
                    break
                done.append(member)
        except KeyboardInterrupt:
            interrupted = True
    if interrupted:
        _tell_of_interrupt(len(done), len(members))
    return done


def _codecs(
    template: Seq2SeqEstimator, data: FitData, checkpoints: Sequence[Path | None]
) -> tuple[Any, Any]:
    """Return the codecs of all members, learned once: twice need not give the same."""
    template._check()
    for path in checkpoints:
        if path is not None and path.exists():
            return Checkpoint(path, make_rng(0)).codecs
    (source, _), (target, _) = encoded(template, data.weighted(), (None, None))
    return source, target


def _fit(
    member: Seq2SeqEstimator, data: FitData, checkpoint: Path | None, policy: str
) -> Seq2SeqEstimator:
    """Fit a member, here or in a process that was started for it."""
    if keras.config.dtype_policy().name != policy:
        keras.config.set_dtype_policy(policy)
    fit_estimator(member, data, checkpoint=checkpoint)
    return member


def _tell_of_interrupt(num_done: int, number: int) -> None:
    if num_done < FEWEST_MEMBERS:
        raise KeyboardInterrupt(
            f"interrupted after {num_done} of {number} members, too few for an ensemble"
        )
    warnings.warn(
        f"interrupted: {num_done} of {number} members are trained and make the "
        "ensemble; the one under way is left out.",
        stacklevel=5,
    )


def joint_answerer(members: Members) -> Answerer:
    """Return what answers with the average of what members of one task say.

    Answers may be as long as the most generous member allows.
    """
    source = copy.copy(members[0]._source)
    source.saw_empty = all(member._source.saw_empty for member in members)
    forbidden = set.intersection(*(set(member._forbidden_ids) for member in members))
    answerer = Answerer(
        build_ensemble([member.models_ for member in members]),
        source,
        members[0]._target,
        max_length=max(member.max_length_ for member in members),
        forbidden_ids=sorted(forbidden),
    )
    temperatures = [member.calibration_temperature_ for member in members]
    answerer.calibration_temperature = statistics.geometric_mean(temperatures)
    return answerer


def check_joinable(members: Sequence[Any], names: Sequence[str]) -> None:
    """Raise unless these are fitted estimators whose ids mean the same.

    Parameters
    ----------
    members : sequence
    names : sequence of str
        What errors call them.
    """
    for member, name in zip(members, names, strict=True):
        if not isinstance(member, Seq2SeqEstimator):
            raise TypeError(
                f"{name} must be a fitted Seq2SeqEstimator, or the path of its file; "
                f"got {shown(member)}."
            )
        if not member._is_fitted:
            raise ValueError(f"{name} is not fitted yet. Call its fit(X, y) first.")
    if len(members) < FEWEST_MEMBERS:
        raise ValueError(
            f"an ensemble needs {FEWEST_MEMBERS} estimators or more; got "
            f"{len(members)}. One answers as it is."
        )
    for member, name in zip(members[1:], names[1:], strict=True):
        for side, word in (("_source", "sources"), ("_target", "answers")):
            first, other = getattr(members[0], side), getattr(member, side)
            for what, (one, two) in _differing(first, other):
                raise ValueError(
                    f"an ensemble's members must read and write the same ids, and "
                    f"{names[0]} and {name} differ in {what} of their {word}: "
                    f"{one} and {two}. Fit them on the same pairs, with the same "
                    "tokenizers."
                )


def _differing(
    first: SequenceCodec, other: SequenceCodec
) -> Iterator[tuple[str, tuple[str, str]]]:
    """Yield what two codecs differ in, and how each has it."""
    pairs = zip(_meaning(first).items(), _meaning(other).values(), strict=True)
    for (what, one), two in pairs:
        if one == two:
            continue
        if isinstance(one, list) and isinstance(two, list):
            yield what, _first_difference(one, two)
        else:
            yield what, (shown(one), shown(two))


def _meaning(codec: SequenceCodec) -> dict[str, Any]:
    """Return what says which ids sequences become, by what errors call it."""
    features = None if codec.features is None else codec.features.to_json()
    return {
        "the kind": codec.kind,
        "the tokens": codec.vocabulary.tokens,
        "the features": features and features["tokens"],
        "the features' ids": features,
        "the tokenizer": _tokenizer(codec) if codec.kind == "text" else None,
        "the width": codec.width,
        "what becomes of unknown tokens": codec.unknown,
        "the order": "reversed" if codec.reverse else "as they are",
        "the preparation": codec.preparation,
    }


def _tokenizer(codec: SequenceCodec) -> Any:
    try:
        return tokenizer_to_json(codec.tokenizer)
    except (TypeError, ValueError):  # code of the user's own
        return codec.tokenizer


def _first_difference(one: list[Any], two: list[Any]) -> tuple[str, str]:
    """Return how many tokens two lists have, and the first in which they differ."""
    shorter = min(len(one), len(two))
    i = next((i for i in range(shorter) if one[i] != two[i]), shorter)
    return tuple(
        f"{len(tokens)} with {shown(tokens[i]) if i < len(tokens) else 'none'} in "
        f"place {i}"
        for tokens in (one, two)
    )  # type: ignore[return-value]
