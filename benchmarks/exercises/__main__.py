"""Run exercises again, keep what they measured, and make the table of it.

An exercise's new rows take the place of its old ones in DIR/results.json; the rows of
all others stay. DIR/results.md is then made from that file.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.exercises import results

Exercise = Callable[[Callable[[str], None]], list[results.Row]]

EXERCISES = {
    "add_two_digits": "add_two_digits:run",
    "add_two_digits_long": "add_two_digits:run_long",
    "arithmetic": "arithmetic:run",
    "arithmetic_solved": "arithmetic:run_solved",
    "echo": "echo:run",
    "masked_autoencoder": "masked_autoencoder:run",
    "number_stream": "number_stream:run",
    "number_words": "number_words:run",
    "reversed_source": "number_words:run_reversed_source",
    "teacher_forcing": "number_words:run_teacher_forcing",
}
"""Where each exercise's function is: loaded when it is run, and Keras with it."""

ONLY_BY_NAME = {"add_two_digits_long", "arithmetic_solved"}
"""What takes so long that it is run only when it is named."""


def load(name: str) -> Exercise:
    """Return an exercise's function, which takes a progress function."""
    module, _, function = EXERCISES[name].partition(":")
    return getattr(importlib.import_module(f"benchmarks.exercises.{module}"), function)


def show_progress(line: str) -> None:
    """Print a line with the time, where it is in nobody's way."""
    print(f"{time.strftime('%H:%M:%S')}  {line}", file=sys.stderr, flush=True)


def run(names: Sequence[str], folder: Path) -> None:
    """Run the exercises, and keep the rows of each as soon as it is done."""
    for name in names:
        show_progress(name)
        rows = load(name)(show_progress)
        path = folder / results.JSON_NAME
        results.write(path, results.merge(results.read(path), rows))
        render(folder)


def keep_models(folder: Path, rows: Sequence[results.RowDict]) -> None:
    """Keep rows in the place of the same models' old ones, and make the table again."""
    path = folder / results.JSON_NAME
    results.write(path, results.merge_models(results.read(path), rows))
    render(folder)


def render(folder: Path) -> None:
    """Make the table from the JSON file."""
    text = results.render(results.read(folder / results.JSON_NAME))
    results.write_text(folder / results.TABLE_NAME, text)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog=results.COMMAND,
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=f"Exercises: {', '.join(EXERCISES)}. Only when named, as they take "
        f"long: {', '.join(sorted(ONLY_BY_NAME))}.",
    )
    parser.add_argument("names", metavar="NAME", nargs="*", help="default: all")
    parser.add_argument(
        "--output", metavar="DIR", type=Path, default=Path("docs"), help="default: docs"
    )
    parser.add_argument(
        "--render", action="store_true", help="only make the table again, run nothing"
    )
    arguments = parser.parse_args(argv)
    unknown = sorted(set(arguments.names) - set(EXERCISES))
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}; expected {', '.join(EXERCISES)}")
    if arguments.render and arguments.names:
        parser.error("--render runs nothing; leave the names out")
    path = arguments.output / results.JSON_NAME
    try:
        arguments.output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        parser.error(f"--output must be a folder: {error}")
    if arguments.render and not path.exists():
        parser.error(f"there is no {path} to render; run an exercise first")
    try:
        results.check_can_keep(arguments.output)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    if arguments.render:
        render(arguments.output)
    else:
        by_default = [name for name in EXERCISES if name not in ONLY_BY_NAME]
        run(arguments.names or by_default, arguments.output)
    print(arguments.output / results.TABLE_NAME)


if __name__ == "__main__":
    main()
