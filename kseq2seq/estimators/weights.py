"""A network's weights and seeds as arrays of a model file."""

from __future__ import annotations

import math
import re
from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np

from kseq2seq.training.callbacks import not_finite

WEIGHTS = "weights/"
"""What the names of weights begin with in a model file."""
_SEEDS = "optimizer/seeds/"
_BESIDE_WEIGHTS = re.compile(
    r"optimizer/\d{1,6}|optimizer/seeds/\d{1,6}|training/(optimizer|model)/\d{1,6}"
)
"""The names of what optimizers and random generators remember."""
_SEED_SIZE = 16


def weights_of(network: keras.Model) -> dict[str, np.ndarray]:
    """Return a network's weights by their names in a model file."""
    return {
        f"{WEIGHTS}{variable.path}": keras.ops.convert_to_numpy(variable)
        for variable in network.weights
    }


def set_weights(network: keras.Model, arrays: Mapping[str, np.ndarray]) -> None:
    """Give a network these weights; raise unless names and shapes are its own."""
    own = {f"{WEIGHTS}{variable.path}": variable for variable in network.weights}
    given = {name for name in arrays if name.startswith(WEIGHTS)}
    if given != set(own):
        differing = sorted(given ^ set(own))
        raise ValueError(f"the weights do not fit the parameters: {differing[:3]}.")
    for name, variable in own.items():
        array = arrays[name]
        if array.shape != tuple(variable.shape) or array.dtype.kind not in "biuf":
            raise ValueError(
                f"{variable.path} must be numbers {tuple(variable.shape)}; got "
                f"{array.dtype} {array.shape}."
            )
        variable.assign(array)


def set_learned(
    network: keras.Model, learned: Sequence[np.ndarray], *, num_target_ids: int
) -> None:
    """Give a network what one of fewer ids has learned; new ids keep their weights.

    New tokens and features have the last ids, so what was learned stands first along
    each axis; but what a decoder with input feeding reads beside one-hot ids stands
    behind them all.

    Parameters
    ----------
    network : keras.Model
    learned : sequence of numpy.ndarray
        All weights of the smaller network, in the same order.
    num_target_ids : int
        How many ids its targets had.
    """
    for variable, values in zip(network.weights, learned, strict=True):
        grown = np.array(keras.ops.convert_to_numpy(variable))
        places = []
        for size, new_size in zip(values.shape, grown.shape, strict=True):
            reads_ids = variable.path.startswith("decoder_")
            first = min(num_target_ids, size) if reads_ids else size
            places.append(np.r_[:first, first + new_size - size : new_size])
        grown[np.ix_(*places)] = values
        variable.assign(grown)


def seeds_of(network: keras.Model) -> dict[str, np.ndarray]:
    """Return where dropout's random numbers stand, beside the optimizer's state."""
    return {
        f"{_SEEDS}{i}": keras.ops.convert_to_numpy(variable)
        for i, variable in enumerate(_seed_variables(network))
    }


def set_seeds(network: keras.Model, arrays: Mapping[str, np.ndarray]) -> None:
    """Let dropout's random numbers continue where a model file says they stood."""
    for i, variable in enumerate(_seed_variables(network)):
        seeds = arrays.get(f"{_SEEDS}{i}")
        if seeds is None:
            continue
        if seeds.shape != tuple(variable.shape) or seeds.dtype.kind not in "iu":
            raise ValueError(f"{_SEEDS}{i} holds no seeds.")
        variable.assign(seeds)


@contextmanager
def kept_seeds(network: keras.Model) -> Iterator[None]:
    """Let dropout's random numbers stand afterwards where they stand before."""
    seeds = seeds_of(network)
    yield
    set_seeds(network, seeds)


def _seed_variables(network: keras.Model) -> list[Any]:
    """Return the variables that are no weights: the states of random generators."""
    weights = {id(weight) for weight in network.weights}
    return [v for v in network.non_trainable_variables if id(v) not in weights]


def check_arrays(
    shapes: Mapping[str, tuple[int, ...]],
    given: Mapping[str, tuple[int, ...]],
    dtypes: Mapping[str, np.dtype[Any]],
    *,
    parameters: Container[str],
) -> None:
    """Raise unless a file has the arrays of a model, before any is read.

    Parameters
    ----------
    shapes : mapping of str to tuple of int
        Of the weights that the model will have, by their paths.
    given, dtypes : mapping of str to tuple of int, and to numpy.dtype
        What the file declares of all its arrays.
    parameters : container of str
        The arrays that are parameters, or that an estimator keeps.

    Raises
    ------
    ValueError
        When a weight is missing or unknown, or of another shape or type; when what an
        optimizer remembers is larger than weights are; when an array is none of these.
    """
    expected = {f"{WEIGHTS}{path}": shape for path, shape in shapes.items()}
    found = {name for name in given if name.startswith(WEIGHTS)}
    if found != set(expected):
        differing = sorted(found ^ set(expected))
        raise ValueError(f"the weights do not fit the parameters: {differing[:3]}")
    largest = max((math.prod(shape) for shape in expected.values()), default=0)
    for name, shape in given.items():
        if name in parameters:
            continue
        if name in expected:
            if shape != expected[name] or dtypes[name].kind != "f":
                raise ValueError(
                    f"{name} must be numbers {expected[name]}; got {dtypes[name]} "
                    f"{shape}"
                )
        elif _BESIDE_WEIGHTS.fullmatch(name):
            if math.prod(shape) > max(largest, _SEED_SIZE):
                raise ValueError(f"{name} is larger than the weights: {shape}")
        elif not name.startswith("training/callbacks/"):
            raise ValueError(f"{name} is no array of a model")
        if dtypes[name].kind not in "biuf":
            raise ValueError(f"{name} must be numbers; got {dtypes[name]}")


def check_finite(network: keras.Model) -> None:
    """Raise unless all weights are numbers.

    Raises
    ------
    FloatingPointError
        The message names the first that holds NaN or infinity.
    """
    for variable, count in not_finite(network):
        raise FloatingPointError(
            f"{variable.path} holds NaN or infinity in {count:,} of "
            f"{math.prod(variable.shape):,} places: training has diverged, or a "
            "callback set it. Fit again with a lower learning_rate."
        )


def frozen_in(models: Any) -> list[str]:
    """Return what is not ``trainable``, in order: models, layers and weights by path.

    Of layers only those with weights count.
    """
    return [path for path, one in _freezable(models) if not one.trainable]


def set_frozen(models: Any, frozen: Container[str]) -> None:
    """Freeze what is named, and nothing else."""
    for path, one in _freezable(models):
        one.trainable = path not in frozen


def _freezable(models: Any) -> Iterator[tuple[str, Any]]:
    """Yield models, layers and weights, each after those that it is in.

    A layer's ``trainable`` sets that of all inside it, which may be set again then.
    """
    listed = models if isinstance(models, list) else [models]
    whole = [
        model
        for one in listed
        for model in ([one] if isinstance(one, keras.Model) else vars(one).values())
    ]
    for model in whole:
        yield model.name, model
    layers = {
        # Keras has no public name for layers inside layers.
        id(layer): layer
        for model in whole
        for layer in model._flatten_layers()
        if layer.weights and layer not in whole
    }
    for layer in layers.values():
        yield layer.path, layer
    weights = {id(weight): weight for model in whole for weight in model.weights}
    for weight in weights.values():
        yield weight.path, weight
