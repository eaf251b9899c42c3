"""The command that forecasts time series."""

from __future__ import annotations

import csv
import json
import math
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from kseq2seq.cli.config import NONE
from kseq2seq.cli.data import check_file, check_not_read
from kseq2seq.cli.models import described, load_model
from kseq2seq.cli.options import Json, Overwrite
from kseq2seq.cli.train import INTERRUPTED

_MOST_WINDOWS = 10
_MOST_DRAWN = 4
_LEVEL = 0.95
_COLUMNS = ("unique_id", "ds", "y")
"""Of the table of forecasts; of covariates all others."""


def forecast(
    *,
    series: Annotated[
        Path,
        typer.Argument(
            help="A CSV file (.gz too): either the columns unique_id, ds and y, and "
            "covariates beside them; or a row for each series, its name and its values "
            "(a header is left out)."
        ),
    ],
    future: Annotated[
        Path | None,
        typer.Option(
            help="A CSV file of the covariates that are known ahead, for the times "
            "that are forecast: unique_id, ds and their columns."
        ),
    ] = None,
    past_covariates: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN,...",
            help="The covariates that are known of the past alone; all others are "
            "known ahead, and --future has them.",
        ),
    ] = None,
    season_lengths: Annotated[
        str,
        typer.Option(
            metavar="LENGTH,...",
            help="After how many frames the series repeat: 24,168, say, of hours; auto "
            "to find them in the series, none for none.",
        ),
    ] = "auto",
    quantiles: Annotated[
        str | None,
        typer.Option(
            metavar="LEVEL,...",
            help="The quantiles that are learned, such as 0.1,0.5,0.9, or none; by "
            "default those of the intervals from 50 to 95 %.",
        ),
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option(
            help="A forecaster that is there, to forecast with; nothing is trained."
        ),
    ] = None,
    windows: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="How many windows at the end of the series the backtest forecasts; 0 "
            "for no backtest. When left 10, or as many as a third of the series holds.",
        ),
    ] = None,
    output: Annotated[
        Path,
        typer.Option(help="The folder for the forecasts, the picture and the model."),
    ] = Path("kseq2seq-forecast"),
    overwrite: Overwrite = False,
    json_line: Json = False,
    parameters: Any = None,
    chosen: Any = (),
) -> None:
    """Learn from time series, say how good forecasts of their ends are, and forecast.

    Written are forecasts.csv, with the bounds lower and upper of a 95 % interval,
    forecast.png (of the first four series) and forecaster.kseq2seq. Of the measures
    mase is the mean absolute error over that of the seasonal naive forecast in the
    history, msis the width of the intervals and what they miss over the same, coverage
    the share of values inside. Every parameter of the forecaster is an option; none
    stands for Python's None.
    """
    from kseq2seq.declarations import checked
    from kseq2seq.persistence import check_can_write

    for file in (series, future, model):
        if file is not None:
            check_file(file)
    if output.exists() and not output.is_dir():
        raise ValueError(f"--output must be a folder; {output} is a file.")
    output.mkdir(parents=True, exist_ok=True)
    files = _Files(output)
    for path in files.written(trains=model is None):
        check_can_write(path, overwrite=overwrite)
        check_not_read(path, series, future, model)
    data = _Data.load(series, future)
    if model is not None:
        lists = {"past_covariates": past_covariates, "quantiles": quantiles}
        given = [name for name, value in lists.items() if value is not None]
        given += ["season_lengths"] * (season_lengths != "auto")
        given += ["windows"] * (windows is not None)
        forecaster = _loaded(model, [*chosen, *given])
        report: dict[str, Any] = {"model": str(model)}
    else:
        forecaster = _new(parameters, past_covariates, season_lengths, quantiles)
        checked(forecaster, "horizon")
        data.check_future(forecaster.past_covariates, forecaster.horizon)
        report = _learn(forecaster, data, windows)
        forecaster.save(files.model, overwrite=overwrite)
        report["model"] = str(files.model)
    report |= _write_forecasts(forecaster, data, files)
    typer.echo(f"wrote {', '.join(map(str, files.written(trains=model is None)))}")
    if json_line:
        typer.echo(json.dumps(report))
    if forecaster.interrupted_:
        raise typer.Exit(INTERRUPTED)


