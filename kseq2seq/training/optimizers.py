"""Optimizers by name, how their learning rate falls, and averages of the weights."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import Any

import keras

from kseq2seq.arguments import check_choice, check_real, check_whole, written

_WRAPPERS = ("optimizer", "lossscaleoptimizer", "multioptimizer")
OPTIMIZERS = {
    name.lower(): value
    for name, value in vars(keras.optimizers).items()
    if isinstance(value, type)
    and issubclass(value, keras.optimizers.Optimizer)
    and name.lower() not in _WRAPPERS
}
"""Keras's optimizers by their names in lower case."""


class RisingMomentum:
    """Of an optimizer that averages weights: the average forgets the first ones.

    After t updates the momentum is ``min(ema_momentum, (1 + t) / (10 + t))``, so that
    the average is over about the last tenth of a short training.
    """

    iterations: Any
    _largest: float

    @property
    def ema_momentum(self) -> Any:
        """The momentum of the next update, a scalar; set the largest."""
        updates = keras.ops.cast(self.iterations, "float32")
        return keras.ops.minimum(self._largest, (1 + updates) / (10 + updates))

    @ema_momentum.setter
    def ema_momentum(self, largest: float) -> None:
        self._largest = largest

    def get_config(self) -> dict[str, Any]:
        """Return the config, with the largest momentum."""
        config: dict[str, Any] = super().get_config()  # type: ignore[misc]
        return {**config, "ema_momentum": self._largest}


@cache
def _averaging(optimizer: Any) -> Any:
    """Return a class of optimizers with a rising momentum; files name Keras's own."""
    if issubclass(optimizer, RisingMomentum):  # that of an earlier fit
        return optimizer
    names = {"__module__": optimizer.__module__, "__doc__": optimizer.__doc__}
    return type(optimizer.__name__, (RisingMomentum, optimizer), names)


