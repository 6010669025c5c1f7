"""How much the tests draw: little in the short form of the suite, which is the default, and all in the thorough form.

A test says how much the thorough form draws; what the short form draws of it is decided here. The environment
variable HYPOTHESIS_PROFILE chooses: `quick` or `thorough`, as `make test-thorough` sets it.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "quick")
THOROUGH = PROFILE == "thorough"

#: The short form draws one example of so many, but never fewer than a property needs to show a plain fault.
SHARE = 5
LEAST_OF_A_PROPERTY = 20
LEAST_OF_A_MACHINE = 4


def load_profile() -> None:
    """Let Hypothesis draw what the form says. Called by the suite's conftest, before any test is imported."""
    # How long a drawn case takes says how busy the machine is, not whether the code is right.
    for name in ("quick", "thorough"):
        settings.register_profile(
            name, deadline=None, max_examples=_share(100, LEAST_OF_A_PROPERTY, name == "thorough")
        )
    settings.load_profile(PROFILE)


def drawn(examples: int, *, least: int = LEAST_OF_A_PROPERTY) -> settings:
    """Return how often a property is tried; its fixtures may be shared by the examples.

    `least` is for a property that stands under many parameters, which draw beside one another.
    """
    return settings(
        max_examples=_share(examples, least),
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )


def lives(examples: int, *, steps: int) -> settings:
    """Return how many lives of a state machine are tried, each of so many steps."""
    return settings(max_examples=_share(examples, LEAST_OF_A_MACHINE), stateful_step_count=steps, deadline=None)


def _share(examples: int, least: int, thorough: bool = THOROUGH) -> int:
    return examples if thorough else max(min(examples, least), examples // SHARE)
