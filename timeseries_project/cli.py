"""The commands: `timeseries-statistics` of the installed package, and `manage.py` of a clone.

Settings come from the environment, as everywhere.
"""

from __future__ import annotations

import argparse
import os
import sys

from timeseries_project import __version__, env

#: Commands that speak to a running server. They need none of its apps, nor its data, in their own process.
CLIENTS = ("load", "simulate")
EPILOG = """
serve      the production server, at HOST and PORT (127.0.0.1:8000)
run        the development server at the same place, with a sample listing; starts anew when the code changes
load FILE  sends a file of datapoints, bandwidth entries or transactions to a running server
simulate   sends believable traffic to a running server

Settings are environment variables; README.md lists them. `load --help` and the like show the options of one.
"""


def main() -> None:
    """Run `timeseries-statistics`."""
    parser = argparse.ArgumentParser(
        "timeseries-statistics", epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    parser.add_argument("command", choices=["serve", "run", *CLIENTS], help="what to do")
    parser.add_argument("options", nargs=argparse.REMAINDER, help="the options of this command")
    given = parser.parse_args()
    if given.command == "serve":
        if given.options:
            parser.error("serve takes no options; its settings are environment variables.")
        from timeseries_project import serve

        serve.main()
    elif given.command == "run":
        host, port = env.address()
        manage(parser.prog, "runserver", f"{f'[{host}]' if ':' in host else host}:{port}", *given.options)
    else:
        manage(parser.prog, given.command, *given.options)


def manage(program: str, *arguments: str) -> None:
    """Run one of Django's management commands, as manage.py does; Ctrl-C ends it without a traceback."""
    settings = "client_settings" if arguments and arguments[0] in CLIENTS else "settings"
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", f"timeseries_project.{settings}")
    from django.core.management import execute_from_command_line

    try:
        execute_from_command_line([program, *arguments])
    except KeyboardInterrupt:  # before, or after, the command had its own way to stop
        sys.exit(130)
