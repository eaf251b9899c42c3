"""Forecasts of real series: the defaults, five models together, and others beside.

Run ``python -m benchmarks.forecasting DATA [PROBLEM ...]``, DATA the folder with
``m4_hourly`` and ``ett``; the daily counts are made. Beside the forecaster stand the
seasonal naive forecast and ridge regression on lags and, with ``--peer PYTHON``, on M4
the LSTM of neuralforecast: PYTHON is that of an environment with neuralforecast in it.

Settings are chosen on the dev part of a problem, which is measured unless ``--test`` is
given: of M4 the last 48 hours of the training series, of ETTh1 the four
months before the last four, of the counts the series of other seeds. Forecasts are kept
in --fits as soon as they are made, and taken from there by the next run of the same
setting: delete the folder to train anew. A problem's rows take the place of its old
ones in DIR/results.json; DIR/results.md is made from that file.
"""

from __future__ import annotations

import hashlib
import json
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.commands import make_parser, parse
from benchmarks.exercises import results
from benchmarks.exercises.__main__ import keep_models, show_progress
from benchmarks.peers.neuralforecast_lstm import forecasts_of_peer
from benchmarks.peers.ridge_on_lags import RidgeOnLags
from kseq2seq import SequenceForecaster
from kseq2seq.datasets import load_series, make_daily_counts
from kseq2seq.metrics import coverage, mase, msis, smape

