"""The command line: `timeseries-statistics` of the installed package, and `manage.py` of a clone.

Settings come from environment variables.
"""

from __future__ import annotations

import argparse
import os
import sys

from timeseries_project import __version__, env

#: Commands that talk to a running server; their own process needs neither its apps nor its data.
CLIENTS = ("load", "simulate")
EPILOG = """
serve      the production server, at HOST and PORT (127.0.0.1:8000)
run        the development server at the same address, with sample data; restarts when the code changes
load FILE  sends a file of datapoints, bandwidth entries or transactions to a running server
simulate   sends realistic traffic to a running server

Settings are environment variables; README.md lists them. `load --help` shows the options of `load`, and so on.
"""


def main() -> None:
    """Run `timeseries-statistics`."""
    parser = argparse.ArgumentParser(
        "timeseries-statistics", epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    parser.add_argument("command", choices=["serve", "run", *CLIENTS], help="the command to run")
    parser.add_argument("options", nargs=argparse.REMAINDER, help="the options of the command")
    given = parser.parse_args()
    if given.command == "serve":
        if given.options:
            parser.error("serve takes no options; its settings are environment variables.")
        from timeseries_project import serve

        serve.main()
    elif given.command == "run":
        host, port = env.address()
        manage(parser.prog, "runserver", f"{env.bracketed(host)}:{port}", *given.options)
    else:
        manage(parser.prog, given.command, *given.options)


def manage(program: str, *arguments: str) -> None:
    """Run a Django management command, as manage.py does; Ctrl-C ends it without a traceback."""
    settings = "client.settings" if arguments and arguments[0] in CLIENTS else "settings"
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", f"timeseries_project.{settings}")
    if arguments[:1] == ("runserver",):
        os.environ.setdefault("BANDWIDTHS_FILE", env.SAMPLE_LISTING)
    from django.core.management import execute_from_command_line

    try:
        execute_from_command_line([program, *arguments])
    except KeyboardInterrupt:  # before or after the command handles it itself
        sys.exit(130)
