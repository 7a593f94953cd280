"""Which commands there are, and how their mistakes are told; a command is imported when it is called or listed."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any, Final, cast

import click

from ..exceptions import ConfigurationError
from ..version import __version__
from .extras import EXTRAS
from .output import CannotPrint, tell

INTERRUPTED: Final = 128 + 2  # what a shell makes of an end by SIGINT

_COMMANDS: Final = (
    *("up", "run", "open", "demo"),
    *("sessions", "show", "tail", "costs", "errors", "tools", "diff"),
    *("export", "import", "sql", "db", "projects", "keys", "score"),
    *("doctor", "flush", "journal"),
)


class _Failed(click.ClickException):
    """What is wrong, with the command's name in front."""

    def __init__(self, ctx: click.Context, message: str) -> None:
        super().__init__(f"{ctx.command_path} {ctx.invoked_subcommand}: {message}")


class _Unusable(_Failed):
    """A setting or a package is missing or wrong."""

    exit_code = 2


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = "import_" if cmd_name == "import" else cmd_name
        return cast("click.Command", importlib.import_module(f"{__package__}.{module}").command)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:  # click would print an empty line
            raise click.exceptions.Exit(INTERRUPTED) from None
        except CannotPrint as error:
            if not error.why:  # nobody wants to read on
                raise click.exceptions.Exit(1) from None
            raise _Failed(ctx, str(error)) from None
        except ConfigurationError as error:
            raise _Unusable(ctx, str(error)) from None
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] not in EXTRAS["server"]:
                raise
            raise _Unusable(ctx, f"{error.name} is not installed: pip install 'agentops-otel[server]'") from None
        except click.UsageError:
            raise
        except click.ClickException as error:
            raise (_Unusable if error.exit_code == 2 else _Failed)(ctx, error.format_message()) from None


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, message="agentops-otel %(version)s")
def program() -> None:
    """Sessions of AI agents over OpenTelemetry."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `agentops-otel`.

    Args:
        arguments: the words after the program's name; those of the process when left out.

    Returns:
        The exit code: 0 when all is well, 1 when something is left to do or cannot be done, 2 for a wrong command line
        or setting or a package that is not installed, 130 after Ctrl-C.
    """
    try:
        code = program.main(arguments, prog_name="agentops-otel", standalone_mode=False)
    except click.Abort:
        return INTERRUPTED
    except click.UsageError as error:
        if error.ctx is None:
            tell(f"agentops-otel: {error.format_message()}")
        else:
            usage, said = error.ctx.get_usage(), error.format_message()
            is_help = said.startswith(usage)  # of a group without a command, where click raises its whole help
            tell(said if is_help else f"{usage}\n{error.ctx.command_path}: {said}")
        return error.exit_code
    except click.ClickException as error:
        tell(error.format_message())
        return error.exit_code
    return code if isinstance(code, int) else 0
