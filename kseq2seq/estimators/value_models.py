"""The models of an estimator of real values, one or several side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from kseq2seq.arguments import make_rng
from kseq2seq.builders import (
    Seq2SeqModels,
    build_attention_seq2seq,
    build_seq2seq,
    side_by_side,
)
from kseq2seq.builders.architecture import Architecture
from kseq2seq.builders.settings import LookBackSettings
from kseq2seq.builders.weight_shapes import seq2seq_shapes
from kseq2seq.codec import Scaling
from kseq2seq.declarations import names
from kseq2seq.layers import WindowScale
from kseq2seq.training import (
    TeacherForcing,
    ValueTrainingSettings,
    with_teacher_forcing,
)

_BESIDE = ("n_estimators", "first_values")
"""Settings of models that no builder takes."""


def build_members(
    sizes: Mapping[str, Any], settings: Mapping[str, Any], random_state: Any = None
) -> list[Seq2SeqModels]:
    """Build the models that an estimator's settings describe.

    Parameters
    ----------
    sizes : mapping of str to object
        Arguments of a builder that the data decide: features, and whether there are
        gaps.
    settings : mapping of str to object
        The values of :class:`kseq2seq.estimators.settings.ValueModelSettings`.
    random_state : int or numpy.random.Generator, optional
    """
    arguments, rng = _arguments(sizes, settings), make_rng(random_state)
    build = build_attention_seq2seq if "attention" in arguments else build_seq2seq
    members = []
    for scope in _scopes(settings):
        with keras.name_scope(scope):  # weights of all have paths of their own
            members.append(build(**arguments, random_state=rng))
    return members


def weight_shapes(
    sizes: Mapping[str, Any], settings: Mapping[str, Any]
) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the weights that these models would have, by their paths.

    Parameters as :func:`build_members`.
    """
    shapes = seq2seq_shapes(Architecture(**_arguments(sizes, settings)))
    return {
        f"{scope}/{path}": shape
        for scope in _scopes(settings)
        for path, shape in shapes.items()
    }


def _scopes(settings: Mapping[str, Any]) -> list[str]:
    return [f"model_{i}" for i in range(1, settings["n_estimators"] + 1)]


def _arguments(sizes: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return a builder's arguments; without attention, none that shape it."""
    given = {name: value for name, value in settings.items() if name not in _BESIDE}
    arguments = {**sizes, **given}
    attention = arguments.pop("attention_kind")
    if attention is not None:
        return {**arguments, "attention": attention}
    for name in names(LookBackSettings):
        arguments.pop(name)
    return arguments


def network_of(members: Sequence[Seq2SeqModels]) -> keras.Model:
    """Return the model that trains all of these at once."""
    return side_by_side([member.training for member in members])


def forced(
    members: Sequence[Seq2SeqModels],
    settings: ValueTrainingSettings,
    epochs: int,
    rng: Any,
) -> tuple[keras.Model, list[keras.callbacks.Callback]]:
    """Return what is trained where decoders are fed their own values, and how often."""
    models = [
        with_teacher_forcing(member, settings.teacher_forcing, random_state=rng)
        for member in members
    ]
    schedule = settings.teacher_forcing_schedule
    callback = TeacherForcing(epochs, start=settings.teacher_forcing, schedule=schedule)
    return side_by_side(models), [callback]


def with_scales(generator: keras.Model, scaling: Scaling) -> keras.Model:
    """Return a generator of real values that reads and answers in their own units."""
    source = keras.Input(generator.inputs[0].shape[1:], name="source_values")
    scale = scaling.source
    scaled = _rescaled(source, 1 / scale.deviation, -scale.mean / scale.deviation)
    if scaling.kind != "window":
        answers = dict(generator(scaled))
        named = {name: _undone(scaled, scaling) for name, scaled in answers.items()}
        return keras.Model(source, named, name="generator")
    num_targets = len(scaling.target.mean)
    mean, deviation = WindowScale(num_targets, name="window_scale")(source)
    own = (source[..., :num_targets] - mean) / deviation
    answers = dict(
        generator(ops.concatenate([own, scaled[..., num_targets:]], axis=-1))
    )
    named = {"values": answers["values"] * deviation + mean}
    if "quantiles" in answers:
        each = answers["quantiles"] * deviation[..., None]
        named["quantiles"] = each + mean[..., None]
    return keras.Model(source, named, name="generator")


def _undone(scaled: Any, scaling: Scaling) -> Any:
    """Return values ``(batch, horizon, targets)`` or quantiles of them in their units.

    Quantiles have one more axis, of levels.
    """
    scale = scaling.target
    if len(scaled.shape) == 3:
        return _rescaled(scaled, scale.deviation, scale.mean)
    turned = ops.swapaxes(scaled, -1, -2)  # (batch, horizon, levels, targets)
    return ops.swapaxes(_rescaled(turned, scale.deviation, scale.mean), -1, -2)


def _rescaled(values: Any, scale: np.ndarray, offset: np.ndarray) -> Any:
    """Return values times a scale, and an offset more, of each of the last axis.

    By a layer: numbers that stand in a graph as they are become inputs in ONNX.
    """
    return keras.layers.Rescaling(scale.tolist(), offset.tolist())(values)
