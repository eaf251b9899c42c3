"""The quickstart: a task made on the spot, a model trained on it, its answers shown."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from kseq2seq.cli.backend import load_backend
from kseq2seq.cli.options import Json, Overwrite
from kseq2seq.cli.train import INTERRUPTED, timed_fit, training_report
from kseq2seq.datasets.pairs import Pairs

NUM_TEST = 2000
NUM_SHOWN = 10


class Task(StrEnum):
    """The tasks to choose from."""

    dates = "dates"
    arithmetic = "arithmetic"


@dataclass(frozen=True)
class _Recipe:
    """What a task trains with, and what it shows."""

    title: str
    num_samples: int
    parameters: dict[str, Any]
    example: str
    unseen: str


_RECIPES = {
    Task.dates: _Recipe(
        title="dates as people write them -> ISO 8601",
        num_samples=20_000,
        parameters={
            "attention_kind": "dot",
            "dropout": 0.1,
            "label_smoothing": 0.0,
            "epochs": 6,
        },
        example="Monday, November 27, 2006",
        unseen="days that training has in no spelling",
    ),
    Task.arithmetic: _Recipe(
        title="additions and subtractions of three-digit numbers",
        num_samples=80_000,
        parameters={
            "attention_kind": "dot",
            "dropout": 0.0,
            "label_smoothing": 0.0,
            "epochs": 18,
        },
        example="123-456",
        unseen="problems that training has not",
    ),
}


def quickstart(
    *,
    task: Annotated[Task, typer.Option(help="What to learn.")] = Task.dates,
    output: Annotated[
        Path, typer.Option(help="The folder for the model and the pictures.")
    ] = Path("kseq2seq-quickstart"),
    samples: Annotated[
        int | None,
        typer.Option(min=1, help="Pairs to make, instead of the task's own number."),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(min=1, help="Epochs, instead of the task's own number."),
    ] = None,
    random_state: Annotated[int, typer.Option(help="The seed of everything.")] = 0,
    overwrite: Overwrite = False,
    json_line: Json = False,
) -> None:
    """Train a model on a small task, and show what it can do."""
    from kseq2seq.persistence import check_can_write

    recipe = _RECIPES[task]
    model = output / f"{task}.kseq2seq"
    output.mkdir(parents=True, exist_ok=True)
    check_can_write(model, overwrite=overwrite)
    load_backend()
    from kseq2seq.cli.progress import progress_callbacks
    from kseq2seq.estimators import Seq2SeqEstimator

    (X, y), (X_test, y_test) = make_pairs(
        task, samples or recipe.num_samples, random_state
    )
    typer.echo(f"{recipe.title}: {len(X):,} pairs to train on")
    parameters = {**recipe.parameters, "random_state": random_state}
    if epochs is not None:
        parameters["epochs"] = epochs
    estimator = Seq2SeqEstimator(**parameters)
    shows = progress_callbacks(y, held_back=estimator.validation_fraction)
    estimator.set_params(callbacks=shows)
    seconds = timed_fit(estimator, X, y)
    estimator.set_params(callbacks=None).save(model, overwrite=overwrite)
    predictions = estimator.predict(X_test)
    report = {
        "task": str(task),
        **training_report(estimator, seconds, model),
        **_show_answers(recipe, X_test, y_test, predictions),
        **_draw(estimator, recipe.example, output),
    }
    _say_how_to_go_on(model, recipe.example)
    if json_line:
        typer.echo(json.dumps(report))
    if estimator.interrupted_:
        raise typer.Exit(INTERRUPTED)


def make_pairs(task: Task, num_samples: int, random_state: int) -> tuple[Pairs, Pairs]:
    """Return pairs to train on, and pairs to test on that training has not seen.

    For dates, none of the days; for arithmetic, none of the problems.
    """
    from kseq2seq.datasets import make_arithmetic, make_dates

    if task is Task.dates:
        X, y = make_dates(num_samples + NUM_TEST, random_state=random_state)
        groups = y
    else:
        X, y = make_arithmetic(
            num_samples + NUM_TEST, operators="+-", random_state=random_state
        )
        groups = X
    tested = set(groups[:NUM_TEST])
    rows = [i for i in range(NUM_TEST, len(X)) if groups[i] not in tested]
    return ([X[i] for i in rows], [y[i] for i in rows]), (X[:NUM_TEST], y[:NUM_TEST])


def _show_answers(
    recipe: _Recipe, X: list[str], y: list[str], predictions: list[str]
) -> dict[str, float]:
    """Print some answers, wrong ones too if there are any, and the exact match."""
    from rich.console import Console
    from rich.table import Table

    from kseq2seq.metrics import matches

    right = matches(y, predictions)
    wrong = [i for i in range(len(X)) if not right[i]][: NUM_SHOWN // 4]
    rows = sorted([*range(NUM_SHOWN - len(wrong)), *wrong])
    table = Table("source", "answer", "", title="unseen sources")
    for i in dict.fromkeys(rows):
        mark = "[green]right" if right[i] else f"[red]wrong: {y[i]}"
        table.add_row(X[i], predictions[i], mark)
    Console().print(table)
    share = float(right.mean())
    typer.echo(
        f"exact match {share:.4f} on {len(X):,} sources ({recipe.unseen}), decoded "
        "without teacher forcing"
    )
    return {"exact_match": share}


def _draw(estimator: Any, example: str, output: Path) -> dict[str, str]:
    """Write the training curves and the attention of an example; return the paths."""
    import matplotlib

    matplotlib.use("agg")
    from kseq2seq.plotting import plot_attention, plot_history

    pictures: dict[str, Callable[[], Any]] = {
        "curves": lambda: plot_history(estimator.history_),
        "attention": lambda: plot_attention(estimator.attention([example])[0]),
    }
    paths = {}
    for name, draw in pictures.items():
        path = output / f"{name}.png"
        draw().figure.savefig(path, dpi=120)
        paths[name] = str(path)
    return paths


def _say_how_to_go_on(model: Path, example: str) -> None:
    quoted = shlex.quote(str(model))
    typer.echo(
        f"\nThe model is {model}; beside it are curves.png and attention.png.\n"
        f"From Python: import kseq2seq\n"
        f'             kseq2seq.load("{model}").predict(["{example}"])\n'
        f"From the shell: echo {shlex.quote(example)} | kseq2seq predict {quoted}"
    )
