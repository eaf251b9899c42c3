"""A network's weights and seeds as arrays of a model file."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral
from typing import Any

import keras
import numpy as np

WEIGHTS = "weights/"
"""What the names of weights begin with in a model file."""
_SEEDS = "optimizer/seeds/"
_ROOM = 16
"""Both directions of an encoder have half its width, and room is left for others."""


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


def _seed_variables(network: keras.Model) -> list[Any]:
    """Return the variables that are no weights: the states of random generators."""
    weights = {id(weight) for weight in network.weights}
    return [v for v in network.non_trainable_variables if id(v) not in weights]


def check_sizes(
    settings: Mapping[str, Any],
    vocabulary_sizes: Mapping[str, int],
    weights: Mapping[str, np.ndarray],
) -> None:
    """Raise where settings ask for models far larger than these weights are.

    A bound that is cheap, so that no file makes a model that it has no weights for;
    names and shapes are compared when the model is there.

    Parameters
    ----------
    settings : mapping of str to object
        That shape the models.
    vocabulary_sizes : mapping of str to int
        Of the sides that have embeddings: ``"source"``, and ``"target"``.
    weights : mapping of str to numpy.ndarray
    """

    def size(name: str) -> int:
        value = settings.get(name)
        return int(value) if isinstance(value, Integral) else 1

    largest = max((array.size for array in weights.values()), default=0)
    products = {
        f"{name}={size(name):,}": size(name) ** 2 for name in ("units", "encoder_units")
    }
    if settings.get("attention_kind") is not None:
        name = "attention_units"
        products[f"{name}={size(name):,}"] = size(name) * size("units")
    learned = [
        num_ids
        for side, num_ids in vocabulary_sizes.items()
        if isinstance(settings.get(f"{side}_embedding"), str)
        and settings[f"{side}_embedding"] == "learned"
    ]
    if learned:
        dim = size("embedding_dim")
        products[f"embedding_dim={dim:,}"] = dim * max(*learned, size("units"))
    for setting, product in products.items():
        if product > _ROOM * largest:
            raise ValueError(
                f"{setting} needs more weights than the file has: its largest array "
                f"has {largest:,} numbers"
            )
    if size("num_layers") > len(weights):
        raise ValueError(
            f"num_layers={size('num_layers'):,} is more than the {len(weights)} arrays "
            "of the file"
        )
