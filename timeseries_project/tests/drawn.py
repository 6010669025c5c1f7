"""The number of examples that tests draw: few in the short form of the suite (the default), all in the thorough form.

A test gives its number for the thorough form; this module derives the number for the short form. The environment
variable HYPOTHESIS_PROFILE chooses the form: `quick` or `thorough`, which `make test-thorough` sets.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "quick")
THOROUGH = PROFILE == "thorough"

#: The short form draws one in so many examples, but no fewer than a property needs to show an obvious fault.
SHARE = 5
LEAST_OF_A_PROPERTY = 20
LEAST_OF_A_MACHINE = 4


def load_profile() -> None:
    """Load the Hypothesis profile of the chosen form. The suite's conftest calls it before any test is imported."""
    # No deadline: the time of an example depends on how busy the machine is, not on whether the code is right.
    for name in ("quick", "thorough"):
        settings.register_profile(
            name, deadline=None, max_examples=_share(100, LEAST_OF_A_PROPERTY, name == "thorough")
        )
    settings.load_profile(PROFILE)


def drawn(examples: int, *, least: int = LEAST_OF_A_PROPERTY) -> settings:
    """Return settings that try a property on so many examples, which may share fixtures.

    `least` is for a test with many parameters, each of which draws its own examples.
    """
    return settings(
        max_examples=_share(examples, least),
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )


def lives(examples: int, *, steps: int) -> settings:
    """Return settings that run a state machine so many times, each time for so many steps."""
    return settings(max_examples=_share(examples, LEAST_OF_A_MACHINE), stateful_step_count=steps, deadline=None)


def _share(examples: int, least: int, thorough: bool = THOROUGH) -> int:
    return examples if thorough else max(min(examples, least), examples // SHARE)
