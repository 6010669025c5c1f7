"""`manage.py compile`: compile the kernels now, for an image or before a first start."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from django.core.management.base import BaseCommand

from timeseries_project.core import kernels


class Command(BaseCommand):
    """Compiles all kernels and keeps their machine code; what is compiled already is only loaded."""

    help = "Compile the kernels, once for each version of them; starts are quick then."
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        """Import every module that holds kernels: that compiles them."""
        for path in kernels.sources():
            import_module(".".join(path.relative_to(kernels.ROOT).with_suffix("").parts))
        place = kernels.DIRECTORY or "nowhere: no cache directory can be written"
        self.stdout.write(f"{len(kernels.sources())} modules of kernels are compiled, in {place}.")
