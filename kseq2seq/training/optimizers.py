"""Optimizers by name, and the fall of their learning rate."""

from __future__ import annotations

import math
from typing import Any

import keras

from kseq2seq.arguments import check_choice, check_real

_WRAPPERS = ("optimizer", "lossscaleoptimizer", "multioptimizer")
OPTIMIZERS = {
    name.lower(): value
    for name, value in vars(keras.optimizers).items()
    if isinstance(value, type)
    and issubclass(value, keras.optimizers.Optimizer)
    and name.lower() not in _WRAPPERS
}
"""Keras's optimizers by their names in lower case."""


def make_optimizer(
    optimizer: str | keras.optimizers.Optimizer,
    *,
    learning_rate: float,
    clip_norm: float | None,
) -> keras.optimizers.Optimizer:
    """Return a new optimizer that clips the norm of all gradients together.

    Parameters
    ----------
    optimizer : str or keras.optimizers.Optimizer
        The name of a Keras optimizer, or one to copy, unused, with its own learning
        rate and, if it clips, its own clipping.
    learning_rate : float
        For an optimizer given by name; above 0.
    clip_norm : float, optional
        The largest norm (Pascanu et al., 2013, arXiv:1211.5063); None to not clip.

    Raises
    ------
    ValueError, TypeError
        When the name is unknown or a number is out of range.
    """
    check_optimizer(optimizer)
    learning_rate = check_real("learning_rate", learning_rate, exclusive=True)
    if clip_norm is not None:
        clip_norm = check_real("clip_norm", clip_norm, exclusive=True)
    if isinstance(optimizer, str):
        return OPTIMIZERS[optimizer.lower()](
            learning_rate=learning_rate, global_clipnorm=clip_norm
        )
    config = optimizer.get_config()
    clips = ("clipnorm", "clipvalue", "global_clipnorm")
    wraps = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
    if not wraps and all(config.get(name) is None for name in clips):
        config["global_clipnorm"] = clip_norm
    try:
        return type(optimizer).from_config(config)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"optimizer cannot be copied, as each fit needs: {error}"
        ) from error


def check_optimizer(optimizer: Any) -> None:
    """Raise unless optimizer is a Keras optimizer or the name of one."""
    if isinstance(optimizer, str):
        check_choice("optimizer", optimizer.lower(), OPTIMIZERS)
    elif not isinstance(optimizer, keras.optimizers.Optimizer):
        raise TypeError(
            "optimizer must be the name of a Keras optimizer or a "
            f"keras.optimizers.Optimizer; got {optimizer!r}."
        )


class CosineDecay(keras.callbacks.Callback):
    """Let the learning rate fall along half a cosine, an epoch at a time.

    Each epoch multiplies the rate that it finds, so that what other callbacks do to the
    rate stays done (Loshchilov and Hutter, 2017, arXiv:1608.03983, without restarts).

    Parameters
    ----------
    epochs : int
        The epochs until the rate would reach 0.
    """

    def __init__(self, epochs: int) -> None:
        super().__init__()
        self.epochs = epochs

    def _share(self, epoch: int) -> float:
        return 0.5 + 0.5 * math.cos(math.pi * epoch / self.epochs)

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        if 0 < epoch < self.epochs:
            factor = self._share(epoch) / self._share(epoch - 1)
            optimizer = self.model.optimizer
            optimizer.learning_rate = float(optimizer.learning_rate) * factor
