"""The benchmark of forecasts, with a problem of a size for a test."""

import re

import numpy as np
import pytest
from checkout import load_benchmarks

load_benchmarks()

from benchmarks import forecasting  # noqa: E402
from benchmarks.exercises import results  # noqa: E402
from benchmarks.forecasting import Problem, forecast_naively  # noqa: E402
from benchmarks.peers.ridge_on_lags import RidgeOnLags  # noqa: E402


def small(data, seed, *, is_test):
    """Return two series of a week, of which the last values are forecast."""
    rng = np.random.default_rng(seed + 10 * is_test)
    week = np.tile(np.arange(7.0), 8)
    series = [week + 0.1 * rng.normal(size=len(week)) for _ in range(2)]
    return Problem(
        series=series,
        known=[50, 50],
        origins=[(0, 50), (1, 50), (1, 52)],
        horizon=3,
        season=7,
        lags=7,
        setting={"units": 4, "epochs": 1, "season_lengths": [7]},
    )


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(forecasting, "PROBLEMS", {"small": small})
    monkeypatch.setattr(forecasting, "PUBLISHED", {"small": {"others": 0.5}})
    monkeypatch.setattr(forecasting, "SEEDS", 2)
    return tmp_path


def run(folder, *more):
    where = ["--output", str(folder), "--fits", str(folder / "fits")]
    forecasting.main([str(folder), "small", *where, *more])
    return {row["model"]: row for row in results.read(folder / results.JSON_NAME)}


@pytest.mark.slow
def test_forecasts_are_kept_and_the_test_part_is_measured_when_asked(
    folder, monkeypatch
):
    rows = run(folder)
    names = ["seasonal naive", "ridge on lags", "defaults", "five together"]
    assert [*rows] == [f"small: {name}" for name in names]
    ours = rows["small: defaults"]
    assert ours["part"] == "dev"
    assert [*ours["forecasts"]] == ["smape", "mase", "msis", "coverage"]
    assert ours["forecasts"]["mase"]["spread"] > 0
    assert rows["small: five together"]["forecasts"]["mase"]["spread"] is None
    tested = run(folder, "--test")
    assert tested["small: defaults"]["part"] == "test"

    def no_fit(*args, **kwargs):
        raise AssertionError("trained again")

    monkeypatch.setattr(forecasting.SequenceForecaster, "fit", no_fit)
    again = run(folder)
    for name, row in rows.items():
        assert again[name]["forecasts"] == row["forecasts"]
        assert again[name]["seconds"] == row["seconds"]
    (line,) = [
        line
        for line in (folder / results.TABLE_NAME).read_text().splitlines()
        if line.startswith("| small: defaults")
    ]
    assert "| dev |" in line
    assert "others 0.5" in line


def test_the_naive_forecast_is_the_week_before():
    problem = small(None, 0, is_test=False)
    made = forecast_naively(problem)
    np.testing.assert_array_equal(made.values[2], problem.series[1][45:48])


def test_ridge_learns_a_line_from_lags_and_from_what_is_ahead():
    rng = np.random.default_rng(0)
    ahead = [rng.integers(0, 2, size=(80, 1)).astype(float) for _ in range(2)]
    week = np.tile(np.arange(8.0), 10)
    series = [week * (1 + i) for i in range(2)]
    ridge = RidgeOnLags(8, 3).fit([one[:70] for one in series], ahead)
    found = ridge.predict(series, [(0, 72), (1, 74)], ahead)
    np.testing.assert_allclose(found, [week[72:75], 2 * week[74:77]], atol=0.05)
    assert ridge.num_parameters == 3 * (8 + 11 + 1)


def test_errors_are_those_of_the_competition(monkeypatch):
    problem = small(None, 0, is_test=False)
    values = problem.truth + 1
    found = forecasting.Forecasts(values, problem.truth - 1, values, {})
    told = forecasting.measures("m4_hourly", problem, found)
    scale = [np.abs(s[7:50] - s[:43]).mean() for s in problem.series]
    mase = np.mean([1 / scale[i] for i, _ in problem.origins])
    shares = 200 / (np.abs(values) + np.abs(problem.truth))
    assert told["mase"] == pytest.approx(mase)
    assert told["smape"] == pytest.approx(shares.mean())
    assert told["owa"] == pytest.approx(
        (told["smape"] / 18.383 + told["mase"] / 2.395) / 2
    )
    assert told["msis"] == pytest.approx(2 * mase)
    assert told["coverage"] == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{folder}", "large"], r"unknown: \['large'\]; expected some of \['small'\]"),
        (["{folder}", "small", "--fits", "{folder}/a.txt"], "File exists"),
    ],
)
def test_bad_arguments_are_refused_before_hours_are_spent(
    arguments, message, folder, capsys
):
    (folder / "a.txt").write_text("")
    with pytest.raises(SystemExit, match="2"):
        forecasting.main([argument.format(folder=folder) for argument in arguments])
    assert re.search(message, capsys.readouterr().err)
