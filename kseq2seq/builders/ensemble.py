"""Several models of one task, as models that answer with the average of them all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras

from kseq2seq.builders.seq2seq import Seq2SeqModels, check_seq2seq_models
from kseq2seq.layers import AverageProbabilities, OneHot, TrainingModel


def build_ensemble(models: Sequence[Seq2SeqModels]) -> Seq2SeqModels:
    """Build the models that average what several say at every step.

    The probabilities of the ids are averaged (Sutskever et al., 2014, arXiv:1409.3215,
    section 3.6), or the values where the targets are real values; the attention weights
    are the average over the members that have attention. All weights are shared with
    the members.

    Parameters
    ----------
    models : list or tuple of Seq2SeqModels
        One or more, in any order, each from :func:`build_seq2seq` or
        :func:`build_attention_seq2seq`. They may differ in all but what their ids, or
        their frames, mean.

    Returns
    -------
    Seq2SeqModels
        The member itself, where there is one; else with logarithms of the averaged
        probabilities in place of logits.

    Raises
    ------
    ValueError, TypeError
        When there is no member, or one is no Seq2SeqModels, or has other ids or frames
        than the first.

    Examples
    --------
    >>> from kseq2seq import build_attention_seq2seq, build_seq2seq
    >>> members = [build_seq2seq(9, 8, units=4), build_attention_seq2seq(9, 8, units=6)]
    >>> build_ensemble(members).training.output_shape
    (None, None, 8)
    """
    _check_members(models)
    if len(models) == 1:
        return models[0]
    # Those with attention last, so that the last constants are encoder outputs and
    # their mask, as a search expects.
    members = sorted(models, key=lambda member: member.has_attention)
    return Seq2SeqModels(
        training=_training(members),
        encoder=_encoder(members),
        decoder=_decoder(members),
    )


def side_by_side(models: Sequence[keras.Model]) -> keras.Model:
    """Return one model of several training models of real values, to train at once.

    Its outputs are ``(batch, target_len, target_features, outputs of all)``: each
    model's value and its quantiles, one model's behind the other's on the last axis.
    """
    if len(models) == 1:
        return models[0]
    inputs = [_input_like(given) for given in models[0].inputs]
    outputs = keras.tree.flatten([part(inputs) for part in _named_apart(models)])
    if len(outputs[0].shape) == 3:
        outputs = [
            keras.layers.Reshape((-1, each.shape[-1], 1), name=f"values_{i}")(each)
            for i, each in enumerate(outputs, 1)
        ]
    joined = keras.layers.Concatenate(axis=-1, name="outputs")(outputs)
    return TrainingModel(inputs, joined, name="training")


def _training(members: list[Seq2SeqModels]) -> keras.Model:
    inputs = [_input_like(given) for given in members[0].training.inputs]
    parts = _named_apart([member.training for member in members])
    logits = keras.tree.flatten([part(inputs) for part in parts])
    outputs = _average(members[0])(logits)
    return keras.Model(inputs, outputs, name="training")


def _encoder(members: list[Seq2SeqModels]) -> keras.Model:
    """Return the model that gives the states of every member, then all constants."""
    source = _input_like(members[0].encoder.inputs[0])
    parts = _named_apart([member.encoder for member in members])
    states, constants = [], []
    for member, part in zip(members, parts, strict=True):
        memory = keras.tree.flatten(part(source))
        states += memory[: member.num_states]
        constants += memory[member.num_states :]
    return keras.Model(source, [*states, *constants], name="encoder")


def _decoder(members: list[Seq2SeqModels]) -> keras.Model:
    num_inputs = members[0].num_decoder_inputs
    decoder_inputs = [_input_like(g) for g in members[0].decoder.inputs[:num_inputs]]
    parts = _named_apart([member.decoder for member in members])
    states, constants, logits, new_states, weights = [], [], [], [], []
    for i, (member, part) in enumerate(zip(members, parts, strict=True), 1):
        memory = [
            _input_like(m, f"{m.name}_model_{i}") for m in part.inputs[num_inputs:]
        ]
        own_logits, *outputs = part([*decoder_inputs, *memory])
        num_states = member.num_states
        states += memory[:num_states]
        constants += memory[num_states:]
        logits.append(own_logits)
        new_states += outputs[:num_states]
        weights += outputs[num_states:]
    outputs = [_average(members[0])(logits), *new_states]
    if weights:
        outputs.append(keras.layers.Average(name="attention", dtype="float32")(weights))
    return keras.Model([*decoder_inputs, *states, *constants], outputs, name="decoder")


def _average(member: Seq2SeqModels) -> Callable[[list[Any]], Any]:
    """Return the layer that averages what such members put out."""
    if member.has_real_targets:
        return keras.layers.Average(name="values")
    return AverageProbabilities(name="logits")


def _input_like(given: Any, name: str | None = None) -> Any:
    return keras.Input(given.shape[1:], name=name or given.name, dtype=given.dtype)


def _named_apart(models: Sequence[keras.Model]) -> list[keras.Model]:
    """Return the same models under names of their own, as one model asks of its parts.

    A model that comes twice stays one, and is saved once.
    """
    renamed: dict[int, keras.Model] = {}
    for model in models:
        name = f"{model.name}_{len(renamed) + 1}"
        if id(model) not in renamed:
            renamed[id(model)] = keras.Model(model.inputs, model.outputs, name=name)
    return [renamed[id(model)] for model in models]


def _check_members(models: Any) -> None:
    """Raise unless these are models whose ids, or frames, can mean the same."""
    if not isinstance(models, list | tuple):
        raise TypeError(
            "models must be the Seq2SeqModels that a builder returned, or a list of "
            f"them; got {type(models).__name__}."
        )
    if not models:
        raise ValueError("models must hold at least one Seq2SeqModels; got none.")
    for i, member in enumerate(models):
        check_seq2seq_models(member, f"models[{i}]")
        if any(isinstance(layer, keras.Model) for layer in member.encoder.layers):
            raise ValueError(
                f"models[{i}] is an ensemble itself: list its members in its place."
            )
        for side, describe in (("source", _source), ("target", _target)):
            first, own = describe(models[0]), describe(member)
            if own != first:
                raise ValueError(
                    f"models must share one {side}: models[0] has {first}, and "
                    f"models[{i}] has {own}. Build and train them for the same."
                )


def _source(models: Seq2SeqModels) -> str:
    source = models.encoder.inputs[0]
    if source.dtype != "int32":
        return f"real values, {source.shape[-1]} a frame"
    embedding = models.encoder.get_layer("source_embedding")
    is_one_hot = isinstance(embedding, OneHot)
    return f"{embedding.size if is_one_hot else embedding.input_dim} ids"


def _target(models: Seq2SeqModels) -> str:
    shape = models.decoder.outputs[0].shape
    if not models.has_real_targets:
        return f"{shape[-1]} ids"
    said = f"real values, {models.decoder.inputs[0].shape[-1]} a frame"
    if models.has_quantiles:
        said += f", {shape[-1] - 1} quantiles of each"
    if models.num_decoder_inputs > 1:
        said += f", {models.decoder.inputs[1].shape[-1]} known ahead"
    return said
