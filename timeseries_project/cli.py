"""The command line: `timeseries-statistics` of the installed package, and `manage.py` of a clone.

Settings come from environment variables.
"""

from __future__ import annotations

import argparse
import os
import sys
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

from timeseries_project import __version__, env
from timeseries_project.serving import role

#: Commands that talk to a running server; their own process needs neither its apps nor its data.
CLIENTS = ("dump", "load", "simulate", "snapshot")
#: Seconds that `health` waits for an answer.
HEALTH_SECONDS = 3
EPILOG = """
serve      the production server, at HOST and PORT (127.0.0.1:8000)
health     asks the server at HOST and PORT whether it lives; the exit status is 0 if it does
compile    compiles the kernels and collects the static files beforehand, so that the first start is quick
run        the development server at the same address, with sample data; restarts when the code changes
load FILE  sends a file of datapoints, bandwidth entries or transactions to a running server
dump FILE  writes the datapoints or bandwidth entries of a running server to a file
simulate   sends realistic traffic to a running server
snapshot   has a running server write what it holds to its SNAPSHOT

Settings are environment variables; README.md lists them. `load --help` shows the options of `load`, and so on.
"""


def main() -> None:
    """Run `timeseries-statistics`."""
    parser = argparse.ArgumentParser(
        "timeseries-statistics", epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    parser.add_argument("command", choices=["serve", "run", "health", "compile", *CLIENTS], help="the command to run")
    parser.add_argument("options", nargs=argparse.REMAINDER, help="the options of the command")
    given = parser.parse_args()
    if given.command in ("serve", "health") and given.options:
        parser.error(f"{given.command} takes no options; its settings are environment variables.")
    if given.command == "serve":
        from timeseries_project import serve

        serve.main()
    elif given.command == "health":
        sys.exit(health())
    elif given.command == "run":
        host, port = env.address()
        manage(parser.prog, "runserver", f"{env.bracketed(host)}:{port}", *given.options)
    else:
        manage(parser.prog, given.command, *given.options)


def health() -> str | None:
    """Ask the server at HOST and PORT whether it lives; return why it seems not to, or None."""
    url = env.server_url()
    connection = HTTPConnection(urlsplit(url).netloc, timeout=HEALTH_SECONDS)
    try:
        connection.request("GET", "/healthz")
        status = connection.getresponse().status
    except (OSError, HTTPException) as error:
        return f"{url} does not answer: {error}"
    finally:
        connection.close()
    return None if status == 200 else f"{url}/healthz answers {status}."


def manage(program: str, *arguments: str) -> None:
    """Run a Django management command, as manage.py does; Ctrl-C ends it without a traceback."""
    settings = "client.settings" if arguments and arguments[0] in CLIENTS else "settings"
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", f"timeseries_project.{settings}")
    if arguments[:1] == ("runserver",):
        os.environ.setdefault("BANDWIDTHS_FILE", env.SAMPLE_LISTING)
        # The autoreloader serves in a process of its own, and argparse takes unambiguous beginnings of options.
        if os.environ.get("RUN_MAIN") == "true" or any(argument.startswith("--nor") for argument in arguments):
            role.serve_here()
    from django.core.management import execute_from_command_line

    try:
        execute_from_command_line([program, *arguments])
    except KeyboardInterrupt:  # before or after the command handles it itself
        sys.exit(130)
