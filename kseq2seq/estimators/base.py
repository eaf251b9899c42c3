"""What all estimators share: training settings, model files and pickles."""

from __future__ import annotations

import copy
import inspect
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Self

import keras
import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from sklearn.utils import Tags

from kseq2seq import persistence
from kseq2seq.arguments import (
    check_batch_size,
    check_choice,
    check_flag,
    check_rate,
    check_real,
    check_whole,
)
from kseq2seq.batching import BucketedBatches, StreamBatches
from kseq2seq.estimators.checkpoint_file import Checkpoint
from kseq2seq.training.objectives import (
    check_callbacks,
    check_loss_and_metrics,
    check_on_example,
    check_sizes,
)
from kseq2seq.estimators.exporting import export_model
from kseq2seq.training.optimizer_state import OptimizerState, kind_of
from kseq2seq.estimators.parameters import parameters_from_json, parameters_to_json
from kseq2seq.ragged import RaggedIds
from kseq2seq.codec import SequenceCodec
from kseq2seq.tokenizers import UNICODE_NORMALIZATIONS, check_tokenizer
from kseq2seq.training import (
    AveragedWeights,
    CosineDecay,
    StopAtLoss,
    StreamError,
    TrainingState,
    fit_batches,
    least_loss,
    make_optimizer,
)

DEFAULT_UPDATES = 4000
"""How many updates a fit makes by default, within the two bounds that follow."""
MIN_EPOCHS, MAX_EPOCHS = 10, 100

_WEIGHTS = "weights/"
"""What the names of weights begin with in a model file."""
_SEEDS = "optimizer/seeds/"
_NOT_SAVED = ("callbacks", "loss", "metrics")
_NOT_PICKLED = ("callbacks_", "_last_optimizer")
_ONE_PASS = {
    "warm_start": True,
    "epochs": 1,
    "validation_fraction": 0.0,
    "patience": None,
    "_keeps_optimizer": True,
}
"""What makes of a fit one pass that goes on from the last one."""


