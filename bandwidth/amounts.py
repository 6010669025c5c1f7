"""Numbers of bytes as templates have them."""

from __future__ import annotations

from django.utils.html import format_html
from django.utils.safestring import SafeString

from bandwidth.units import Unit, in_full, write


class Amount:
    """A number of bytes for a template: its text in a unit, the number itself, and all its digits in words."""

    def __init__(self, count: int, unit: Unit, *, divisor: int = 1, rate: bool = False) -> None:
        self.text = write(count, unit, divisor=divisor, rate=rate)
        self.value = count if divisor == 1 else count / divisor
        self.full = in_full(count, unit) if divisor == 1 else ""

    @property
    def element(self) -> SafeString:
        """Write the amount as an element, as `bandwidth/amount.html` does for a template that has few of them."""
        if self.full:
            return format_html('<data value="{}" title="{}">{}</data>', self.value, self.full, self.text)
        return format_html('<data value="{}">{}</data>', self.value, self.text)
