"""Numbers of reports, kept beside the adapters they measure."""

from __future__ import annotations

from twin.evaluations import Evaluations


def test_the_latest_report_of_a_version_is_found_whatever_came_before(store):
    kept = Evaluations(store.db)
    assert kept.latest("a") is None
    kept.add("a", 10.0, "full", {"fidelity": 0.4, "name": "ключ"})
    kept.add("b", 11.0, "quick", {"fidelity": 0.5})
    kept.add("a", 12.0, "gate", {"fidelity": None})
    latest = kept.latest("a")
    assert latest is not None and (latest.kind, latest.at, latest.numbers) == ("gate", 12.0, {"fidelity": None})
    assert [found.kind for found in kept.of("a")] == ["gate", "full"]
    assert kept.of("a")[1].numbers == {"fidelity": 0.4, "name": "ключ"}
