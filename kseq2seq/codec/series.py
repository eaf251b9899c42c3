"""What a forecaster has learned of its series beside the weights of its models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np

from kseq2seq.codec.scaling import Scale


@dataclass(frozen=True)
class SeriesCodec:
    """How series are given, and how windows of them become what models read.

    Attributes
    ----------
    kind : {"array", "list", "table"}
    num_targets : int
    covariate_names : list of str
        Those that are known ahead first.
    num_known : int
    num_static : int
    history, horizon : int
    seasons : list of int
    base_season : int or None
    has_gaps, allows_nan : bool
    frequency : str, int or None
        Of a table.
    scaling : {"window", "feature"} or None
    targets, covariates, static : Scale
    """

    kind: str
    num_targets: int
    covariate_names: list[str]
    num_known: int
    num_static: int
    history: int
    horizon: int
    seasons: list[int]
    base_season: int | None
    has_gaps: bool
    allows_nan: bool
    frequency: str | int | None
    scaling: str | None
    targets: Scale
    covariates: Scale
    static: Scale

    @property
    def num_read(self) -> int:
        """How many values the encoder reads of a frame."""
        beside = len(self.covariate_names) + self.num_static
        return self.num_targets * (1 + len(self.seasons)) + beside

    @property
    def num_ahead(self) -> int | None:
        """How many values the decoder knows ahead of a frame, None of none."""
        lags = self.num_targets * len(self.seasons)
        return lags + self.num_known + self.num_static or None

    @property
    def reach(self) -> int:
        """How many frames before its first answer a window may look at."""
        return self.history + max(self.seasons, default=0)

    def to_json(self) -> dict[str, Any]:
        """Return this as JSON values."""
        described = {field.name: getattr(self, field.name) for field in fields(self)}
        for name in ("targets", "covariates", "static"):
            scale = described[name]
            described[name] = {
                "mean": scale.mean.tolist(),
                "deviation": scale.deviation.tolist(),
            }
        return described

    @classmethod
    def from_json(cls, described: Mapping[str, Any]) -> Self:
        """Return what :meth:`to_json` described."""
        values = dict(described)
        for name in ("targets", "covariates", "static"):
            scale = values[name]
            values[name] = Scale(
                np.array(scale["mean"], dtype=np.float64),
                np.array(scale["deviation"], dtype=np.float64),
            )
        return cls(**values)
