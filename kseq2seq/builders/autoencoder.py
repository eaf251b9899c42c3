"""Image sizes to an autoencoder that restores what is hidden.

A denoising autoencoder (Vincent, Larochelle, Bengio and Manzagol, "Extracting and
Composing Robust Features with Denoising Autoencoders", ICML 2008) reads an image of
which a part is zeroed and learns to give back the whole of it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from kseq2seq.arguments import check_size, check_whole, written
from kseq2seq.builders.components import Seeded
from kseq2seq.builders.settings import Initializer, check_initializer
from kseq2seq.layers import FixedShapeModel


@dataclass(frozen=True)
class AutoencoderModels:
    """Three Keras models that share their layers.

    Attributes
    ----------
    training : keras.Model
        ``images (batch, *input size)``, zero where they are hidden, to the restored
        images, of the same shape and with values from 0 to 1.
    encoder : keras.Model
        ``images`` to ``(batch, latent_units)``.
    decoder : keras.Model
        ``latent (batch, latent_units)`` to the restored images.

    Examples
    --------
    >>> from kseq2seq import build_masked_autoencoder
    >>> models = build_masked_autoencoder(64, latent_units=8, random_state=0)
    >>> models.encoder.output_shape, models.decoder.output_shape
    ((None, 8), (None, 64))
    """

    training: keras.Model
    encoder: keras.Model
    decoder: keras.Model


def build_masked_autoencoder(
    input_size: int | tuple[int, int],
    hidden_units: int | Sequence[int] = 128,
    latent_units: int = 32,
    num_hidden_layers: int = 2,
    *,
    kernel_initializer: Initializer = "glorot_uniform",
    random_state: int | np.random.Generator | None = None,
) -> AutoencoderModels:
    """Build an autoencoder that restores images of which a part is zeroed.

    Dense layers with ReLU narrow the image down to a linear latent layer; as many with
    leaky ReLU of slope 0.2 widen it again, up to a sigmoid for each pixel. Trained on
    masked images and the whole ones as targets, it is a denoising autoencoder (Vincent
    et al., 2008).

    Parameters
    ----------
    input_size : int or (int, int)
        How many pixels an image has, which then come as ``(batch, input_size)``; or its
        height and width, for images ``(batch, height, width)``.
    hidden_units : int or sequence of int, default 128
        The width of the hidden layers: of all, or of each of the encoder's from the
        image on. The decoder has the same in reverse order.
    latent_units : int, default 32
        The width of the latent layer.
    num_hidden_layers : int, default 2
        Hidden layers of the encoder, and of the decoder.
    kernel_initializer : str or keras.initializers.Initializer, default \
"glorot_uniform"
        Without a seed of its own, each layer's draws one from `random_state`.
    random_state : int, optional
        Seeds the weights. None takes new numbers from the system each time. Global
        seeds have no say.

    Returns
    -------
    AutoencoderModels
        Models that raise ``ValueError`` where images are not of `input_size`.

    Raises
    ------
    ValueError, TypeError
        When an argument is outside its range; the message names the range.

    Examples
    --------
    Images whose right half mirrors the left one:

    >>> import numpy as np
    >>> from kseq2seq import build_masked_autoencoder
    >>> from kseq2seq.datasets import mask_left_half
    >>> halves = np.random.default_rng(0).random((256, 2, 2))
    >>> mirrored = np.concatenate([halves, halves[:, :, ::-1]], axis=2)
    >>> masked, images = mask_left_half(mirrored)
    >>> models = build_masked_autoencoder((2, 4), 32, latent_units=4, random_state=0)
    >>> models.training.compile("adam", loss="mse")
    >>> history = models.training.fit(masked, images, epochs=2, verbose=0)
    >>> models.training.predict(masked[:3], verbose=0).shape
    (3, 2, 4)
    """
    shape = _image_shape(input_size)
    widths = _hidden_widths(hidden_units, num_hidden_layers)
    check_size("latent_units", latent_units)
    check_initializer("kernel_initializer", kernel_initializer)
    layers = _Layers(Seeded(random_state), kernel_initializer)
    encode = layers.encoder(shape, widths, latent_units)
    decode = layers.decoder(shape, widths[::-1])

    images = keras.Input(shape, name="images")
    latent = keras.Input((latent_units,), name="latent")
    encoded = _chain(encode, images)
    return AutoencoderModels(
        training=FixedShapeModel(images, _chain(decode, encoded), name="training"),
        encoder=FixedShapeModel(images, encoded, name="encoder"),
        decoder=FixedShapeModel(latent, _chain(decode, latent), name="decoder"),
    )


class _Layers:
    """Makes the layers of both halves, each in the order in which it is called."""

    def __init__(self, seeded: Seeded, kernel_initializer: Initializer) -> None:
        self.seeded = seeded
        self.kernel_initializer = kernel_initializer

    def dense(self, units: int, activation: str | None, name: str) -> Any:
        return keras.layers.Dense(
            units,
            activation=activation,
            kernel_initializer=self.seeded.initializer(self.kernel_initializer),
            name=name,
        )

    def encoder(
        self, shape: tuple[int, ...], widths: list[int], latent_units: int
    ) -> list[keras.layers.Layer]:
        """Return the layers from images to their latent vectors."""
        flatten = [] if len(shape) == 1 else [keras.layers.Flatten(name="pixels")]
        hidden = [
            self.dense(units, "relu", f"encoder_hidden_{i}")
            for i, units in enumerate(widths, 1)
        ]
        return [*flatten, *hidden, self.dense(latent_units, None, "latent")]

    def decoder(
        self, shape: tuple[int, ...], widths: list[int]
    ) -> list[keras.layers.Layer]:
        """Return the layers from latent vectors to images."""
        hidden = [  # the slope of Keras's leaky ReLU is 0.2
            self.dense(units, "leaky_relu", f"decoder_hidden_{i}")
            for i, units in enumerate(widths, 1)
        ]
        restored = self.dense(math.prod(shape), "sigmoid", "restored")
        if len(shape) == 1:
            return [*hidden, restored]
        return [*hidden, restored, keras.layers.Reshape(shape, name="restored_images")]


def _chain(layers: list[keras.layers.Layer], values: Any) -> Any:
    """Return what the layers make of the values, one after the other."""
    for layer in layers:
        values = layer(values)
    return values


def _image_shape(input_size: Any) -> tuple[int, ...]:
    """Return ``(pixels,)`` or ``(height, width)``."""
    if not isinstance(input_size, tuple | list):
        return (check_size("input_size", input_size),)
    if len(input_size) != 2:
        raise ValueError(
            "input_size must be a number of pixels, or height and width; got "
            f"{written(input_size)}. For images of another shape, pass how many values "
            "one has, and reshape them to (batch, input_size)."
        )
    return tuple(check_size("input_size", size) for size in input_size)


def _hidden_widths(hidden_units: Any, num_hidden_layers: Any) -> list[int]:
    """Return the width of each of the encoder's hidden layers."""
    count = check_whole("num_hidden_layers", num_hidden_layers, maximum=100)
    if not isinstance(hidden_units, Sequence) or isinstance(hidden_units, str):
        return [check_size("hidden_units", hidden_units)] * count
    if len(hidden_units) != count:
        raise ValueError(
            f"hidden_units must be one width, or as many as num_hidden_layers={count} "
            f"says; got {len(hidden_units)} in {written(hidden_units)}. Pass as many, "
            "or another num_hidden_layers."
        )
    return [check_size("hidden_units", units) for units in hidden_units]
