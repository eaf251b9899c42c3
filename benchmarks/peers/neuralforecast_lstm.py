"""The LSTM of neuralforecast, in a process of an environment of its own.

This file is both sides: what the benchmark calls, and, run as a script by the other
environment's Python, what trains there. It imports nothing of kseq2seq.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np


def forecasts_of_peer(
    python: Path | None,
    series: Sequence[np.ndarray],
    horizon: int,
    setting: Mapping[str, Any],
) -> tuple[np.ndarray, dict[str, Any]]:
    """Return what follows each series, ``(n_series, horizon)``, and what that took.

    Raises
    ------
    ValueError
        When there is no Python that has the peer.
    subprocess.CalledProcessError
        When the training fails there.
    """
    if python is None:
        raise ValueError("--peer must name a Python with neuralforecast; got none.")
    with tempfile.TemporaryDirectory() as folder:
        given, answer = Path(folder, "series.npz"), Path(folder, "answers.npz")
        np.savez(given, **{f"{i:05d}": one for i, one in enumerate(series)})
        options = json.dumps({"h": horizon, **setting})
        command = [str(python), __file__, str(given), str(answer), options]
        subprocess.run(command, check=True, cwd=folder)
        with np.load(answer) as found:
            took = {
                "seconds": round(float(found["seconds"]), 1),
                "parameters": int(found["parameters"]),
            }
            return found["values"], took


def _train(given: str, answer: str, options: str) -> None:
    """Train, and write what follows each series."""
    import pandas
    from neuralforecast import NeuralForecast
    from neuralforecast.losses.pytorch import MAE
    from neuralforecast.models import LSTM

    with np.load(given) as arrays:
        series = {name: arrays[name] for name in sorted(arrays.files)}
    table = pandas.concat(
        pandas.DataFrame({"unique_id": name, "ds": np.arange(len(one)), "y": one})
        for name, one in series.items()
    )
    setting = json.loads(options)
    model = LSTM(
        **setting,
        loss=MAE(),
        random_seed=0,
        accelerator="cpu",
        enable_progress_bar=False,
        logger=False,
        enable_checkpointing=False,
    )
    forecaster = NeuralForecast(models=[model], freq=1)
    start = time.perf_counter()
    forecaster.fit(table)
    seconds = time.perf_counter() - start
    found = forecaster.predict().sort_values(["unique_id", "ds"])
    values = found["LSTM"].to_numpy(np.float64).reshape(len(series), setting["h"])
    parameters = sum(p.numel() for p in forecaster.models[0].parameters())
    np.savez(answer, values=values, seconds=seconds, parameters=parameters)


if __name__ == "__main__":
    _train(*sys.argv[1:])
