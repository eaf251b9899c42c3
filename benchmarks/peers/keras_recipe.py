"""The classic Keras example of sequence-to-sequence learning, as people copy it.

Characters are one-hot vectors, the layers are Keras's own, `fit` is left as it comes,
and answers are made a source and a step at a time with ``predict`` of two models.
"""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np

_START, _END, _SPACE = "\t", "\n", " "


class KerasRecipe:
    """The example's arrays and models.

    Parameters
    ----------
    sources, targets : sequence of str
    units : int
        The example's ``latent_dim``.
    """

    def __init__(
        self, sources: Sequence[str], targets: Sequence[str], *, units: int
    ) -> None:
        targets = [f"{_START}{target}{_END}" for target in targets]
        self.source_index = _index(sources)
        self.target_index = _index(targets)
        self.target_characters = {i: c for c, i in self.target_index.items()}
        self.source_width = max(map(len, sources))
        self.target_width = max(map(len, targets))
        self.encoder_inputs = one_hot(sources, self.source_index, self.source_width)
        decoder_values = one_hot(targets, self.target_index, self.target_width)
        self.decoder_inputs = decoder_values
        self.decoder_targets = one_hot(
            [target[1:] for target in targets], self.target_index, self.target_width
        )
        self._build(units)

    def _build(self, units: int) -> None:
        """Build the training model, and the two that answer."""
        encoder_inputs = keras.Input((None, len(self.source_index)))
        encoder = keras.layers.LSTM(units, return_state=True)
        _, *states = encoder(encoder_inputs)
        decoder_inputs = keras.Input((None, len(self.target_index)))
        lstm = keras.layers.LSTM(units, return_sequences=True, return_state=True)
        dense = keras.layers.Dense(len(self.target_index), activation="softmax")
        outputs, *_ = lstm(decoder_inputs, initial_state=states)
        self.model = keras.Model([encoder_inputs, decoder_inputs], dense(outputs))
        self.encoder = keras.Model(encoder_inputs, states)
        given = [keras.Input((units,)), keras.Input((units,))]
        outputs, *states = lstm(decoder_inputs, initial_state=given)
        self.decoder = keras.Model([decoder_inputs, *given], [dense(outputs), *states])

    def fit(
        self, *, epochs: int, callbacks: Sequence[keras.callbacks.Callback] = ()
    ) -> None:
        """Compile and train."""
        self.model.compile(
            optimizer="adam", loss="categorical_crossentropy", metrics=["accuracy"]
        )
        self.model.fit(
            [self.encoder_inputs, self.decoder_inputs],
            self.decoder_targets,
            batch_size=64,
            epochs=epochs,
            callbacks=list(callbacks),
        )

    def answer(self, source: str) -> str:
        """Return the answer to one source, a call of ``predict`` for each character."""
        values = one_hot([source], self.source_index, self.source_width)
        states = self.encoder.predict(values, verbose=0)
        last, answer = self.target_index[_START], ""
        while len(answer) < self.target_width:
            values = np.zeros((1, 1, len(self.target_index)), dtype="float32")
            values[0, 0, last] = 1.0
            outputs, *states = self.decoder.predict([values, *states], verbose=0)
            last = int(outputs[0, -1].argmax())
            if self.target_characters[last] == _END:
                break
            answer += self.target_characters[last]
        return answer


def _index(texts: Sequence[str]) -> dict[str, int]:
    """Return the position of each character; a space is one, as it fills texts up."""
    characters = sorted({_SPACE, *"".join(texts)})
    return {character: i for i, character in enumerate(characters)}


def one_hot(texts: Sequence[str], index: dict[str, int], width: int) -> np.ndarray:
    """Return ``(n, width, characters)`` float32; spaces fill the texts up."""
    values = np.zeros((len(texts), width, len(index)), dtype="float32")
    for row, text in zip(values, texts, strict=True):
        for vector, character in zip(row, text.ljust(width), strict=True):
            vector[index[character]] = 1.0
    return values