EXERCISE = "forecasting"
DEFAULTS, TOGETHER = "defaults", "five together"
NAIVE, RIDGE, PEER = "seasonal naive", "ridge on lags", "neuralforecast LSTM"
SEEDS = 3
MADE_SEEDS = 10
"""Of a problem whose series are made, each seed makes its own."""
LEVEL = 0.95


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Series to learn from, and windows behind which the truth is known.

    Attributes
    ----------
    series : list of numpy.ndarray
        Whole, ``(len,)`` each.
    known : list of int
        How many values of each are learned from.
    origins : list of tuple of int
        The series of each window, and the place of its first value to forecast.
    horizon : int
    season : int
        Of the seasonal naive forecast, and of what errors are divided by.
    lags : int
        How many values the linear regression reads.
    covariates : list of numpy.ndarray, optional
        ``(len, covariates)``, as long as the series.
    past_covariates : tuple of int
        Those that are not known ahead.
    setting : dict
        What the data ask of the forecaster.
    """

    series: list[np.ndarray]
    known: list[int]
    origins: list[tuple[int, int]]
    horizon: int
    season: int
    lags: int
    covariates: list[np.ndarray] | None = None
    past_covariates: tuple[int, ...] = ()
    setting: dict[str, Any] = field(default_factory=dict)

    @property
    def truth(self) -> np.ndarray:
        """What came to be, ``(windows, horizon)``."""
        return np.array([self.series[i][o : o + self.horizon] for i, o in self.origins])

    @property
    def learned(self) -> list[np.ndarray]:
        """What is learned from."""
        return [one[:end] for one, end in zip(self.series, self.known, strict=True)]


class Forecasts(NamedTuple):
    """What a contender forecast: ``(windows, horizon)``, and what that took."""

    values: np.ndarray
    lower: np.ndarray | None
    upper: np.ndarray | None
    took: dict[str, Any]


def m4_hourly(data: Path, seed: int, *, is_test: bool) -> Problem:
    """Return the hourly series of the M4 competition."""
    folder = data / "m4_hourly"
    series = [*load_series(folder / "Hourly-train.csv.gz").values()]
    known = [len(one) if is_test else len(one) - 48 for one in series]
    if is_test:
        ahead = load_series(folder / "Hourly-test.csv.gz").values()
        series = [np.concatenate(pair) for pair in zip(series, ahead, strict=True)]
    return Problem(
        series=series,
        known=known,
        origins=[*enumerate(known)],
        horizon=48,
        season=24,
        lags=168,
    )


def etth1(data: Path, seed: int, *, is_test: bool, horizon: int) -> Problem:
    """Return the seven channels of ETTh1, standardized, each a series."""
    path = data / "ett" / "ETTh1.csv.gz"
    table = np.loadtxt(path, delimiter=",", skiprows=1, usecols=range(1, 8))
    month = 30 * 24
    learned, ends = 12 * month, (20 if is_test else 16) * month
    scaled = (table - table[:learned].mean(0)) / table[:learned].std(0)
    channels = [*scaled[:ends].T]
    windows = range(ends - 4 * month, ends - horizon + 1)
    return Problem(
        series=channels,
        known=[learned] * len(channels),
        origins=[(i, o) for i in range(len(channels)) for o in windows],
        horizon=horizon,
        season=24,
        lags=96,  # as the forecaster reads: 72, and a season before them
        setting={"season_lengths": [24], "history": 72},
    )


def daily_counts(data: Path, seed: int, *, is_test: bool) -> Problem:
    """Return counts of days, whose holidays are known ahead."""
    counts, covariates = make_daily_counts(1200, random_state=seed + 200 * is_test)
    horizon, windows = 14, 10
    first = len(counts) - horizon * windows
    return Problem(
        series=[counts],
        known=[first],
        origins=[(0, first + horizon * i) for i in range(windows)],
        horizon=horizon,
        season=7,
        lags=28,
        covariates=[covariates],
        past_covariates=(2,),
    )


def _etth1_of(horizon: int) -> Callable[..., Problem]:
    def read(data: Path, seed: int, *, is_test: bool) -> Problem:
        return etth1(data, seed, is_test=is_test, horizon=horizon)

    return read


PROBLEMS: dict[str, Callable[..., Problem]] = {
    "m4_hourly": m4_hourly,
    "etth1_24": _etth1_of(24),
    "etth1_96": _etth1_of(96),
    "daily_counts": daily_counts,
}
"""The problems by the names under which they are run and reported."""

_ONE_MODEL = ("etth1_24", "etth1_96")
"""Problems that are measured with one model alone."""

PUBLISHED: dict[str, dict[str, float]] = {
    "m4_hourly": {
        "the winner's OWA": 0.440,
        "the best OWA": 0.410,
        "the winner's MSIS": 7.928,
        "the best MSIS": 6.139,
    },
    # Zhou et al. (2021), Table 2; Zeng et al. (2023), Table 2, and Liu et al. (2024),
    # Table 10, where all read 96 values.
    "etth1_24": {"Informer, MSE": 0.577, "Informer, MAE": 0.549},
    "etth1_96": {
        "DLinear of 336 values, MSE": 0.375,
        "DLinear of 336 values, MAE": 0.399,
        "DLinear of 96 values, MSE": 0.386,
        "DLinear of 96 values, MAE": 0.400,
    },
    "daily_counts": {},
}
_M4_NAIVE = {"smape": 18.383, "mase": 2.395}
"""What the competition divides errors by, those of its second naive forecast."""


def forecast_naively(problem: Problem) -> Forecasts:
    """Return the values of the last season before each window, again and again."""
    back = problem.season - np.arange(problem.horizon) % problem.season
    values = np.array([problem.series[i][o - back] for i, o in problem.origins])
    return Forecasts(values, None, None, {"seconds": 0.0, "parameters": 0})


def forecast_by_ridge(problem: Problem) -> Forecasts:
    """Return what a linear regression on the values of some weeks answers."""
    start = time.perf_counter()
    ahead = None
    if problem.covariates is not None:
        ahead = [
            np.delete(one, problem.past_covariates, axis=1)
            for one in problem.covariates
        ]
    ridge = RidgeOnLags(problem.lags, problem.horizon).fit(problem.learned, ahead)
    seconds = time.perf_counter() - start
    values = ridge.predict(problem.series, problem.origins, ahead)
    took = {"seconds": round(seconds, 1), "parameters": ridge.num_parameters}
    return Forecasts(values, None, None, took)


def forecast(problem: Problem, setting: Mapping[str, Any], seed: int) -> Forecasts:
    """Return what a forecaster answers, with the bounds of its interval."""
    forecaster = SequenceForecaster(
        **{
            "horizon": problem.horizon,
            "past_covariates": problem.past_covariates,
            **problem.setting,
            **setting,
        },
        random_state=seed,
    )
    beside = problem.covariates
    start = time.perf_counter()
    forecaster.fit(problem.learned, beside)
    took = {
        "seconds": round(time.perf_counter() - start, 1),
        "parameters": sum(m.training.count_params() for m in forecaster.models_),
    }
    reach = forecaster.history_length_ + max(forecaster.season_lengths_, default=0)
    starts = [max(o - reach, 0) for _, o in problem.origins]
    windows = [*zip(problem.origins, starts, strict=True)]
    read = [problem.series[i][start:o] for (i, o), start in windows]
    given = None
    if beside is not None:
        given = [beside[i][start : o + problem.horizon] for (i, o), start in windows]
    lower, upper = forecaster.predict_interval(read, given, level=LEVEL)
    values = forecaster.predict(read, given)
    return Forecasts(np.array(values), np.array(lower), np.array(upper), took)


def measures(name: str, problem: Problem, found: Forecasts) -> dict[str, float]:
    """Return how good forecasts are: errors in the units of the series."""
    truth, values = problem.truth, found.values
    told = {
        "mse": float(np.mean((truth - values) ** 2)),
        "mae": float(np.mean(np.abs(truth - values))),
    }
    if name.startswith("etth1"):
        return told | _of_coverage(truth, found)
    learned, places = problem.learned, [i for i, _ in problem.origins]
    told = {
        "smape": smape(truth, values),
        "mase": _mean(
            mase(y, f, learned[i], problem.season)
            for i, y, f in zip(places, truth, values, strict=True)
        ),
    }
    if name == "m4_hourly":
        shares = (told[one] / naive for one, naive in _M4_NAIVE.items())
        told = {"owa": statistics.fmean(shares), **told}
    if found.lower is not None and found.upper is not None:
        bounds = zip(places, truth, found.lower, found.upper, strict=True)
        told["msis"] = _mean(
            msis(y, low, high, learned[i], level=LEVEL, season=problem.season)
            for i, y, low, high in bounds
        )
    return told | _of_coverage(truth, found)


def _of_coverage(truth: np.ndarray, found: Forecasts) -> dict[str, float]:
    if found.lower is None or found.upper is None:
        return {}
    return {"coverage": coverage(truth, found.lower, found.upper)}


def _over_seeds(values: list[float]) -> dict[str, float | None]:
    """Return the mean, and the standard deviation where there are several."""
    spread = statistics.stdev(values) if len(values) > 1 else None
    return {"mean": statistics.fmean(values), "spread": spread}


def _mean(values: Any) -> float:
    return float(np.mean([*values]))


@dataclass(frozen=True)
class Runs:
    """Forecasts of problems, each made once and kept.

    Attributes
    ----------
    data, folder : pathlib.Path
        Where data are, and where forecasts are kept.
    is_test : bool
        Whether the test part is forecast, and not the dev part.
    peer : pathlib.Path, optional
        The Python that has the peer.
    """

    data: Path
    folder: Path
    is_test: bool
    peer: Path | None = None

    def row(
        self, name: str, who: str, setting: dict[str, Any], seeds: int
    ) -> results.RowDict:
        """Return a contender's row: the means over seeds."""
        took: list[dict[str, Any]] = []
        found: list[dict[str, float]] = []
        for seed in range(seeds):
            problem = PROBLEMS[name](self.data, seed, is_test=self.is_test)
            made = self._made(name, who, setting, seed, problem)
            took.append(made.took)
            found.append(measures(name, problem, made))
        figures = {
            measure: _over_seeds([m[measure] for m in found]) for measure in found[0]
        }
        return {
            "exercise": EXERCISE,
            "model": f"{name}: {who}",
            "setting": setting,
            "part": self.part,
            "seeds": seeds,
            "forecasts": figures,
            "published": PUBLISHED[name] if who == DEFAULTS else {},
            "parameters": took[-1]["parameters"],
            "seconds": round(_mean(one["seconds"] for one in took), 1),
            "machine": took[-1]["machine"],
            "time": results.now(),
        }

    @property
    def part(self) -> str:
        """What is forecast."""
        return "test" if self.is_test else "dev"

    def _made(
        self,
        name: str,
        who: str,
        setting: dict[str, Any],
        seed: int,
        problem: Problem,
    ) -> Forecasts:
        """Return forecasts that are kept, or make and keep them."""
        told = json.dumps([problem.setting, setting], sort_keys=True)
        digest = hashlib.sha256(told.encode()).hexdigest()[:8]
        words = [name, self.part, *who.split(), digest, str(seed)]
        path = self.folder / "_".join(words)
        report = path.with_suffix(".json")
        if not report.exists():
            made = self._make(who, setting, seed, problem)
            arrays = made._asdict()
            took = arrays.pop("took") | {"machine": results.machine()}
            there = {key: one for key, one in arrays.items() if one is not None}
            np.savez_compressed(path.with_suffix(".npz"), **there)
            results.write_text(report, json.dumps(took))
            show_progress(f"{name}, {who}, seed {seed}: {took['seconds']} s")
        with np.load(path.with_suffix(".npz")) as kept:
            values = (kept.get(key) for key in ("values", "lower", "upper"))
            return Forecasts(*values, json.loads(report.read_text(encoding="utf-8")))

    def _make(
        self, who: str, setting: dict[str, Any], seed: int, problem: Problem
    ) -> Forecasts:
        if who == NAIVE:
            return forecast_naively(problem)
        if who == RIDGE:
            return forecast_by_ridge(problem)
        if who == PEER:
            values, took = forecasts_of_peer(
                self.peer, problem.learned, problem.horizon, setting
            )
            return Forecasts(values, None, None, took)
        return forecast(problem, setting, seed)


