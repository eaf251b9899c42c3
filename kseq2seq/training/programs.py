"""Programs of trainings, kept for later trainings of the same kind.

A program is a model of its own, compiled, with traced functions that train it and
measure it. A training lends it the values of its own model and optimizer at the start
of each epoch, and gets them back at the end: what is traced, and compiled, once serves
every model of the same config.
"""

from __future__ import annotations

import copy
import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any
from weakref import WeakKeyDictionary

import keras

from kseq2seq import _tensorflow
from kseq2seq.batching import Runs
from kseq2seq.training.objectives import example_of
from kseq2seq.training.optimizers import build_once

MOST_PROGRAMS = 8
"""So many are kept, those that were used last."""
MOST_FUNCTIONS = 8
"""A program has no more functions: one for each batch size, to train and to measure."""
MOST_COMPILED = 32
"""The same where they are compiled: each fold of a search has shapes of its own then,
and dropping a function frees little."""
MOST_WEIGHTS = 5_000_000
"""A larger model has a program of its own, which is not kept: a second set of its
weights would fill the memory, and its training is long beside its tracing."""
_KNOWN = ("keras", "kseq2seq")
_VALUES = ("seed", "learning_rate")
"""What a program does not depend on: both are variables."""


class Program:
    """A compiled model, and the functions that train and measure it.

    Parameters
    ----------
    model : keras.Model
        Compiled, its metrics and its optimizer with their variables.
    """

    def __init__(self, model: keras.Model) -> None:
        self.model = model
        self._functions: dict[str, Callable[..., dict[str, Any]]] = {}
        self._copy = _tensorflow.copy_function()

    def function(self, kind: str, runs: Runs) -> Callable[..., dict[str, Any]]:
        """Return the traced function that does "train" or "test" with such runs."""
        specs = _tensorflow.specs_of_run(runs[0])
        key = f"{kind} {specs} {runs.shapes}"
        if key not in self._functions:
            most = MOST_COMPILED if self.model.jit_compile else MOST_FUNCTIONS
            if len(self._functions) >= most:
                self._functions.clear()
            self._functions[key] = _tensorflow.run_function(
                self.model,
                getattr(self.model, f"{kind}_step"),
                specs,
                runs.shapes,
                jit_compile=self.model.jit_compile and _tensorflow.may_compile(),
            )
        return self._functions[key]

    def take_over(self, model: keras.Model) -> None:
        """Take the values of another model, and of its optimizer."""
        if model is not self.model:
            self._copy(_changing(model), _changing(self.model))

    def give_back(self, model: keras.Model) -> None:
        """Give the values to another model and its optimizer."""
        if model is not self.model:
            self._copy(_changing(self.model), _changing(model))

    def give_back_metrics(self, model: keras.Model) -> None:
        """Give another model what is measured so far."""
        if model is not self.model:
            own, given = model.metrics_variables, self.model.metrics_variables
            for variable, value in zip(own, given, strict=True):
                variable.assign(value)


