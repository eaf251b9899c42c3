"""How often the decoder is fed the gold token, and how often its own."""

from __future__ import annotations

import math
from typing import Any

import keras

from kseq2seq.arguments import check_choice, check_real, check_whole, make_rng
from kseq2seq.builders import Seq2SeqModels, check_seq2seq_models
from kseq2seq.layers import TrainingModel
from kseq2seq.search import ScheduledSampling

SCHEDULES = ("constant", "linear", "exponential", "inverse_sigmoid")

LAST_SHARE = 0.01
"""What an exponential schedule leaves of its start at the last epoch."""


def check_teacher_forcing(probability: Any, schedule: Any) -> None:
    """Raise unless these are a probability and the name of a schedule."""
    check_real("teacher_forcing", probability, maximum=1.0)
    check_choice("teacher_forcing_schedule", schedule, SCHEDULES)


def forcing_probability(
    epoch: int, epochs: int, *, start: float = 1.0, schedule: str = "constant"
) -> float:
    """Return the probability at an epoch (Bengio et al., 2015, arXiv:1506.03099, 2.4).

    Parameters
    ----------
    epoch : int
        From 0 to ``epochs - 1``.
    epochs : int
    start : float, default 1
        What the schedule is a share of, 0 to 1.
    schedule : {"constant", "linear", "exponential", "inverse_sigmoid"}
        With i the epoch, the share falls along ``1 - i / (epochs - 1)``, along
        ``k ** i`` to 0.01 at the last epoch, or along ``k / (k + exp(i / k))`` with the
        k that makes it a half midway.

    Returns
    -------
    float

    Raises
    ------
    ValueError, TypeError
        When an argument is out of its range.

    Examples
    --------
    >>> from kseq2seq.training import forcing_probability
    >>> [forcing_probability(i, 5, schedule="linear") for i in range(5)]
    [1.0, 0.75, 0.5, 0.25, 0.0]
    """
    check_teacher_forcing(start, schedule)
    last = check_whole("epochs", epochs) - 1
    check_whole("epoch", epoch, minimum=0, maximum=last)
    if schedule == "constant" or last == 0:
        return float(start)
    if schedule == "linear":
        return start * (1 - epoch / last)
    if schedule == "exponential":
        return start * LAST_SHARE ** (epoch / last)
    k = _inverse_sigmoid_constant(last / 2)
    return start * k / (k + math.exp(epoch / k))


def _inverse_sigmoid_constant(midway: float) -> float:
    """Return the k of ``k log k = midway``, where the inverse sigmoid is a half."""
    from scipy.special import lambertw

    return math.exp(float(lambertw(midway).real))


def with_teacher_forcing(
    models: Seq2SeqModels,
    teacher_forcing: float,
    *,
    random_state: Any = None,
) -> keras.Model:
    """Return a training model whose decoder is fed gold tokens with a probability.

    It has the inputs, the outputs and the weights of ``models.training``. In training
    each step after the first is fed the gold token with the probability, and else the
    decoder's own best token of the step before; evaluation always feeds gold tokens.

    Parameters
    ----------
    models : Seq2SeqModels
    teacher_forcing : float
        0, the decoder's own tokens alone, to 1, as ``models.training`` does. The
        callback :class:`TeacherForcing` changes it over the epochs.
    random_state : int, optional

    Returns
    -------
    keras.Model

    Raises
    ------
    ValueError, TypeError
        When the probability is not within 0 to 1.

    Examples
    --------
    >>> from kseq2seq import build_seq2seq
    >>> from kseq2seq.training import with_teacher_forcing
    >>> models = build_seq2seq(9, 8, units=4, random_state=0)
    >>> with_teacher_forcing(models, 0.5, random_state=0).output_shape
    (None, None, 8)
    """
    check_seq2seq_models(models)
    check_real("teacher_forcing", teacher_forcing, maximum=1.0)
    inputs = models.training.inputs
    memory = models.encoder.outputs
    # The part of the training model behind the encoder, as a model of its own.
    histories = [given._keras_history for given in inputs]
    decoder = keras.Model(
        [*memory, *inputs[1:]], models.training.outputs, name="decoder"
    )
    for given, history in zip(inputs, histories, strict=True):
        given._keras_history = history  # set anew by Keras, which could not save then
    source, gold, *features = (
        keras.Input(given.shape[1:], name=given.name, dtype=given.dtype)
        for given in inputs
    )
    memory = models.encoder(source)
    memory = memory if isinstance(memory, list) else [memory]
    sampling = ScheduledSampling(
        models.decoder,
        models.num_states,
        teacher_forcing,
        seed=int(make_rng(random_state).integers(2**31)),
        name="scheduled_sampling",
    )
    (outputs,) = decoder([*memory, sampling(gold, memory, *features), *features])
    return TrainingModel([source, gold, *features], outputs, name="training")


class TeacherForcing(keras.callbacks.Callback):
    """Set the teacher forcing of a model of :func:`with_teacher_forcing` by epoch.

    The history gets it under ``"teacher_forcing"``.

    Parameters
    ----------
    epochs : int
        How many epochs the schedule spans; later ones stay at its end.
    start : float, default 1
    schedule : str, default "linear"
        As in :func:`forcing_probability`.
    """

    def __init__(
        self, epochs: int, *, start: float = 1.0, schedule: str = "linear"
    ) -> None:
        super().__init__()
        forcing_probability(0, epochs, start=start, schedule=schedule)
        self.epochs, self.start, self.schedule = epochs, start, schedule

    def _probability(self, epoch: int) -> float:
        return forcing_probability(
            min(epoch, self.epochs - 1),
            self.epochs,
            start=self.start,
            schedule=self.schedule,
        )

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        if not _sampling_layers(self.model):
            raise ValueError(
                "TeacherForcing needs a model that can be fed its own tokens: fit "
                "with_teacher_forcing(models, probability) in place of models.training."
            )

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        for sampling in _sampling_layers(self.model):
            sampling.probability.assign(self._probability(epoch))

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        if logs is not None:
            logs["teacher_forcing"] = self._probability(epoch)


def _sampling_layers(model: keras.Model) -> list[ScheduledSampling]:
    """Return the layers that choose what decoders are fed, of models inside as well."""
    found = []
    for layer in model.layers:
        if isinstance(layer, ScheduledSampling):
            found.append(layer)
        elif isinstance(layer, keras.Model):
            found += _sampling_layers(layer)
    return found
