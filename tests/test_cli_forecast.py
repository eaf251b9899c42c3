"""The command that forecasts time series."""

import json
import shutil

import numpy as np
import pytest
from commands import runner

from kseq2seq import SequenceForecaster, SequenceRegressor, load
from kseq2seq.cli import make_app
from kseq2seq.datasets import load_covariates, load_series, make_daily_counts
from kseq2seq.declarations import about

pandas = pytest.importorskip("pandas")

SMALL = ["--horizon", "7", "--units", "4", "--epochs", "1", "--random-state", "0"]


@pytest.fixture(scope="module")
def run():
    return runner(make_app("forecast"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Counts with holidays in long form, what is ahead, and rows without times."""
    path = tmp_path_factory.mktemp("series")
    counts, covariates = make_daily_counts(97, random_state=0)
    table = pandas.DataFrame(
        {
            "unique_id": "shop",
            "ds": pandas.date_range("2024-01-01", periods=97),
            "y": counts,
            "holiday": covariates[:, 0],
            "temperature": covariates[:, 2],
        }
    )
    table[:90].to_csv(path / "counts.csv", index=False)
    table[90:].drop(columns=["y", "temperature"]).to_csv(
        path / "future.csv", index=False
    )
    rows = [f"H{i},{','.join(map(str, counts[: 80 + i]))}\n" for i in range(2)]
    (path / "rows.csv").write_text("".join(rows))
    return path


def train(run, folder, tmp_path, *options, **how):
    future = ["--future", folder / "future.csv", "--past-covariates", "temperature"]
    where = ["--output", tmp_path / "out"]
    series = folder / "counts.csv"
    return run("forecast", series, *SMALL, *future, *where, *options, **how)


@pytest.mark.slow
def test_it_measures_learns_forecasts_and_answers_again(run, folder, tmp_path):
    output = train(run, folder, tmp_path, "--windows", "2", "--json")
    report = json.loads(output.splitlines()[-1])
    assert [*report["backtest"]] == ["forecaster", "seasonal naive"]
    assert "seasonal naive" in output
    out = tmp_path / "out"
    forecaster = load(out / "forecaster.kseq2seq")
    written = pandas.read_csv(out / "forecasts.csv")
    assert [*written.columns] == ["unique_id", "ds", "y", "lower", "upper"]
    assert written["ds"].tolist()[0] == "2024-03-31"
    assert (written["lower"] <= written["upper"]).all()
    ahead = forecaster.predict(
        load_series(folder / "counts.csv"), load_covariates(folder / "future.csv")
    )
    np.testing.assert_allclose(written["y"], ahead["y"], rtol=1e-6)
    assert (out / "forecast.png").stat().st_size > 5_000
    model = ["--model", out / "forecaster.kseq2seq", "--output", tmp_path / "again"]
    future = ["--future", folder / "future.csv"]
    run("forecast", folder / "counts.csv", *model, *future)
    again = (tmp_path / "again" / "forecasts.csv").read_text()
    assert again == (out / "forecasts.csv").read_text()
    assert not (tmp_path / "again" / "forecaster.kseq2seq").exists()
    told = run("info", out / "forecaster.kseq2seq")
    assert "series  1 values a frame, seasons 7\n" in told
    assert "forecast  7 frames from 14\n" in told
    assert "known ahead  holiday\n" in told


@pytest.mark.slow
def test_what_cannot_be_measured_is_null(run, tmp_path):
    path = tmp_path / "same.csv"
    path.write_text("a" + ",5" * 60 + "\n")
    options = ["--windows", "1", "--output", tmp_path / "out", "--json"]
    output = run("forecast", path, *SMALL, *options)
    report = json.loads(output.splitlines()[-1], parse_constant=pytest.fail)
    assert report["backtest"]["seasonal naive"]["mase"] is None


@pytest.mark.slow
def test_rows_without_times_are_numbered_ahead(run, folder, tmp_path):
    options = ["--output", tmp_path, "--windows", "0", "--quantiles", "none"]
    run("forecast", folder / "rows.csv", *SMALL, *options, "--season-lengths", "7")
    written = pandas.read_csv(tmp_path / "forecasts.csv")
    assert [*written.columns] == ["unique_id", "ds", "y"]
    assert written["unique_id"].tolist() == ["H0"] * 7 + ["H1"] * 7
    assert written["ds"].tolist() == [*range(1, 8)] * 2
    assert load(tmp_path / "forecaster.kseq2seq").season_lengths_ == [7]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "pass --future FILE, .* or --past-covariates holiday,temperature"),
        (["--season-lengths", "7,x"], "--season-lengths must be numbers"),
        (["--future", "rows.csv"], "must have the columns unique_id, ds; unique_id is"),
        (["--future", "future.csv"], "--future must have .* holiday, temperature; it"),
        (["--future", "future.csv", "--horizon", "8"], "holiday, temperature"),
        (["--future", "none.csv"], "there is no file"),
        (["--model", "counts.csv"], "is not a kseq2seq model"),
        (["--horizon", "0", "--past-covariates", "holiday,temperature"], "horizon"),
        (["--windows", "20", "--past-covariates", "holiday,temperature"], "fewer wind"),
        (["--past-covariates", "rain,holiday,temperature"], "past_covariates names"),
    ],
)
def test_bad_input_is_refused(options, message, run, folder, tmp_path):
    named = [
        folder / option if option.endswith(".csv") else option for option in options
    ]
    with pytest.raises((ValueError, OSError), match=message):
        run("forecast", folder / "counts.csv", *named, "--output", tmp_path)
    assert not (tmp_path / "forecaster.kseq2seq").exists()


def test_what_is_ahead_is_not_left_unread(run, folder, tmp_path):
    future = ["--future", folder / "future.csv", "--windows", "0"]
    past = ["--past-covariates", "holiday,temperature", "--output", tmp_path]
    with pytest.raises(ValueError, match="of which there are none"):
        run("forecast", folder / "counts.csv", *SMALL, *future, *past)


def test_what_is_ahead_is_looked_at_before_training(run, folder, tmp_path):
    future = ["--future", folder / "future.csv", "--horizon", "8"]
    past = ["--past-covariates", "temperature", "--output", tmp_path]
    with pytest.raises(ValueError, match="8 rows of 'shop' after 2024-03-30 .* got 7"):
        run("forecast", folder / "counts.csv", *future, *past)


def test_rows_have_nothing_ahead(run, folder, tmp_path):
    future = ["--future", folder / "future.csv", "--output", tmp_path]
    with pytest.raises(ValueError, match="--future is for tables"):
        run("forecast", folder / "rows.csv", *future)


def test_a_model_takes_no_options_of_training(run, folder, tmp_path):
    options = ["--output", tmp_path, "--model", folder / "future.csv"]
    for given in (["--units", "3"], ["--windows", "2"], ["--quantiles", "0.5"]):
        with pytest.raises(ValueError, match=f"takes no {given[0]}"):
            run("forecast", folder / "counts.csv", *options, *given)


def test_other_models_forecast_nothing(run, folder, tmp_path):
    regressor = SequenceRegressor(units=2, epochs=1, validation_fraction=0)
    regressor.fit(np.zeros((4, 3, 1)), np.zeros((4, 2, 1)))
    model = regressor.save(tmp_path / "regressor.kseq2seq")
    with pytest.raises(ValueError, match="holds a SequenceRegressor, which forecasts"):
        run("forecast", folder / "rows.csv", "--model", model, "--output", tmp_path)


def test_what_is_there_is_not_written_over(run, folder, tmp_path):
    (tmp_path / "forecasts.csv").write_text("kept")
    past = ["--past-covariates", "holiday,temperature", "--output", tmp_path]
    with pytest.raises(FileExistsError, match="overwrite"):
        run("forecast", folder / "counts.csv", *past)
    assert (tmp_path / "forecasts.csv").read_text() == "kept"
    read = shutil.copy(folder / "counts.csv", tmp_path)
    (tmp_path / "forecasts.csv").unlink()
    (tmp_path / "forecasts.csv").symlink_to(read)
    with pytest.raises(ValueError, match="written over, and this command reads it"):
        run("forecast", read, *past, "--overwrite")


def test_every_parameter_of_a_forecaster_is_an_option(run):
    shown = run("forecast", "--help")
    for name, declared in about(SequenceForecaster).items():
        if declared.from_files:
            assert f"--{name.replace('_', '-')}" in shown
