"""Reading /metrics in tests."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families
from rest_framework.test import APIClient

Labels = frozenset[tuple[str, str]]


class Samples(dict[tuple[str, Labels], float]):
    """The values of an exposition, by name and labels."""

    @classmethod
    def parse(cls, text: str) -> Samples:
        """Read Prometheus' text format; fail if a series occurs twice."""
        found = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
        samples = cls({(sample.name, frozenset(sample.labels.items())): sample.value for sample in found})
        assert len(samples) == len(found)
        return samples

    @classmethod
    def ask(cls, api: APIClient) -> Samples:
        """Scrape the service."""
        return cls.parse(api.get("/metrics").content.decode())

    def value(self, name: str, **labels: object) -> float:
        """Return a value; 0 if the series does not exist yet."""
        return self.get((name, frozenset((key, str(value)) for key, value in labels.items())), 0)

    def labels(self) -> dict[str, set[str]]:
        """Return the names of all series, each with the names of its labels."""
        found: dict[str, set[str]] = {}
        for name, labels in self:
            found.setdefault(name, set()).update(key for key, _ in labels)
        return found