def make_optimizer(
    optimizer: str | keras.optimizers.Optimizer,
    *,
    learning_rate: float,
    clip_norm: float | None = None,
    warmup_steps: int = 0,
    num_updates: int | None = None,
    ema_momentum: float | None = None,
    gradient_accumulation_steps: int = 1,
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
    warmup_steps : int, default 0
        For an optimizer given by name: the updates over which the rate rises from 0
        along a line. It falls along half a cosine after them, to 0 at `num_updates`; at
        0 the rate stays, or falls by :class:`CosineDecay`.
    num_updates : int, optional
        How many updates training has; needed for a warm-up, which must be shorter.
    ema_momentum : float, optional
        Above 0 and below 1: beside each weight the optimizer keeps the exponential
        moving average ``momentum * average + (1 - momentum) * weight``, for
        :class:`AveragedWeights`. In the first updates the momentum is lower (see
        :class:`RisingMomentum`). None for no averages.
    gradient_accumulation_steps : int, default 1
        The batches whose gradients are averaged for one update.

    Raises
    ------
    ValueError, TypeError
        When the name is unknown or a number is out of range.
    """
    check_optimizer("optimizer", optimizer)
    learning_rate = check_real("learning_rate", learning_rate, exclusive=True)
    if clip_norm is not None:
        clip_norm = check_real("clip_norm", clip_norm, exclusive=True)
    added = _added(ema_momentum, gradient_accumulation_steps)
    rate = warmed_up(learning_rate, warmup_steps, num_updates)
    by_name = isinstance(optimizer, str)
    kind: Any = OPTIMIZERS[optimizer.lower()] if by_name else type(optimizer)
    if ema_momentum is not None:
        kind = _averaging(kind)
    if isinstance(optimizer, str):
        # Keras would number each, and TensorFlow keeps 35 KiB for every new name that
        # a variable has, as long as the process lives.
        name = optimizer.lower()
        return kind(learning_rate=rate, global_clipnorm=clip_norm, name=name, **added)
    if warmup_steps:
        raise ValueError(
            "warmup_steps is for an optimizer given by name; give yours a "
            "keras.optimizers.schedules.CosineDecay with warmup_steps as its "
            "learning_rate."
        )
    config = optimizer.get_config()
    clips = ("clipnorm", "clipvalue", "global_clipnorm")
    wraps = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
    if wraps and added:
        raise ValueError(
            "a LossScaleOptimizer keeps no averages and accumulates nothing: pass "
            f"{' and '.join(added)} to the optimizer inside it."
        )
    if not wraps and all(config.get(name) is None for name in clips):
        config["global_clipnorm"] = clip_norm
    try:
        return kind.from_config({**config, **added})
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"optimizer cannot be copied, as each fit needs: {error}"
        ) from error


def build_once(optimizer: keras.optimizers.Optimizer, variables: Sequence[Any]) -> None:
    """Make an optimizer's variables, unless they are there.

    Keras's optimizers do nothing when they are built again, but for the
    ``LossScaleOptimizer``, which a model of ``mixed_float16`` wraps around its own: it
    makes more variables each time.
    """
    if not optimizer.built:
        optimizer.build(list(variables))


def _added(momentum: float | None, accumulation: int) -> dict[str, Any]:
    """Return the arguments of a Keras optimizer that averages and accumulates."""
    added: dict[str, Any] = {}
    if momentum is not None:
        check_real("ema_momentum", momentum, maximum=1.0, exclusive=True)
        added |= {"use_ema": True, "ema_momentum": float(momentum)}
    if check_whole("gradient_accumulation_steps", accumulation) > 1:
        added["gradient_accumulation_steps"] = int(accumulation)
    return added


def warmed_up(rate: float, warmup_steps: int, num_updates: int | None) -> Any:
    """Return the learning rate: a number, or one that rises first."""
    if not check_whole("warmup_steps", warmup_steps, minimum=0) or num_updates is None:
        return rate
    if warmup_steps >= num_updates:
        raise ValueError(
            f"warmup_steps={warmup_steps} must be fewer than the {num_updates} updates "
            "of this fit. Pass fewer, or more epochs."
        )
    return keras.optimizers.schedules.CosineDecay(
        0.0,
        decay_steps=num_updates - warmup_steps,
        warmup_target=rate,
        warmup_steps=warmup_steps,
    )


def check_optimizer(name: str, optimizer: Any) -> Any:
    """Return a Keras optimizer, or the name of one, or raise."""
    if isinstance(optimizer, str):
        check_choice(name, optimizer.lower(), OPTIMIZERS)
    elif not isinstance(optimizer, keras.optimizers.Optimizer):
        raise TypeError(
            f"{name} must be the name of a Keras optimizer or a "
            f"keras.optimizers.Optimizer; got {written(optimizer)}."
        )
    return optimizer


class CosineDecay(keras.callbacks.Callback):
    """Let the learning rate fall along half a cosine, an epoch at a time.

    Each epoch multiplies the rate that it finds, so that what other callbacks do to the
    rate stays done (Loshchilov and Hutter, 2017, arXiv:1608.03983, without restarts).
    A training that is resumed with more epochs gets, from its next epoch on, the rates
    that it would have had with all of them from the start: the rate rises once.

    Parameters
    ----------
    epochs : int
        The epochs until the rate would reach 0.

    Attributes
    ----------
    share : float or None
        The share of the full rate that the optimizer has; None for that of the epoch
        before the first that is seen.
    """

    def __init__(self, epochs: int) -> None:
        super().__init__()
        self.epochs = epochs
        self.share: float | None = None

    def _share(self, epoch: int) -> float:
        return 0.5 + 0.5 * math.cos(math.pi * epoch / self.epochs)

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        if epoch >= self.epochs:
            return
        if epoch:
            before = self._share(epoch - 1) if self.share is None else self.share
            optimizer = self.model.optimizer
            rate = float(keras.ops.convert_to_numpy(optimizer.learning_rate))
            optimizer.learning_rate = rate * (self._share(epoch) / before)
        self.share = self._share(epoch)


class AveragedWeights(keras.callbacks.Callback):
    """Put the moving averages in place of the weights at the end of each epoch.

    Validation and all callbacks that come later see the averages that an optimizer
    keeps with ``use_ema`` (Polyak and Juditsky, 1992), and training ends with them;
    the next epoch starts from the weights. Unlike ``keras.callbacks.SwapEMAWeights``,
    it does so as well where training is stopped early.
    """

    def __init__(self) -> None:
        super().__init__()
        self.weights: list[Any] | None = None

    def on_test_begin(self, logs: dict[str, float] | None = None) -> None:
        """Put the averages in place."""
        variables = self.model.trainable_variables
        if self.weights is None:
            self.weights = [keras.ops.convert_to_numpy(v) for v in variables]
            self.model.optimizer.finalize_variable_values(variables)
            self._own_arrays()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Put the averages in place, if no validation has."""
        self.on_test_begin()

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Take the weights back."""
        if self.weights is not None:
            for variable, weight in zip(
                self.model.trainable_variables, self.weights, strict=True
            ):
                variable.assign(weight)
            self.weights = None

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        """Leave the averages in place, as Keras has put them there."""
        self._own_arrays()

    def _own_arrays(self) -> None:
        """Copy the averages: JAX would give up the optimizer's with the model's."""
        for variable in self.model.trainable_variables:
            variable.assign(keras.ops.copy(variable))