@dataclass(frozen=True)
class _Files:
    """What is written, in a folder."""

    folder: Path

    @property
    def model(self) -> Path:
        return self.folder / "forecaster.kseq2seq"

    @property
    def forecasts(self) -> Path:
        return self.folder / "forecasts.csv"

    @property
    def picture(self) -> Path:
        return self.folder / "forecast.png"

    def written(self, *, trains: bool) -> list[Path]:
        """Return the files that a run writes."""
        return [self.forecasts, self.picture, *([self.model] if trains else [])]


@dataclass(frozen=True)
class _Data:
    """Series of a file, and what is known ahead of them.

    Attributes
    ----------
    path : pathlib.Path
    series : list of numpy.ndarray or DataFrame
    names : list of str
        Of series that have a row each; of a table none.
    future : DataFrame, optional
    """

    path: Path
    series: Any
    names: list[str]
    future: Any

    @classmethod
    def load(cls, path: Path, future: Path | None) -> _Data:
        """Return what the files hold."""
        from kseq2seq.datasets import load_covariates, load_series

        found = load_series(path)
        if not isinstance(found, dict):
            ahead = None if future is None else load_covariates(future)
            return cls(path, found, [], ahead)
        if future is not None:
            raise ValueError(
                f"--future is for tables with the columns unique_id, ds and y; {path} "
                "has a row for each series. Leave it out."
            )
        return cls(path, [*found.values()], [*found], None)

    def check_future(self, past: Collection[str], horizon: int) -> None:
        """Raise where covariates are known ahead, and no file has them."""
        if self.names:
            return
        known = [c for c in self.series.columns if c not in (*_COLUMNS, *past)]
        if self.future is not None:
            self._check_ahead(known, horizon)
        elif known:
            raise ValueError(
                f"{self.path} has the covariates {', '.join(known)}: pass --future "
                "FILE, which has them for the times that are forecast, or "
                f"--past-covariates {','.join(known)} where they are known of the past "
                "alone."
            )

    def _check_ahead(self, known: list[str], horizon: int) -> None:
        """Raise unless the file of the future has what is needed of it."""
        from kseq2seq.estimators.series_table import read_future, read_table

        lacking = [column for column in known if column not in self.future.columns]
        if lacking or not known:
            raise ValueError(
                f"--future must have the covariates of {self.path} that are known "
                f"ahead, {', '.join(known) or 'of which there are none'}; it has "
                f"{', '.join(self.future.columns)}. --past-covariates names those that "
                "are known of the past alone."
            )
        read_future(
            self.future, read_table(self.series, allows_nan=True), known, horizon
        )

    @property
    def length(self) -> int:
        """How many frames the shortest series has."""
        if self.names:
            return min(map(len, self.series))
        return int(self.series.groupby("unique_id").size().min())


def _loaded(model: Path, chosen: Sequence[str]) -> Any:
    """Return the forecaster of a file."""
    if chosen:
        raise ValueError(
            f"--model forecasts as it has learned to, and takes no --"
            f"{chosen[0].replace('_', '-')}. Leave it out, or --model to train anew."
        )
    kind = described(model)["estimator"]
    if kind != "SequenceForecaster":
        raise ValueError(f"{model} holds a {kind}, which forecasts no time series.")
    forecaster = load_model(model)
    typer.echo(f"{model}: {forecaster.horizon} frames ahead")
    return forecaster


def _new(
    parameters: dict[str, Any],
    past_covariates: str | None,
    season_lengths: str,
    quantiles: str | None,
) -> Any:
    """Return a forecaster of the parameters of the command line."""
    from kseq2seq.cli.progress import LossLines
    from kseq2seq.estimators import SequenceForecaster

    lists: dict[str, Any] = {"past_covariates": _listed(past_covariates or "")}
    if season_lengths != "auto":
        lists["season_lengths"] = _numbers("season-lengths", season_lengths, int)
    if quantiles is not None:
        lists["quantiles"] = _numbers("quantiles", quantiles, float) or None
    return SequenceForecaster(**parameters, **lists, callbacks=[LossLines()])


def _listed(text: str) -> list[str]:
    """Return what stands between commas; nothing of ``none``."""
    if text.strip().lower() == NONE:
        return []
    return [part.strip() for part in text.split(",") if part.strip()]


def _numbers(name: str, text: str, kind: Callable[[str], Any]) -> list[Any]:
    """Return the numbers between commas."""
    try:
        return [kind(part) for part in _listed(text)]
    except ValueError:
        raise ValueError(
            f"--{name} must be numbers with commas between them, or none; got {text!r}."
        ) from None


