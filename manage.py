#!/usr/bin/env python
"""Django's command line for this project."""

import os
import sys

#: Commands that speak to a running server. They need none of its apps, nor its data, in their own process.
CLIENTS = ("load", "simulate")


def main() -> None:
    """Run the command that the first argument names."""
    settings = "client_settings" if sys.argv[1:2] and sys.argv[1] in CLIENTS else "settings"
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", f"timeseries_project.{settings}")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:  # before, or after, the command had its own way to stop
        sys.exit(130)