class SequenceEstimator(BaseEstimator):
    """The part of an estimator that does not depend on what it answers.

    A subclass has the parameters that are checked here, names its builder and its
    models, and says how to describe and to build them again.
    """

    _builder: Callable[..., Any]
    """Whose parameters shape the models."""
    _renamed: Mapping[str, str] = {}
    """The builder's parameters that have another name here, under their own."""
    _model_names: Sequence[str]
    """The attributes that hold models; a pickle has their weights instead."""
    _last_optimizer: tuple[keras.optimizers.Optimizer, list[Any]] | None = None
    """That of the last fit, and the variables that it moves."""
    _loaded_optimizer = OptimizerState()
    """What a model file had of one."""
    _keeps_optimizer = False
    """Whether a fit goes on with it."""

    history_: dict[str, list[float]]
    callbacks_: list[keras.callbacks.Callback]

    @property
    def _network(self) -> keras.Model:
        """The model that holds all weights."""
        raise NotImplementedError

    def _description(self) -> dict[str, Any]:
        """Return, as JSON values, what fit has learned beside the weights."""
        raise NotImplementedError

    def _read_description(self, description: Mapping[str, Any]) -> None:
        """Take on what :meth:`_description` returned."""
        raise NotImplementedError

    def _vocabulary_sizes(self) -> dict[str, int]:
        """Return how many ids there are, of each side that has embeddings."""
        raise NotImplementedError

    def _rebuild(self) -> None:
        """Build the models again that the settings and the description describe."""
        raise NotImplementedError

    def __sklearn_tags__(self) -> Tags:
        """Tell scikit-learn that X are texts, or other sequences, and not features."""
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        tags.target_tags.required = True
        return tags

    @property
    def _is_fitted(self) -> bool:
        return hasattr(self, self._model_names[0])

    @property
    def _goes_on(self) -> bool:
        """Whether a fit that begins now starts from what the last one has learned."""
        return bool(self.warm_start) and self._is_fitted

    @contextmanager
    def _all_or_nothing(self) -> Iterator[None]:
        """Keep what was fitted when a fit fails.

        Only a stream that ends after an epoch or more leaves the new model behind.
        """
        before = self.__dict__.copy()
        weights = self._network.get_weights() if self._goes_on else None
        try:
            yield
        except BaseException as error:
            if isinstance(error, StreamError) and error.history.get("loss"):
                self.history_ = error.history
            else:
                self.__dict__ = before
                self._last_optimizer = None  # it may have moved
                self._loaded_optimizer = OptimizerState()
                if weights is not None:
                    self._network.set_weights(weights)
            raise

    @contextmanager
    def _one_pass(self) -> Iterator[None]:
        """Make a fit one pass over the data, with the optimizer of the last one."""
        if self.warmup_steps:
            raise ValueError(
                "warmup_steps is for fit; partial_fit does not know how many updates "
                "will come. set_params(warmup_steps=0)."
            )
        check_flag("warm_start", self.warm_start)
        own = {name: getattr(self, name) for name in _ONE_PASS}
        self.__dict__.update(_ONE_PASS)
        try:
            yield
        finally:
            self.__dict__.update(own)

    def _optimizer_for(
        self, model: keras.Model, num_updates: int
    ) -> keras.optimizers.Optimizer:
        """Return a new optimizer; in `partial_fit` the last one, if it still fits."""
        optimizer = self._make_optimizer(num_updates)
        variables = model.trainable_variables
        last, its_variables = self._last_optimizer or (None, [])
        if (
            self._keeps_optimizer
            and last is not None
            and kind_of(last) == kind_of(optimizer)
            and set(map(id, variables)) == set(map(id, its_variables))
        ):
            if isinstance(self.optimizer, str):
                last.learning_rate = self.learning_rate
            optimizer = last
        elif self._keeps_optimizer and last is None:
            self._loaded_optimizer.give_to(optimizer, variables)
        self._last_optimizer = optimizer, variables
        return optimizer

    def _check_training_parameters(self) -> None:
        """Raise for a parameter out of range; builders check those that they take."""
        check_tokenizer("source_tokenizer", self.source_tokenizer)
        check_choice("unknown", self.unknown, ("unk", "error"))
        for name in ("lowercase", "warm_start"):
            check_flag(name, getattr(self, name))
        check_choice(
            "unicode_normalization", self.unicode_normalization, UNICODE_NORMALIZATIONS
        )
        check_batch_size(self.batch_size)
        check_rate("label_smoothing", self.label_smoothing)
        check_rate("validation_fraction", self.validation_fraction)
        for name in ("epochs", "patience"):
            if getattr(self, name) is not None:
                check_whole(name, getattr(self, name))
        if self.tol is not None:
            check_real("tol", self.tol)
        if self.verbose not in (0, 1, 2, "auto"):
            raise ValueError(
                f"verbose must be 0, 1, 2 or 'auto'; got {self.verbose!r}."
            )
        self._make_optimizer()
        check_callbacks(self.callbacks)
        check_loss_and_metrics(self.loss, self.metrics)

    def _check_tol(self, num_classes: int) -> None:
        """Raise when label smoothing keeps the loss above the tolerance."""
        if self.loss is not None:
            return
        least = least_loss(self.label_smoothing, num_classes)
        if self.tol is not None and self.label_smoothing and self.tol <= least:
            raise ValueError(
                f"tol={self.tol:g} can never be reached: with label_smoothing="
                f"{self.label_smoothing:g} the loss stays above {least:.4f}. Pass "
                "label_smoothing=0, or a larger tol."
            )

    def _make_optimizer(
        self, num_updates: int | None = None
    ) -> keras.optimizers.Optimizer:
        return make_optimizer(
            self.optimizer,
            learning_rate=self.learning_rate,
            clip_norm=self.clip_norm,
            warmup_steps=self.warmup_steps,
            num_updates=num_updates,
            ema_momentum=self.ema_momentum,
            gradient_accumulation_steps=self.gradient_accumulation_steps,
        )

    def _check_same_models(self) -> None:
        """Raise where parameters ask for other models than those that are fitted."""
        for name, value in self._model_settings().items():
            fitted = self._settings.get(name)
            if not name.endswith("initializer") and not np.array_equal(value, fitted):
                name = self._renamed.get(name, name)
                raise ValueError(
                    f"this fit goes on with the fitted model, and {name} was "
                    f"{fitted!r:.60} and is {value!r:.60}. Set it back, or pass "
                    "warm_start=False to fit a new model."
                )

    def _known_codec(
        self, side: str, name: str, checkpoint: Checkpoint | None
    ) -> SequenceCodec | None:
        """Return the codec that a fit goes on with, None where it learns one."""
        if self._goes_on:
            codec: SequenceCodec = getattr(self, f"_{side}")
            return codec
        return None if checkpoint is None else checkpoint.codec(side, name)

    def _learn_source(
        self, X: Any, codec: SequenceCodec | None = None
    ) -> tuple[SequenceCodec, RaggedIds]:
        """Return a codec for the sources, or the given one, and their ids."""
        if codec is not None:
            return codec, codec.encode(X, unknown="unk")
        return SequenceCodec.learn(
            "X",
            X,
            tokenizer=self.source_tokenizer,
            unknown=self.unknown,
            min_frequency=self.min_frequency,
            max_size=self.max_size,
            vocabulary=self.source_vocabulary,
            reverse=getattr(self, "reverse_source", False),
            **self._preparation(),
        )

    def _preparation(self) -> dict[str, Any]:
        names = ("lowercase", "unicode_normalization")
        return {name: getattr(self, name) for name in names}

    def _split(
        self, num_examples: int, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows to train on and the rows to hold back."""
        rows = rng.permutation(num_examples)
        num_held_back = int(self.validation_fraction * num_examples)
        return np.sort(rows[num_held_back:]), np.sort(rows[:num_held_back])

    def _model_settings(self) -> dict[str, Any]:
        """Return the parameters that shape the models, under the builder's names."""
        parameters = self.get_params(deep=False)
        settings = {}
        for name in inspect.signature(self._builder).parameters:
            own = self._renamed.get(name, name)
            if own in parameters and name != "random_state":
                settings[name] = parameters[own]
        return settings

    def _num_epochs(self, updates_per_epoch: int) -> int:
        if self.epochs is not None:
            return int(self.epochs)
        return min(max(DEFAULT_UPDATES // updates_per_epoch, MIN_EPOCHS), MAX_EPOCHS)

    def _train(
        self,
        model: keras.Model,
        batches: BucketedBatches | StreamBatches,
        validation_batches: BucketedBatches | None,
        *,
        epochs: int,
        loss: keras.losses.Loss,
        metric: keras.metrics.Metric,
        callbacks: Sequence[keras.callbacks.Callback] = (),
        checkpoint: Checkpoint | None = None,
    ) -> None:
        """Fit a model that shares this estimator's weights."""
        num_batches = len(batches) * epochs
        if num_batches < self.gradient_accumulation_steps:
            raise ValueError(
                f"gradient_accumulation_steps={self.gradient_accumulation_steps} is "
                f"more than the {num_batches} batches of this fit, which would update "
                "nothing. Pass fewer, smaller batches or more epochs."
            )
        metrics = [metric, *copy.deepcopy(list(self.metrics or ()))]
        check_on_example(self.loss, metrics, model.output_shape)
        optimizer = self._optimizer_for(
            model, num_updates=num_batches // self.gradient_accumulation_steps
        )
        own = list(callbacks)
        if isinstance(self.optimizer, str) and not self.warmup_steps:
            own.append(CosineDecay(epochs))
        stopping = [] if self.tol is None else [StopAtLoss(self.tol)]
        if validation_batches is not None and self.patience is not None:
            stopping.append(self._early_stopping())
        self.history_ = fit_batches(
            model,
            batches,
            optimizer=optimizer,
            loss=self.loss or loss,
            metrics=metrics,
            epochs=epochs,
            validation_batches=validation_batches,
            callbacks=[
                *([] if self.ema_momentum is None else [AveragedWeights()]),
                *own,
                *self.callbacks_,
                *stopping,
            ],
            verbose=self.verbose,
            save_state=None if checkpoint is None else partial(self._save, checkpoint),
            state=None if checkpoint is None else checkpoint.state,
        )

    def _early_stopping(self) -> keras.callbacks.EarlyStopping:
        return keras.callbacks.EarlyStopping(
            "val_loss", patience=self.patience, restore_best_weights=True
        )

    def _open_checkpoint(
        self, path: str | Path | None, rng: np.random.Generator
    ) -> Checkpoint | None:
        """Return the checkpoint at the path, if one is asked for, of this fit."""
        if path is None:
            return None
        checkpoint = Checkpoint(path, rng)
        checkpoint.check_parameters(
            *parameters_to_json(self._own_parameters()), free=self._not_of_training()
        )
        checkpoint.check_objective(self.loss, self.metrics or ())
        return checkpoint

    def _not_of_training(self) -> Sequence[str]:
        """Return the parameters that training does not depend on."""
        return ("verbose",)

    def _take_up(
        self,
        checkpoint: Checkpoint | None,
        sides: Iterable[RaggedIds],
        *others: np.ndarray,
    ) -> None:
        """Take on the weights of a checkpoint that was written on the same data."""
        if checkpoint is None:
            return
        checkpoint.check_data(sides, *others)
        if checkpoint.artifact is not None:
            self._set_weights(checkpoint.artifact.arrays)

    def _save(self, checkpoint: Checkpoint, state: TrainingState) -> None:
        """Write the model as it is, and where its training stands."""
        self.history_ = state.description["history"]
        checkpoint.save(self.to_artifact(), state)

    def _own_parameters(self) -> dict[str, Any]:
        """Return the parameters that a model file keeps."""
        return {
            name: value
            for name, value in self.get_params(deep=False).items()
            if name not in _NOT_SAVED
        }

    def _check_fitted(self) -> None:
        if not self._is_fitted:
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

        The file holds parameters, vocabularies, weights and history; it holds no code,
        and neither callbacks nor a loss or metrics of yours.

        Parameters
        ----------
        path : str or path
            By custom ``.kseq2seq``.
        overwrite : bool, default False
            Whether a file that exists is replaced.
        include_optimizer : bool, default False
            Whether the file has the optimizer's state too, some two times the weights,
            and where dropout's random numbers stand: then `partial_fit` goes on, after
            loading, as if there had been no file.

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
        """
        self._check_fitted()
        check_flag("include_optimizer", include_optimizer)
        artifact = self.to_artifact()
        if include_optimizer:
            state = self._optimizer_state()
            artifact = persistence.Artifact(
                {**artifact.description, "optimizer": state.kind},
                {**artifact.arrays, **state.arrays, **self._seeds()},
            )
        return persistence.write_artifact(path, artifact, overwrite=overwrite)

    def _seeds(self) -> dict[str, np.ndarray]:
        """Return where dropout's seeds stand, as the optimizer's state has them."""
        return {
            f"{_SEEDS}{i}": keras.ops.convert_to_numpy(variable)
            for i, variable in enumerate(_seed_variables(self._network))
        }

    def _set_seeds(self, arrays: Mapping[str, np.ndarray]) -> None:
        for i, variable in enumerate(_seed_variables(self._network)):
            seeds = arrays.get(f"{_SEEDS}{i}")
            if seeds is None:
                continue
            if seeds.shape != tuple(variable.shape) or seeds.dtype.kind not in "iu":
                raise ValueError(f"{_SEEDS}{i} holds no seeds.")
            variable.assign(seeds)

    def _optimizer_state(self) -> OptimizerState:
        """Return the state of the optimizer that a pass would go on with."""
        if self._last_optimizer is None:
            return self._loaded_optimizer
        return OptimizerState.of(self._last_optimizer[0])

    def export(
        self,
        path: str | Path,
        format: str = "savedmodel",
        *,
        max_source_length: int | None = None,
        overwrite: bool = False,
    ) -> Path:
        """Write the model, ids in and answers out, for a runtime without kseq2seq.

        The model has the search that the parameters ask for, greedy or with a beam.
        Its input ``source_ids`` int32 ``(batch, source_len)`` is each source's ids,
        closed by END and padded with PAD; a beam or greedy search gives ``ids``
        ``(batch, max_length)`` up to END, ``scores`` and, with attention,
        ``attention_weights``; a classifier gives ``probabilities``. What ids mean, and
        how texts are split, is in ``vocabularies.json`` beside the model.

        Parameters
        ----------
        path : str or path
            A folder to make: with ``saved_model`` (for TensorFlow), ``model.onnx`` or
            ``model.tflite``.
        format : {"savedmodel", "onnx", "litert"}, default "savedmodel"
            ONNX needs the ``export`` extra.
        max_source_length : int, optional
            For LiteRT, which takes one source at a time, of one length: how many ids it
            is padded to, END included.
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
        model, description = self._exported()
        return export_model(
            model,
            description,
            path,
            format=format,
            max_source_length=max_source_length,
            overwrite=overwrite,
        )

    def _exported(self) -> tuple[keras.Model, dict[str, Any]]:
        """Return the model to export, and what its ids mean."""
        raise NotImplementedError

    def to_artifact(self) -> persistence.Artifact:
        """Return what a model file holds of this fitted estimator."""
        parameters = self._own_parameters()
        # Of the fit, whatever set_params did since.
        parameters |= {
            self._renamed.get(name, name): value
            for name, value in self._settings.items()
        }
        described, arrays = parameters_to_json(parameters)
        description = {
            "estimator": type(self).__name__,
            "parameters": described,
            **self._description(),
            "num_weights": self._network.count_params(),
            "history": self.history_,
        }
        return persistence.Artifact(description, {**arrays, **self._weights()})

    def _weights(self) -> dict[str, np.ndarray]:
        return {
            f"{_WEIGHTS}{variable.path}": keras.ops.convert_to_numpy(variable)
            for variable in self._network.weights
        }

    def _set_weights(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Give the models these weights; raise unless names and shapes are theirs."""
        own = self._weights()
        given = {name for name in arrays if name.startswith(_WEIGHTS)}
        if given != set(own):
            differing = sorted(given ^ set(own))
            raise ValueError(f"the weights do not fit the parameters: {differing[:3]}.")
        for variable in self._network.weights:
            array = arrays[f"{_WEIGHTS}{variable.path}"]
            if array.shape != tuple(variable.shape) or array.dtype.kind not in "biuf":
                raise ValueError(
                    f"{variable.path} must be numbers {tuple(variable.shape)}; got "
                    f"{array.dtype} {array.shape}."
                )
            variable.assign(array)

    @classmethod
    def from_artifact(cls, artifact: persistence.Artifact) -> Self:
        """Return the fitted estimator that a model file holds."""
        description = artifact.description
        estimator = cls(
            **parameters_from_json(description["parameters"], artifact.arrays)
        )
        estimator._settings = estimator._model_settings()
        estimator._read_description(description)
        check_sizes(
            estimator._settings,
            estimator._vocabulary_sizes(),
            {n: a for n, a in artifact.arrays.items() if n.startswith(_WEIGHTS)},
        )
        estimator.history_ = description["history"]
        estimator._loaded_optimizer = OptimizerState.read(artifact)
        estimator._rebuild()
        estimator._set_weights(artifact.arrays)
        estimator._set_seeds(artifact.arrays)
        estimator.callbacks_ = []
        return estimator

    def __getstate__(self) -> dict[str, Any]:
        """Return the state with weights in place of models, for pickle and copies."""
        state = dict(super().__getstate__())
        if self._model_names[0] in state:
            state["_pickled_weights"] = self._network.get_weights()
            for name in (*self._model_names, *_NOT_PICKLED):
                del state[name]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        weights = state.pop("_pickled_weights", None)
        super().__setstate__(state)
        if weights is not None:
            self._rebuild()
            self._network.set_weights(weights)
            self.callbacks_ = []


def _seed_variables(network: keras.Model) -> list[Any]:
    """Return the variables that are no weights: the states of random generators."""
    weights = {id(weight) for weight in network.weights}
    return [v for v in network.non_trainable_variables if id(v) not in weights]


def updates_per_epoch(num_examples: int, batch_size: int) -> int:
    """Return how many batches hold all examples."""
    return math.ceil(num_examples / batch_size)