def _learn(forecaster: Any, data: _Data, windows: int | None) -> dict[str, Any]:
    """Measure a forecaster on the ends of series, then fit it on all of them."""
    report: dict[str, Any] = {}
    most = data.length // (3 * forecaster.horizon)
    windows = min(_MOST_WINDOWS, most) if windows is None else windows
    if windows:
        typer.echo(f"backtest: the last {windows} times {forecaster.horizon} frames")
        tested = forecaster.backtest(data.series, windows=windows)
        if tested.forecaster.interrupted_:
            typer.echo("interrupted in the backtest: nothing is kept")
            raise typer.Exit(INTERRUPTED)
        typer.echo(f"\n{tested}\n")
        report["backtest"] = {
            who: {name: n if math.isfinite(n) else None for name, n in found.items()}
            for who, found in tested.measures.items()
        }
    typer.echo("fit on all of the series")
    start = time.perf_counter()
    forecaster.fit(data.series)
    forecaster.set_params(callbacks=None)
    return report | {
        "train_seconds": round(time.perf_counter() - start, 2),
        "epochs": len(forecaster.history_["loss"]),
        "parameters": sum(m.training.count_params() for m in forecaster.models_),
        "seasons": forecaster.season_lengths_,
    }


def _write_forecasts(forecaster: Any, data: _Data, files: _Files) -> dict[str, str]:
    """Forecast, and write what is forecast and its picture."""
    values = forecaster.predict(data.series, data.future)
    level = _level(forecaster.quantiles)
    bounds = None
    if level is not None:
        bounds = forecaster.predict_interval(data.series, data.future, level=level)
    rows = _rows(data, values, bounds)
    with files.forecasts.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(_COLUMNS if bounds is None else [*_COLUMNS, "lower", "upper"])
        for name, found in rows:
            for when, *numbers in found:
                writer.writerow([name, when, *(f"{n:.9g}" for n in numbers)])
    _draw(data, rows, files.picture, level)
    return {"forecasts": str(files.forecasts), "picture": str(files.picture)}


def _level(quantiles: Sequence[float] | None) -> float | None:
    """Return the level of the interval that is written, if there is one."""
    if not quantiles:
        return None
    widest = round(1 - 2 * max(quantiles[0], 1 - quantiles[-1]), 9)
    return min(_LEVEL, widest) if widest > 0 else None


def _rows(data: _Data, values: Any, bounds: Any) -> list[tuple[str, list[list[Any]]]]:
    """Return of each series its name, and time, value and bounds of each frame."""
    if data.names:
        found = []
        for i, name in enumerate(data.names):
            columns = [values[i], *([bounds[0][i], bounds[1][i]] if bounds else [])]
            ahead = range(1, len(values[i]) + 1)
            found.append((name, [[*row] for row in zip(ahead, *columns, strict=True)]))
        return found
    table = values.assign(ds=values["ds"].astype(str))  # days without their midnight
    if bounds is not None:
        table = table.assign(lower=bounds["lower"], upper=bounds["upper"])
    return [
        (str(name), rows.drop(columns="unique_id").to_numpy(object).tolist())
        for name, rows in table.groupby("unique_id", sort=False)
    ]


def _draw(
    data: _Data,
    rows: list[tuple[str, list[list[Any]]]],
    path: Path,
    level: float | None,
) -> None:
    """Draw the forecasts of the first series behind their ends."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    from kseq2seq.plotting import plot_forecast

    shown = rows[:_MOST_DRAWN]
    figure, axes = pyplot.subplots(
        len(shown), figsize=(8, 3.5 * len(shown)), squeeze=False, layout="constrained"
    )
    for ax, past, (name, found) in zip(axes[:, 0], _pasts(data), shown, strict=False):
        columns = np.array([row[1:] for row in found], dtype=np.float64).T
        interval = None if level is None else (columns[1], columns[2])
        plot_forecast(past[-5 * len(found) :], columns[0], interval=interval, ax=ax)
        told = "" if level is None else f", with its interval of {100 * level:g} %"
        ax.set_title(f"{name}{told}")
    figure.savefig(path, dpi=120)
    pyplot.close(figure)


def _pasts(data: _Data) -> Iterator[np.ndarray]:
    """Yield the values of each series."""
    if data.names:
        yield from data.series
        return
    for _, rows in data.series.groupby("unique_id", sort=False):
        yield rows.sort_values("ds")["y"].to_numpy(np.float64)
