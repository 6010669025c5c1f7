"""`manage.py compile`: compile the kernels and collect the static files now, for an image or before a first start."""

from __future__ import annotations

from contextlib import ExitStack
from importlib import import_module
from typing import Any

from django.core.management.base import BaseCommand

from timeseries_project.core import kernels
from timeseries_project.web import collecting


class Command(BaseCommand):
    """Compiles all kernels, and collects the static files of `serve`; what is there already is only found."""

    help = "Compile the kernels and collect the static files, once for each version; starts are quick then."
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        """Import every module that holds kernels: that compiles them."""
        for path in kernels.sources():
            import_module(".".join(path.relative_to(kernels.ROOT).with_suffix("").parts))
        place = kernels.DIRECTORY or "nowhere: no cache directory can be written"
        with ExitStack() as later:
            collecting.collect(collecting.folder(later), later)
        self.stdout.write(f"{len(kernels.sources())} modules of kernels are compiled, in {place}.")
