"""Real values to the scale that models compute in, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
from sklearn.preprocessing import StandardScaler

from kseq2seq.arguments import FLAT
from kseq2seq.ragged import RaggedValues

SCALINGS = ("feature", "window", None)


class Scale(NamedTuple):
    """What is subtracted from values, and what the rest is divided by.

    Attributes
    ----------
    mean, deviation : numpy.ndarray
        Of each feature: ``(features,)``, or ``(n, 1, features)`` of n sequences.
    """

    mean: np.ndarray
    deviation: np.ndarray

    def apply(self, values: np.ndarray) -> np.ndarray:
        """Return scaled values, float32."""
        return ((values - self.mean) / self.deviation).astype(np.float32)

    def undo(self, scaled: np.ndarray) -> np.ndarray:
        """Return values from scaled ones, float64."""
        return scaled.astype(np.float64) * self.deviation + self.mean

    def check(self, name: str, width: int) -> None:
        """Raise unless this is the scale of so many features, as a fit learns it.

        Raises
        ------
        ValueError
            The message has the name.
        """
        for part in self:
            if part.shape != (width,) or not np.isfinite(part).all():
                raise ValueError(f"{name} is no scale of {width} features")
        if (self.deviation <= 0).any():
            raise ValueError(f"{name} holds no deviations")

    def to_json(self) -> dict[str, Any]:
        """Return this as JSON values."""
        return {name: part.tolist() for name, part in self._asdict().items()}

    @classmethod
    def from_json(cls, described: Mapping[str, Any]) -> Scale:
        """Return what :meth:`to_json` described."""
        return cls(*(np.array(described[name], float) for name in cls._fields))

    @classmethod
    def of_features(cls, frames: np.ndarray) -> Scale:
        """Return the scale of each feature of frames ``(n, features)``, NaN left out.

        A feature that does not vary is shifted alone; one that is never there stays.
        """
        scaler = StandardScaler().fit(frames)
        there = ~np.isnan(scaler.mean_)
        mean = np.where(there, scaler.mean_, 0.0)
        return cls(mean, np.where(there, scaler.scale_, 1.0))

    @classmethod
    def of_windows(cls, values: np.ndarray) -> Scale:
        """Return the scale of each sequence of ``(n, len, features)``, NaN left out.

        A sequence that does not vary is divided by the size of its mean, or, where that
        is 0, by 1; so is one that is missing as a whole.
        """
        known = ~np.isnan(values)
        counts = np.maximum(known.sum(axis=1, keepdims=True), 1)
        filled = np.where(known, values, 0.0)
        mean = filled.sum(axis=1, keepdims=True) / counts
        squares = np.where(known, values - mean, 0.0) ** 2
        deviation = np.sqrt(squares.sum(axis=1, keepdims=True) / counts)
        size = np.abs(mean)
        flat = np.where(size > 0, size, 1.0)
        return cls(mean, np.where(deviation > FLAT * size, deviation, flat))


@dataclass(frozen=True)
class Scaling:
    """How sources and targets are scaled.

    Attributes
    ----------
    kind : {"feature", "window"} or None
        By what training has seen of each feature; or, of the targets and of the
        source's first features, which are then taken for the targets' own past, by each
        source itself; or not at all.
    source, target : Scale
        What training has seen, ``(features,)``.
    """

    kind: str | None
    source: Scale
    target: Scale

    @classmethod
    def learn(cls, kind: str | None, X: RaggedValues, y: np.ndarray) -> Self:
        """Return the scaling of sources and targets ``(n, horizon, targets)``."""
        sides = (X.flat, y.reshape(-1, y.shape[2]))
        if kind is None:
            widths = [side.shape[1] for side in sides]
            return cls(kind, *(Scale(np.zeros(n), np.ones(n)) for n in widths))
        return cls(kind, *map(Scale.of_features, sides))

    def scaled_sources(self, X: RaggedValues) -> RaggedValues:
        """Return sources as models read them, float32."""
        scaled = self.source.apply(X.flat)
        if self.kind == "window":
            own = self.of_targets(X)
            num_targets = len(self.target.mean)
            each = Scale(*(np.repeat(part[:, 0], X.lengths, axis=0) for part in own))
            scaled[:, :num_targets] = each.apply(X.flat[:, :num_targets])
        return RaggedValues(scaled, X.lengths)

    def of_targets(self, X: RaggedValues) -> Scale:
        """Return the scale of the targets of sources: of all, or of each."""
        if self.kind != "window":
            return self.target
        parts = []
        num_targets = len(self.target.mean)
        for start in range(0, len(X), 1024):  # padded, they may take much memory
            rows = np.arange(start, min(start + 1024, len(X)))
            past = X.take(rows).padded(dtype=np.float64)[..., :num_targets]
            parts.append(Scale.of_windows(past))
        means, deviations = zip(*parts, strict=True)
        return Scale(np.concatenate(means), np.concatenate(deviations))

    def to_json(self) -> dict[str, Any]:
        """Return this as JSON values."""
        return {
            "kind": self.kind,
            "source": self.source.to_json(),
            "target": self.target.to_json(),
        }

    @classmethod
    def from_json(cls, described: Mapping[str, Any]) -> Self:
        """Return what :meth:`to_json` described."""
        sides = (described["source"], described["target"])
        return cls(described["kind"], *map(Scale.from_json, sides))
