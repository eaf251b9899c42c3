"""The command that describes a model file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from kseq2seq.cli.config import config_lines
from kseq2seq.cli.models import described
from kseq2seq.cli.options import Json, ModelFile


def info(
    model: ModelFile,
    config: Annotated[
        bool, typer.Option("--config", help="Print only what train --config takes.")
    ] = False,
    json_line: Json = False,
) -> None:
    """Describe a model file: its settings as TOML."""
    report = _report(model)
    if not config:
        for name, value in report.items():
            if name != "settings":
                typer.echo(f"# {name.replace('_', ' '):>14}  {value}")
    elif report["estimator"] not in ("Seq2SeqEstimator", "Seq2SeqEnsemble"):
        raise ValueError(
            f"{model} holds a {report['estimator']}, which train is not for."
        )
    for line in config_lines(report["settings"]):
        typer.echo(line)
    if json_line:
        typer.echo(json.dumps(report))


def _report(model: Path) -> dict[str, Any]:
    """Return what there is to say of a model file, by name."""
    description = described(model)
    members = description.get("members")
    epochs = [len(one["history"].get("loss", ())) for one in members or [description]]
    of_ensemble: dict[str, Any] = {}
    if members:
        seed = description.get("ensemble", {}).get("random_state")
        of_ensemble = {"random_state": seed, "ensemble": len(members)}
    return {
        "model": str(model),
        "format_version": description["format_version"],
        "estimator": description["estimator"],
        "parameters": description["num_weights"],
        **{
            side: _side(description[side])
            for side in ("source", "target")
            if side in description
        },
        **_of_values(description),
        **({"members": len(members)} if members else {}),
        "epochs": sum(epochs),
        "settings": description["parameters"] | of_ensemble,
    }


def _of_values(description: dict[str, Any]) -> dict[str, str]:
    """Return what a model of real values reads and answers; nothing of another."""
    if "values" in description:
        source, target = (description["values"][side] for side in ("source", "target"))
        frames = f"{target['horizon']} frames of {target['num_targets']} values"
        return {"source": f"{source['num_features']} values a frame", "target": frames}
    if "series" not in description:
        return {}
    series = description["series"]
    names, num_known = series["covariate_names"], series["num_known"]
    seasons = ", ".join(map(str, series["seasons"])) or "none"
    told = {
        "series": f"{series['num_targets']} values a frame, seasons {seasons}",
        "forecast": f"{series['horizon']} frames from {series['history']}",
        "known_ahead": ", ".join(names[:num_known]),
        "known_of_past": ", ".join(names[num_known:]),
    }
    return {name: text for name, text in told.items() if text}


def _side(side: dict[str, Any]) -> str:
    how = side["tokenizer"]
    tokenizer = (
        f" split by {how if isinstance(how, str) else 'subwords'}" if how else ""
    )
    features = side.get("features")
    beside = f", {len(features['tokens'])} features" if features else ""
    return f"{side['kind']}{tokenizer}, {len(side['tokens'])} tokens{beside}"
