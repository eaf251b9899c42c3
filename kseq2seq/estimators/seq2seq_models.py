"""The models of an estimator of sequences, and the limits of their answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras

from kseq2seq.answering import Answerer, AnswerSettings
from kseq2seq.arguments import check_whole, written
from kseq2seq.builders import Seq2SeqModels, build_attention_seq2seq, build_seq2seq
from kseq2seq.builders.architecture import Architecture
from kseq2seq.builders.settings import AttentionSettings, DecoderSettings
from kseq2seq.builders.weight_shapes import seq2seq_shapes
from kseq2seq.codec import SequenceCodec
from kseq2seq.declarations import names
from kseq2seq.estimators.copying import copy_table
from kseq2seq.estimators.settings import Seq2SeqSettings
from kseq2seq.generation import LONGEST
from kseq2seq.ragged import RaggedIds
from kseq2seq.training import (
    MaskedCrossentropy,
    TeacherForcedAccuracy,
    TeacherForcing,
    with_teacher_forcing,
)
from kseq2seq.vocabulary import PAD, START, UNK


def build_models(
    source: SequenceCodec,
    target: SequenceCodec,
    settings: Mapping[str, Any],
    random_state: Any = None,
) -> Seq2SeqModels:
    """Build the models that an estimator's settings describe.

    Parameters
    ----------
    source, target : SequenceCodec
    settings : mapping of str to object
        The values of :class:`kseq2seq.estimators.settings.ModelSettings`.
    random_state : int or numpy.random.Generator, optional
    """
    arguments = _arguments(source, target, settings)
    build = build_attention_seq2seq if "attention" in arguments else build_seq2seq
    return build(**arguments, random_state=random_state)


def weight_shapes(
    source: SequenceCodec, target: SequenceCodec, settings: Mapping[str, Any]
) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the weights that these models would have, by their paths.

    Parameters as :func:`build_models`.
    """
    return seq2seq_shapes(Architecture(**_arguments(source, target, settings)))


def _arguments(
    source: SequenceCodec, target: SequenceCodec, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """Return a builder's arguments; without attention, none that shape it."""
    sizes = {
        "source_vocabulary_size": source.num_ids,
        "target_vocabulary_size": target.num_ids,
    }
    arguments = {**sizes, **settings}
    if arguments.get("copy"):  # the first pickles do not say
        arguments["copy"] = copy_table(source, target)
    attention = arguments.pop("attention_kind")
    if attention is not None:
        return {**arguments, "attention": attention}
    for name in set(names(AttentionSettings)) - set(names(DecoderSettings)):
        arguments.pop(name, None)
    return arguments


def answer_limits(
    target: SequenceCodec, targets: RaggedIds, max_length: int | None
) -> tuple[int, list[int]]:
    """Return how long answers may be, END included, and ids that never come.

    UNK is no answer unless training has shown it as one.

    Parameters
    ----------
    target : SequenceCodec
    targets : RaggedIds
        Those of training.
    max_length : int, optional
        How many tokens answers may have; half as many again as the longest of training
        when None.
    """
    forbidden = [PAD, START]
    if target.has_integer_tokens or UNK not in targets.ids:
        forbidden.append(UNK)
    if target.width is not None:
        return target.width, forbidden
    longest = int(targets.lengths.max())
    return 1 + (max_length or longest + (longest + 1) // 2), forbidden


def check_limits(
    target: SequenceCodec, max_length: int, forbidden_ids: list[int]
) -> None:
    """Raise unless :func:`answer_limits` may have said so."""
    check_whole("max_length", max_length, maximum=target.width or LONGEST)
    if target.width is not None and max_length != target.width:
        raise ValueError(f"max_length is {max_length}, of rows of {target.width}")
    needed = {PAD, START} | ({UNK} if target.has_integer_tokens else set())
    found = set(forbidden_ids)
    if not needed <= found <= set(range(target.num_ids)):
        raise ValueError(f"forbidden_ids are {sorted(found)!r:.60}")


def sides_to_json(source: SequenceCodec, target: SequenceCodec) -> dict[str, Any]:
    """Return the codecs of both sides as JSON values."""
    return {"source": source.to_json(), "target": target.to_json()}


def sides_from_json(
    description: Mapping[str, Any],
) -> tuple[SequenceCodec, SequenceCodec]:
    """Return the codecs that :func:`sides_to_json` described."""
    source = SequenceCodec.from_json("X", description["source"])
    return source, SequenceCodec.from_json("y", description["target"])


def exported_answers(
    search: AnswerSettings, answerer: Answerer
) -> tuple[keras.Model, dict[str, Any]]:
    """Return the model that is exported, and what its ids mean.

    Raises
    ------
    ValueError
        Where the settings of the search ask for what no exported model does.
    """
    if search.temperature is not None:
        raise ValueError(
            "what is exported searches for the best answer, and temperature="
            f"{written(search.temperature)} draws. set_params(temperature=None)."
        )
    if search.replace_unknown:
        raise ValueError(
            "what is exported gives ids, and replace_unknown=True takes tokens of the "
            "source for them. set_params(replace_unknown=False)."
        )
    described = sides_to_json(answerer.source, answerer.target)
    generator = answerer.generator(answerer.options(search))
    return generator, {**described, "max_length": answerer.max_length}


def objective(
    settings: Seq2SeqSettings, models: Seq2SeqModels, epochs: int, rng: Any
) -> dict[str, Any]:
    """Return the arguments `model`, `loss`, `metric` and `callbacks` of a training."""
    model, callbacks = models.training, []
    schedule = settings.teacher_forcing_schedule
    plain = (settings.teacher_forcing, schedule) == (1, "constant")
    if not plain and settings.decoder == "autoregressive":
        model = with_teacher_forcing(models, settings.teacher_forcing, random_state=rng)
        callbacks.append(
            TeacherForcing(epochs, start=settings.teacher_forcing, schedule=schedule)
        )
    return {
        "model": model,
        "loss": MaskedCrossentropy(settings.label_smoothing),
        "metric": TeacherForcedAccuracy(),
        "callbacks": callbacks,
    }