_PEER_SETTING = {
    "input_size": 168,
    "encoder_hidden_size": 100,
    "max_steps": 3_000,
    "windows_batch_size": 128,
    "batch_size": 128,
}
"""As many units, updates and windows as the forecaster's; the rest is its default."""


def rows(name: str, runs: Runs) -> list[results.RowDict]:
    """Return the rows of a problem, one for each contender."""
    seeds = MADE_SEEDS if name == "daily_counts" else 1  # others have one set of series
    found = [
        runs.row(name, NAIVE, {}, seeds),
        runs.row(name, RIDGE, {}, seeds),
        runs.row(name, DEFAULTS, {}, max(seeds, SEEDS)),
    ]
    if runs.peer is not None and name == "m4_hourly":  # beside ours in time, too
        found.append(runs.row(name, PEER, _PEER_SETTING, 1))
    if name not in _ONE_MODEL:
        found.append(runs.row(name, TOGETHER, {"n_estimators": 5}, seeds))
    return found


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    parser = make_parser("forecasting", __doc__, "PROBLEM", PROBLEMS)
    parser.add_argument(
        "--test", action="store_true", help="measure on the test parts instead"
    )
    parser.add_argument(
        "--peer", metavar="PYTHON", type=Path, help="a Python with neuralforecast"
    )
    arguments = parse(parser, argv, PROBLEMS, _read)
    runs = Runs(arguments.data, arguments.fits, arguments.test, arguments.peer)
    for name in arguments.names:
        keep_models(arguments.output, rows(name, runs))
    print(arguments.output / results.TABLE_NAME)


def _read(data: Path, name: str) -> None:
    PROBLEMS[name](data, 0, is_test=True)


if __name__ == "__main__":
    main()
