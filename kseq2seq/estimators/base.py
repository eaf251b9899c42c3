"""What all estimators share: what each says of itself, `save`, `export`, pickles."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import keras
import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError

from kseq2seq import _tensorflow, persistence
from kseq2seq.arguments import check_flag, written
from kseq2seq.batching import BucketedBatches
from kseq2seq.declarations import about, checked, names, taken, unknown_parameter
from kseq2seq.estimators.examples import Examples, FitData, Task
from kseq2seq.estimators.exporting import export_model
from kseq2seq.estimators.interruption import Interruption
from kseq2seq.estimators.parameters_json import parameters_to_json
from kseq2seq.estimators.reading import read_examples
from kseq2seq.estimators.weights import (
    check_finite,
    frozen_in,
    seeds_of,
    set_frozen,
    weights_of,
)
from kseq2seq.training import Trainer, TrainingSettings
from kseq2seq.training.optimizer_state import KeptOptimizer

Encoded = tuple[Any, Any]
"""The codec of a side, and the side as ids, class numbers or values."""


class SequenceEstimator(TrainingSettings, BaseEstimator):
    """An estimator whose sources are sequences, whatever it answers.

    A subclass has a group of settings as its first base, and says in the methods of the
    section "what an estimator is" how its targets become ids, which models it builds,
    and what they are trained on. ``fitting.fit_estimator`` asks for them in turn; model
    files and pickles are here.
    """

    _model_group: ClassVar[type]
    """The group of the settings that shape the models."""
    _not_pickled: ClassVar[Sequence[str]]
    """The attributes that hold models; a pickle has their weights instead."""

    history_: dict[str, list[float]]
    callbacks_: list[keras.callbacks.Callback]
    _settings: dict[str, Any]
    """What the fitted models were built with, whatever `set_params` did since."""
    _read_with: dict[str, Any]
    """How data were read when the models were first fitted."""
    _source: Any
    _target: Any
    _kept_optimizer: KeptOptimizer
    _interruption: Interruption
    """Where the last `fit` was interrupted; not there if it was not."""

    # Parameters, as scikit-learn has them.

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters by their names.

        Those of a subclass are the ones that its constructor names; where it passes
        ``**others`` on, all of its base's too.

        Parameters
        ----------
        deep : bool, default True
            Whether parameters of parameters are included, where they have some.

        Returns
        -------
        dict
        """
        own = inspect.signature(type(self)).parameters.values()
        parameters = super().get_params(deep)
        if any(each.kind is each.VAR_KEYWORD for each in own):
            passed_on = {name: getattr(self, name) for name in about(self)}
            parameters = passed_on | parameters
        return parameters

    def set_params(self, **params: Any) -> Self:
        """Set parameters by their names.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For a parameter that there is not.
        """
        known = self.get_params(deep=False)
        for full_name in params:
            name, _, inner = full_name.partition("__")
            if name not in known:
                owner = type(self).__name__
                raise ValueError(unknown_parameter(owner, name, known))
            if inner and not hasattr(known[name], "set_params"):
                raise ValueError(
                    f"{written(full_name)} names a parameter of {name}, and {name} is "
                    f"{written(known[name])}, which has none."
                )
        return super().set_params(**params)

    # What an estimator is.

    def _check(self) -> None:
        """Raise for settings that are out of range or mean nothing to each other."""
        checked(self)

    def _encode(self, data: FitData, known: Sequence[Any]) -> Sequence[Encoded]:
        """Return codec and ids, or values, of the sources, and of the targets."""
        raise NotImplementedError

    def _read(
        self,
        data: FitData,
        known: Sequence[Any],
        trainer: Trainer,
        rng: np.random.Generator,
    ) -> Task:
        """Return what to train and to validate on."""
        if data.y is None:
            return self._read_stream(data, known)
        return read_examples(self, data, known, trainer, rng)

    def _read_stream(self, data: FitData, known: Sequence[Any]) -> Task:
        """Return a stream's task, where an estimator learns from one; raise else."""
        raise TypeError("y is missing: pass fit(X, y), a target for each of X.")

    def _weighed(self, examples: Examples, given: Examples, target: Any) -> Examples:
        """Return examples with the weights that settings ask for.

        They may look at all that `fit` was given, and at the codec of its targets.
        """
        return examples

    def _check_task(self, task: Task, settings: TrainingSettings) -> None:
        """Raise where the data cannot be trained on as settings say."""

    def _grows_for(self, task: Task) -> bool:
        """Whether a task has tokens that the fitted models have no place for."""
        return False

    def _validation_values(
        self,
        data: FitData,
        trainer: Trainer,
        codecs: tuple[Any, Any],
        held_back: np.ndarray,
    ) -> tuple[Sequence[Any], Sequence[Any]]:
        """Return the held-back rows as the user has them, where they are looked at."""
        return (), ()

    def _limit(self, task: Task, *, continues: bool) -> None:
        """Take on what the targets of training say beside their tokens."""

    def _build(self, random_state: Any = None) -> Any:
        """Return new models of `_settings` for the codecs."""
        raise NotImplementedError

    def _weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of each weight that `_build` would make, by its path."""
        raise NotImplementedError

    def _adopt(self, models: Any) -> None:
        """Make models this estimator's own, and what users see of the codecs."""
        raise NotImplementedError

    @property
    def _models(self) -> Any:
        """What `_adopt` was given."""
        raise NotImplementedError

    @property
    def _network(self) -> keras.Model:
        """The model that holds all weights."""
        raise NotImplementedError

    def _batches(self, examples: Examples, **options: Any) -> BucketedBatches:
        """Return the batches of examples, with the options of all batches."""
        raise NotImplementedError

    def _batch_size(self, examples: Examples) -> int:
        """Return how many examples a batch has, about."""
        return min(self.batch_size, len(examples))

    def _attach(self, trainer: Trainer, task: Task) -> None:
        """Tell the callbacks that look at answers what to look at."""
        raise NotImplementedError

    def _objective(self, epochs: int, rng: Any) -> dict[str, Any]:
        """Return the arguments `model`, `loss` and `metric` of the training."""
        raise NotImplementedError

    def _calibrate(self, validation: Examples) -> None:
        """Learn from validation examples how probable answers are, after training."""

    def _description(self) -> dict[str, Any]:
        """Return, as JSON values, what fit has learned beside the weights."""
        raise NotImplementedError

    def _read_description(self, description: Mapping[str, Any]) -> None:
        """Take on what :meth:`_description` returned."""
        raise NotImplementedError

    @property
    def _own_array_names(self) -> Sequence[str]:
        """Return the names of the arrays that a file has beside weights."""
        return ()

    def _own_arrays(self) -> dict[str, np.ndarray]:
        """Return what `fit` has kept in arrays beside the weights."""
        return {}

    def _take_own_arrays(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Take on what :meth:`_own_arrays` returned, after the description is read."""

    def _exported(self) -> tuple[keras.Model, dict[str, Any]]:
        """Return the model to export, and what its ids mean."""
        raise NotImplementedError

    def _training_settings(self, **changes: Any) -> TrainingSettings:
        """Return how this estimator trains, as a value, with changes."""
        return taken(TrainingSettings, self, **changes)

    def _model_settings(self) -> dict[str, Any]:
        """Return the parameters that shape the models."""
        return dict(vars(taken(self._model_group, self)))

    def _data_settings(self) -> dict[str, Any]:
        """Return the parameters of how data are read; the first fit decides them."""
        return {name: getattr(self, name) for name in names(self, of_first_fit=True)}

    def _note_settings(self) -> None:
        """Note the parameters that a fit decides for all that continue with it."""
        self._settings = self._model_settings()
        self._read_with = self._data_settings()

    @property
    def _fitted_with(self) -> dict[str, Any]:
        """What was noted, whatever `set_params` did since."""
        return {**self._read_with, **self._settings}

    def _not_of_training(self) -> Sequence[str]:
        """Return the parameters that training does not depend on."""
        return names(self, of_training=False)

    # What is kept.

    @property
    def interrupted_(self) -> bool:
        """Whether an interrupt (Ctrl-C) ended the last `fit`."""
        return hasattr(self, "_interruption")

    @property
    def _is_fitted(self) -> bool:
        return hasattr(self, self._not_pickled[0])

    def _check_fitted(self) -> None:
        if not self._is_fitted:
            _tensorflow.check_can_run()  # a copy may have been left without models
            raise NotFittedError(
                f"this {type(self).__name__} is not fitted yet. Call fit(X, y), or "
                "load a model with kseq2seq.load(path)."
            )

    def save(
        self,
        path: str | Path,
        *,
        overwrite: bool = False,
        include_optimizer: bool = False,
    ) -> Path:
        """Write the fitted estimator to one file; :func:`kseq2seq.load` reads it.

        The file holds parameters, vocabularies, weights, which of them are frozen (not
        ``trainable``), and history; it holds no code, and neither callbacks nor a loss
        or metrics of yours.

        Parameters
        ----------
        path : str or path
            By custom ``.kseq2seq``.
        overwrite : bool, default False
            Whether a file that exists is replaced.
        include_optimizer : bool, default False
            Whether the file has the optimizer's state too, about twice the size of the
            weights, and where dropout's random numbers stand: then `partial_fit`
            continues, after loading, as if there had been no file.

        Returns
        -------
        pathlib.Path

        Raises
        ------
        NotFittedError
            Before `fit`.
        OSError
            When the file exists and is not to be replaced, or cannot be written.
        TypeError
            When a tokenizer, cell, attention, initializer or optimizer is code of your
            own.
        ValueError
            When a parameter is out of its range, or a tokenizer has parts that a model
            file does not hold.
        FloatingPointError
            When weights are not finite.
        """
        self._check_fitted()
        check_flag("include_optimizer", include_optimizer)
        self._check()
        check_finite(self._network)
        artifact = self._artifact(include_optimizer=include_optimizer)
        return persistence.write_artifact(path, artifact, overwrite=overwrite)

    def _artifact(self, *, include_optimizer: bool = False) -> persistence.Artifact:
        """Return what a model file holds of this fitted estimator.

        The parameters that shape the models or tell how data are read are those of the
        fit, whatever `set_params` did since.
        """
        parameters = self._saved_parameters | self._fitted_with
        described, arrays = parameters_to_json(parameters)
        description = {
            "estimator": type(self).__name__,
            "parameters": described,
            **self._description(),
            "num_weights": self._network.count_params(),
            "history": self.history_,
            "frozen": frozen_in(self._models),
        }
        arrays |= {**self._own_arrays(), **weights_of(self._network)}
        if include_optimizer:
            state = self._kept_optimizer.state
            description["optimizer"] = state.kind
            arrays |= {**state.arrays, **seeds_of(self._network)}
        return persistence.Artifact(description, arrays)

    @property
    def _saved_parameters(self) -> dict[str, Any]:
        """The parameters that a model file keeps."""
        saved = sorted(names(self, in_files=True))
        return {name: getattr(self, name) for name in saved}

    def export(
        self,
        path: str | Path,
        format: str = "savedmodel",
        *,
        max_source_length: int | None = None,
        overwrite: bool = False,
    ) -> Path:
        """Write the model, ids or values in and answers out, for other runtimes.

        The model has the search that the parameters ask for, greedy or with a beam.
        Its input ``source_ids`` int32 ``(batch, source_len)`` is each source's ids,
        closed by END and padded with PAD; a beam or greedy search gives ``ids``
        ``(batch, max_length)`` up to END, ``scores`` and, with attention,
        ``attention_weights``; a classifier gives ``probabilities``. What ids mean, and
        how texts are split, is in ``vocabularies.json`` beside the model. Where sources
        are real values, the input is ``source_values`` float32 ``(batch, source_len,
        features)``, and the output ``values (batch, horizon, targets)``, both in their
        own units, and ``quantiles``, if there are any; scaling is part of the model. It
        computes
        in float32, whatever policy of Keras the estimator was fitted under: runtimes
        know all its operations in that type.

        Parameters
        ----------
        path : str or path
            A folder to make: with ``saved_model`` (for TensorFlow), ``model.onnx`` or
            ``model.tflite``.
        format : {"savedmodel", "onnx", "litert"}, default "savedmodel"
            ONNX needs the ``export`` extra.
        max_source_length : int, optional
            For LiteRT, which takes one source at a time, of one length: how many ids it
            is padded to, END included, or how many frames it has.
        overwrite : bool, default False
            Whether a folder that an export made is replaced.

        Returns
        -------
        pathlib.Path
            The folder.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            When an argument is out of its range, or answers are drawn
            (`temperature`).
        OSError
            When the folder exists and is not to be replaced, or cannot be written.
        FloatingPointError
            When weights are not finite.
        ImportError, RuntimeError
            When what writes the format is missing, or the backend is not TensorFlow.

        Examples
        --------
        >>> from kseq2seq import SequenceClassifier
        >>> X, y = ["ab", "ba"] * 8, [0, 1] * 8
        >>> classifier = SequenceClassifier(units=4, epochs=1).fit(X, y)
        >>> folder = classifier.export("exported")
        >>> sorted(path.name for path in folder.iterdir())
        ['saved_model', 'vocabularies.json']
        """
        self._check_fitted()
        check_finite(self._network)
        return export_model(
            lambda: self._twin()._exported(),
            path,
            format=format,
            max_source_length=max_source_length,
            overwrite=overwrite,
        )

    def _twin(self) -> Self:
        """Return an estimator of the same weights, its models built anew for answers.

        Under Keras's present policy, and without recurrent dropout: Keras's draws
        numbers for answers as well.
        """
        twin = type(self).__new__(type(self))
        settings = {**self._settings, "recurrent_dropout": 0.0}
        twin.__setstate__({**self.__getstate__(), "_settings": settings})
        return twin

    def __getstate__(self) -> dict[str, Any]:
        """Return the state with weights in place of models, for pickle and copies."""
        state = dict(super().__getstate__())
        if self._is_fitted:
            state["_pickled_weights"] = self._network.get_weights()
            state["_pickled_frozen"] = frozen_in(self._models)
            for name in (*self._not_pickled, "callbacks_"):
                del state[name]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        weights = state.pop("_pickled_weights", None)
        frozen = state.pop("_pickled_frozen", None)
        super().__setstate__(state)
        if weights is not None:  # the first pickles do not say
            self.__dict__.setdefault("_read_with", self._data_settings())
        if weights is not None and _tensorflow.was_forked_late():
            self._pickled_weights = weights  # a pool would hang where unpickling fails
        elif weights is not None:
            self._adopt(self._build())
            self._network.set_weights(weights)
            if frozen is not None:  # the first pickles do not say
                set_frozen(self._models, set(frozen))
            self.callbacks_ = []
