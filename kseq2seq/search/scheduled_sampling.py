"""Decoder inputs for training: gold, or the decoder's own outputs."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kseq2seq.layers import random_uniform
from kseq2seq.search.stepping import Stepper, register, step_of


@register
class ScheduledSampling(Stepper):
    """Replace gold decoder inputs by the decoder's own outputs, at random.

    In training, each step after the first is fed the gold token with the probability
    `teacher_forcing`, and else what the decoder itself puts out at the step before
    (Bengio et al., 2015, arXiv:1506.03099): its best token, or its values. The decoder
    runs without dropout to find them, and no gradient flows through what it is fed. At
    inference the gold inputs pass unchanged.

    Called with gold inputs ``(batch, target_len)`` or ``(batch, target_len, features)``
    and the memory, and with ``decoder_features (batch, target_len, features)`` where
    the decoder reads them; gives what is fed, of the gold inputs' shape.

    Parameters
    ----------
    decoder : keras.Model
    num_states : int
    teacher_forcing : float, default 1
        Where the probability starts; it is a weight, which a callback may set.
    seed : int, optional
    """

    def __init__(
        self,
        decoder: keras.Model,
        num_states: int,
        teacher_forcing: float = 1.0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(decoder, num_states, **kwargs)
        self.teacher_forcing = teacher_forcing
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.probability = self.add_weight(
            shape=(),
            initializer=keras.initializers.Constant(teacher_forcing),
            dtype="float32",
            trainable=False,
            name="teacher_forcing",
        )

    def call(
        self,
        gold: Any,
        memory: list[Any],
        decoder_features: Any = None,
        training: bool = False,
    ) -> Any:
        if not training:
            return gold
        target_len = ops.shape(gold)[1]
        chance = random_uniform((ops.shape(gold)[0], target_len), self.seed_generator)
        is_gold = chance < ops.convert_to_tensor(self.probability)
        steps = ops.arange(target_len, dtype="int32")
        is_gold = is_gold | ops.equal(steps, 0)  # START is always fed
        if len(gold.shape) > 2:
            is_gold = ops.expand_dims(is_gold, -1)
        states, constants = self._split([ops.stop_gradient(m) for m in memory])

        def feed(step: Any, carried: tuple[Any, ...]) -> tuple[Any, ...]:
            fed, own, *states = carried
            # Choose here alone: what was fed before this step stays.
            here = ops.equal(steps, step)
            here = ops.reshape(here, (-1, *[1] * (len(gold.shape) - 2)))
            fed = ops.where(here & ~is_gold, own, fed)
            current = [*step_of(fed, step), *step_of(decoder_features, step)]
            outputs, *states = self.decoder(
                [*current, *states, *constants], training=False
            )
            own = ops.cast(self._own(outputs), gold.dtype)
            return (fed, own, *states[: self.num_states])

        # Not a while loop: JAX has no reverse mode for one.
        fed, *_ = ops.fori_loop(0, target_len, feed, (gold, gold[:, :1], *states))
        return ops.stop_gradient(fed)

    def _own(self, outputs: Any) -> Any:
        """Return the decoder's own next input from its logits or values."""
        if keras.backend.standardize_dtype(self.decoder.inputs[0].dtype) == "int32":
            return ops.argmax(outputs, axis=-1)
        return outputs[..., 0] if len(outputs.shape) > 3 else outputs

    def compute_output_spec(
        self,
        gold: Any,
        memory: list[Any],
        decoder_features: Any = None,
        training: bool = False,
    ) -> keras.KerasTensor:
        return keras.KerasTensor(gold.shape, dtype=gold.dtype)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "teacher_forcing": self.teacher_forcing,
            "seed": self.seed,
        }
