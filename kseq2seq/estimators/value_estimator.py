"""What the estimators share that answer with real values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from sklearn.base import RegressorMixin

from kseq2seq.answering import generate_values
from kseq2seq.builders import Seq2SeqModels
from kseq2seq.codec import Scale, Scaling, SourceValues, TargetValues
from kseq2seq.declarations import taken
from kseq2seq.estimators.base import SequenceEstimator
from kseq2seq.estimators.examples import Task
from kseq2seq.estimators.settings import ValueDataSettings, ValueModelSettings
from kseq2seq.estimators.value_models import (
    build_members,
    forced,
    network_of,
    weight_shapes,
    with_scales,
)
from kseq2seq.generation import build_generator
from kseq2seq.ragged import RaggedValues
from kseq2seq.training import (
    PointError,
    Trainer,
    TrainingSettings,
    ValueLoss,
    ValueTrainingSettings,
)
from kseq2seq.training.callbacks import AttachedCallback


class ValueEstimator(
    RegressorMixin,
    SequenceEstimator,
    ValueTrainingSettings,
    ValueModelSettings,
    ValueDataSettings,
):
    """An estimator that reads and answers sequences of real values.

    A subclass has a group of settings as its first base; see
    :class:`kseq2seq.estimators.base.SequenceEstimator`.
    """

    models_: list[Seq2SeqModels]
    _source: SourceValues
    _target: TargetValues
    _scaling: Scaling
    _generator: keras.Model
    _training_model: keras.Model

    _not_pickled = ("models_", "_generator", "_training_model")

    def _answers(self, sources: RaggedValues) -> dict[str, np.ndarray]:
        """Return what the models answer to sources as they are, in their units.

        ``values (n, horizon, targets)`` and with quantiles ``quantiles (n, horizon,
        targets, levels)``.
        """
        answers = generate_values(
            self._generator,
            self._scaling.scaled_sources(sources),
            has_gaps=self._source.has_gaps,
        )
        scale = self._scaling.of_targets(sources)
        each = Scale(*(part[..., None] for part in scale))
        undo = {"values": scale.undo, "quantiles": each.undo}
        return {name: undo[name](scaled) for name, scaled in answers.items()}

    def _check_quantiles(self) -> list[float]:
        """Return the levels that the models answer, or raise where there are none."""
        levels = self._settings["quantiles"]
        if levels is None:
            raise ValueError(
                f"this {type(self).__name__} was fitted without quantiles. "
                "set_params(quantiles=[0.1, 0.5, 0.9]), say, and fit it."
            )
        return list(levels)

    # What an estimator is: see the base.

    def _training_settings(self, **changes: Any) -> ValueTrainingSettings:
        return taken(ValueTrainingSettings, self, **changes)

    def _check_task(self, task: Task, settings: TrainingSettings) -> None:
        for name, asked in (
            ("scaling='window'", self.scaling == "window"),
            ("first_values='last'", self.first_values == "last"),
        ):
            if asked and task.source.num_features < task.target.num_targets:
                raise ValueError(
                    f"{name} takes the first features of X for the past of y, whose "
                    f"frames have {task.target.num_targets}; X has "
                    f"{task.source.num_features}. Put them there, or leave it out."
                )
        validation = task.validation.sources
        if not task.source.has_gaps and len(np.unique(validation.lengths)) > 1:
            raise ValueError(
                "validation_data: X has sequences of different lengths, and those of "
                "fit have one. Bring them to one length."
            )

    def _limit(self, task: Task, *, continues: bool) -> None:
        if not continues:
            examples = task.training
            self._scaling = Scaling.learn(
                self.scaling, examples.sources, examples.targets
            )

    @property
    def _sizes(self) -> dict[str, Any]:
        """What the data decide of the models."""
        return {
            "source_features": self._source.num_features,
            "target_features": self._target.num_targets,
            "mask_nan": self._source.has_gaps,
        }

    def _build(self, random_state: Any = None) -> list[Seq2SeqModels]:
        return build_members(self._sizes, self._settings, random_state)

    def _weight_shapes(self) -> dict[str, tuple[int, ...]]:
        return weight_shapes(self._sizes, self._settings)

    def _adopt(self, models: list[Seq2SeqModels]) -> None:
        if models is self.__dict__.get("models_"):
            return  # with their generator, which stays traced
        self.models_ = models
        self._training_model = network_of(models)
        self._generator = build_generator(
            models,
            self._target.horizon,
            first_values=self._settings["first_values"],
            attention_weights=False,
        )

    @property
    def _models(self) -> list[Seq2SeqModels]:
        return self.models_

    @property
    def _network(self) -> keras.Model:
        return self._training_model

    def _attach(self, trainer: Trainer, task: Task) -> None:
        for callback in trainer.callbacks:
            if isinstance(callback, AttachedCallback):
                raise TypeError(
                    f"{type(callback).__name__} looks at answers that are tokens; with "
                    f"a {type(self).__name__} watch 'val_loss' instead."
                )

    def _objective(self, epochs: int, rng: Any) -> dict[str, Any]:
        levels = self._settings["quantiles"]
        network: keras.Model = self._network
        callbacks: list[keras.callbacks.Callback] = []
        schedule = (self.teacher_forcing, self.teacher_forcing_schedule)
        if schedule != (1, "constant") and self.decoder == "autoregressive":
            network, callbacks = forced(self.models_, self, epochs, rng)
        name = self.loss if isinstance(self.loss, str) else "squared_error"
        return {
            "model": network,
            "loss": ValueLoss(name, levels),
            "metric": PointError(1 + len(levels or ())),
            "callbacks": callbacks,
        }

    def _description(self) -> dict[str, Any]:
        return {
            "values": {
                "source": self._source.to_json(),
                "target": self._target.to_json(),
                "scaling": self._scaling.to_json(),
            }
        }

    def _exported(self) -> tuple[keras.Model, dict[str, Any]]:
        return with_scales(self._generator, self._scaling), self._description()

    def _read_description(self, description: Mapping[str, Any]) -> None:
        described = description["values"]
        self._source = SourceValues.from_json(described["source"])
        self._target = TargetValues.from_json(described["target"])
        self._scaling = Scaling.from_json(described["scaling"])
        self._check_description()

    def _check_description(self) -> None:
        """Raise unless the parts of a description fit each other."""
        widths = {
            "source": self._source.num_features,
            "target": self._target.num_targets,
        }
        for side, width in widths.items():
            getattr(self._scaling, side).check(f"values/scaling/{side}", width)
        if self._target.ndim < 3 and self._target.horizon != 1:
            raise ValueError("values/target has a horizon that its shape has not")
