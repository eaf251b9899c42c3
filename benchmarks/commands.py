"""What the commands share that measure on a folder of data and keep what is trained."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from benchmarks.exercises import results


def plain_parser(module: str, description: str | None) -> argparse.ArgumentParser:
    """Return a parser of DATA and --output, of the command of this name."""
    parser = argparse.ArgumentParser(
        prog=f"python -m benchmarks.{module}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("data", metavar="DATA", type=Path)
    parser.add_argument(
        "--output", metavar="DIR", type=Path, default=Path("docs"), help="default: docs"
    )
    return parser


def make_parser(
    module: str, description: str | None, metavar: str, choices: Collection[str]
) -> argparse.ArgumentParser:
    """Return a parser of DATA, names of what is measured, --fits and --output.

    Parameters
    ----------
    module : str
        The command's name in `benchmarks`.
    description : str
    metavar : str
        What the names are called.
    choices : collection of str
        The names there are.
    """
    parser = plain_parser(module, description)
    parser.add_argument(
        "names", metavar=metavar, nargs="*", help=f"default: all of {[*choices]}"
    )
    parser.add_argument(
        "--fits",
        metavar="DIR",
        type=Path,
        default=Path(f"{module}_fits"),
        help=f"where what is trained is kept; default: {module}_fits",
    )
    return parser


def parse(
    parser: argparse.ArgumentParser,
    argv: Sequence[str] | None,
    choices: Collection[str],
    read: Callable[[Path, str], object],
) -> argparse.Namespace:
    """Return the arguments; end here, before hours are spent, if they cannot be.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        From :func:`make_parser`.
    argv : sequence of str, optional
    choices : collection of str
    read : callable
        Reads what a name needs of the folder DATA.
    """
    arguments = parser.parse_args(argv)
    arguments.names = arguments.names or [*choices]
    unknown = sorted(set(arguments.names) - set(choices))
    if unknown:
        parser.error(f"unknown: {unknown}; expected some of {[*choices]}")
    try:
        results.check_can_keep(arguments.output)
        for name in arguments.names:
            read(arguments.data, name)
        arguments.fits.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    return arguments
