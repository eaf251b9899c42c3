"""What a forecaster has learned of its series beside the weights of its models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

from kseq2seq.arguments import LARGEST_SIZE, check_whole
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
    given_names : list of str
        The same in the order in which they were given.
    num_known : int
    num_static : int
    history, horizon : int
    seasons : list of int
    base_season : int or None
    num_base_seasons : int
        0 in files of before; see :class:`kseq2seq.batching.WindowShape`.
    has_gaps, allows_nan : bool
    frequency : str, int or None
        Of a table.
    scaling : {"window", "feature"} or None
    targets, covariates, static : Scale
    """

    kind: str
    num_targets: int
    covariate_names: list[str]
    given_names: list[str]
    num_known: int
    num_static: int
    history: int
    horizon: int
    seasons: list[int]
    base_season: int | None
    num_base_seasons: int
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
        usual = self.num_targets + self.num_known if self.num_base_seasons else 0
        return lags + self.num_known + self.num_static + usual or None

    @property
    def reach(self) -> int:
        """How many frames before its first answer a window may look at."""
        return self.history + max(self.seasons, default=0)

    @property
    def array_names(self) -> list[str]:
        """What is kept of the series in arrays."""
        names = ["values", "lengths"]
        names += ["covariates"] if self.covariate_names else []
        return [*names, "static"] if self.num_static else names

    def check(self) -> None:
        """Raise unless the parts fit each other, as those of a fit do."""
        for name in ("num_targets", "history", "horizon"):
            check_whole(name, getattr(self, name), maximum=LARGEST_SIZE)
        for length in self.seasons:
            check_whole("seasons", length, maximum=self.history)
        if self.base_season is not None and self.base_season not in self.seasons:
            raise ValueError("base_season is none of the seasons")
        most = self.history // (self.base_season or self.history + 1)
        if not 0 <= self.num_base_seasons <= most:
            raise ValueError("num_base_seasons are more than the history has")
        if sorted(self.covariate_names) != sorted(self.given_names):
            raise ValueError("given_names are not those of the covariates")
        if self.num_known > len(self.covariate_names):
            raise ValueError("num_known is more than there are covariates")
        widths = {
            "targets": self.num_targets,
            "covariates": len(self.covariate_names),
            "static": self.num_static,
        }
        for name, width in widths.items():
            getattr(self, name).check(name, width)

    def to_json(self) -> dict[str, Any]:
        """Return this as JSON values."""
        described = {field.name: getattr(self, field.name) for field in fields(self)}
        for name in ("targets", "covariates", "static"):
            described[name] = described[name].to_json()
        return described

    @classmethod
    def from_json(cls, described: Mapping[str, Any]) -> Self:
        """Return what :meth:`to_json` described."""
        values = {"num_base_seasons": 0, **described}
        for name in ("targets", "covariates", "static"):
            values[name] = Scale.from_json(values[name])
        return cls(**values)