class Loan(keras.callbacks.Callback):
    """Trains a model by a program that may be another model's.

    It must be the first callback, so that others find in the model what was learned.

    Parameters
    ----------
    program : Program
    model : keras.Model
        The one that is fitted.
    always : bool
        Whether callbacks may look at the model after each call, and change it.
    """

    takes_runs = True

    def __init__(self, program: Program, model: keras.Model, *, always: bool) -> None:
        super().__init__()
        self._program, self._borrower, self._always = program, model, always
        self._is_behind = False
        self._unfinished: dict[str, Any] = {}

    def function(self, kind: str, runs: Runs) -> Callable[[Iterator[Any]], Any]:
        """Return what Keras calls with the numbers of runs, to "train" or "test"."""
        traced = self._program.function(kind, runs)

        def call(numbers: Iterator[Any]) -> dict[str, Any]:
            number = int(next(numbers))
            if number == 0:
                runs.on_epoch_begin()
                self._program.model.reset_metrics()
            if number == 0 or self._always:
                self._program.take_over(self._borrower)
            measured = traced(*runs[number])
            is_last = number == len(runs) - 1
            if is_last:
                self._program.give_back_metrics(self._borrower)
            if kind == "train":
                self._is_behind, self._unfinished = True, {} if is_last else measured
            if self._always:
                self._give_back()
            return measured

        return call

    def _give_back(self) -> None:
        if self._is_behind:
            self._program.give_back(self._borrower)
            self._is_behind = False

    def on_test_begin(self, logs: dict[str, float] | None = None) -> None:
        self._give_back()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Give back the weights, and what an epoch has measured that was broken off."""
        self._give_back()
        if logs is not None:
            logs.update(
                {name: float(value) for name, value in self._unfinished.items()}
            )


class _Pool:
    """Programs that no training uses now, those that were used last."""

    def __init__(self) -> None:
        self._programs: OrderedDict[int, tuple[str, Program]] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, key: str) -> Program | None:
        """Take out a program of this key, if there is one."""
        with self._lock:
            for number, (its_key, program) in reversed(self._programs.items()):
                if its_key == key:
                    del self._programs[number]
                    return program
        return None

    def put(self, key: str, program: Program) -> None:
        """Keep a program, and drop the oldest where there are too many."""
        with self._lock:
            self._programs[id(program)] = key, program
            if len(self._programs) > MOST_PROGRAMS:
                self._programs.popitem(last=False)


_POOL = _Pool()
_DESCRIBED: WeakKeyDictionary[keras.Model, Any] = WeakKeyDictionary()


@dataclass(frozen=True)
class Compilation:
    """What a model is compiled with."""

    optimizer: keras.optimizers.Optimizer
    loss: keras.losses.Loss
    metrics: Sequence[keras.metrics.Metric]
    jit_compile: bool | str
    steps_per_execution: int

    def apply(self, model: keras.Model) -> None:
        """Compile a model."""
        model.compile(
            self.optimizer,
            loss=self.loss,
            weighted_metrics=list(self.metrics),
            jit_compile=self.jit_compile,
            steps_per_execution=self.steps_per_execution,
        )

    def copy(self) -> Compilation:
        """Return the same with an optimizer, a loss and metrics of its own."""
        optimizer = type(self.optimizer).from_config(self.optimizer.get_config())
        loss, metrics = copy.deepcopy((self.loss, list(self.metrics)))
        return replace(self, optimizer=optimizer, loss=loss, metrics=metrics)


@contextmanager
def program_of(model: keras.Model, compilation: Compilation) -> Iterator[Program]:
    """Lend a program for a model that is compiled so: its own, or one that is kept.

    After an error the program is not kept.
    """
    _build_variables(model)
    key = _key(model, compilation)
    if key is None:
        yield Program(model)
        return
    program = _POOL.take(key) or Program(_twin(model, compilation))
    yield program
    _POOL.put(key, program)


def _twin(model: keras.Model, compilation: Compilation) -> keras.Model:
    """Return another model of the same config, compiled as this one is."""
    twin = type(model).from_config(model.get_config())
    twin.dtype_policy = model.dtype_policy  # the global one may have changed since
    for is_trained, variable in zip(_trained(model), twin.variables, strict=True):
        variable.trainable = is_trained
    compilation.copy().apply(twin)
    _build_variables(twin)
    return twin


def _trained(model: keras.Model) -> list[bool]:
    """Return of each variable whether training moves it; layers may be frozen."""
    moved = set(map(id, model.trainable_variables))
    return [id(variable) in moved for variable in model.variables]


def _build_variables(model: keras.Model) -> None:
    """Make optimizer's and metrics' variables, as cannot be done inside a loop."""
    build_once(model.optimizer, model.trainable_variables)
    _tensorflow.leave_unreduced(model.optimizer)
    targets, outputs, weights = example_of(model)
    model.compute_loss(None, targets, outputs, weights, training=False)
    model.compute_metrics(None, targets, outputs, weights)
    model.reset_metrics()


def _changing(model: keras.Model) -> list[Any]:
    """Return what training changes: weights, seeds, and the optimizer's variables."""
    measured = {id(variable) for variable in model.metrics_variables}
    own = [v for v in model.variables if id(v) not in measured]
    return [*own, *model.optimizer.variables]


def _key(model: keras.Model, compilation: Compilation) -> str | None:
    """Return what is the same of models that one program can train.

    None where there is no such thing: of what is the user's own code, whose config may
    leave out what it does, of models that Keras cannot describe, and of large ones.
    """
    if model.count_params() > MOST_WEIGHTS:
        return None
    described = keras.saving.serialize_keras_object
    nameless = [compilation.loss, model.optimizer]  # Keras numbers theirs
    try:
        config = {
            "model": _described(model),
            "metrics": [described(metric) for metric in compilation.metrics],
            "nameless": _without({*_VALUES, "name"}, [*map(described, nameless)]),
        }
    except Exception:  # Keras has no words for it
        return None
    if not _is_known(config):
        return None
    config["optimizer"] = [k.__qualname__ for k in type(model.optimizer).__mro__]
    config["jit_compile"] = model.jit_compile
    config["variables"] = [
        (is_trained, str(v.dtype), tuple(v.shape), v.value.device)
        for is_trained, v in zip(_trained(model), model.variables, strict=True)
    ]
    return json.dumps(config, sort_keys=True)


def _described(model: keras.Model) -> Any:
    """Return what a model's config says of its programs; it never changes."""
    if model not in _DESCRIBED:
        config = keras.saving.serialize_keras_object(model)
        _DESCRIBED[model] = _without({*_VALUES, "compile_config", "trainable"}, config)
    return _DESCRIBED[model]


def _without(names: Collection[str], described: Any) -> Any:
    """Return a config without what has one of these names; a number alone, that is.

    What a schedule says of learning rates stays, and so do initializers.
    """
    if isinstance(described, dict):
        return {
            name: _without(names, value)
            for name, value in described.items()
            if name not in names or (name in _VALUES and isinstance(value, dict))
        }
    if isinstance(described, list):
        return [_without(names, each) for each in described]
    return described


def _is_known(described: Any) -> bool:
    """Whether all classes of a config are those of Keras or ours."""
    if isinstance(described, dict):
        module = described.get("module", _KNOWN[0])
        known = isinstance(module, str) and module.split(".")[0] in _KNOWN
        known = known and described.get("class_name") != "Lambda"
        return known and all(map(_is_known, described.values()))
    if isinstance(described, list):
        return all(map(_is_known, described))
    return True
