"""The command line, run in this process."""

from typer.testing import CliRunner


def runner(app):
    """Return what runs a command, which must end with a code, and what it printed."""

    def run(*arguments, stdin=None, code=0):
        result = CliRunner().invoke(app, [*map(str, arguments)], input=stdin)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == code, result.output
        return result.stdout

    return run


def line_runner(app):
    """Return what runs a command that must end well, and gives its lines."""
    run = runner(app)
    return lambda *arguments, stdin=None: run(*arguments, stdin=stdin).splitlines()
