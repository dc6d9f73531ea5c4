"""What is written is what Prometheus reads."""

from __future__ import annotations

import subprocess

from tests.metrics.reading import names, told, value
from thv.apps.kit.metrics import Counter, Family, Histogram, Kind, Metrics, Told
from thv.apps.kit.metrics_process import process_figures


def some() -> Metrics:
    """One of each."""
    counter = Counter("thv_things_total", "Things that\nhappened.", "what", "how")
    counter.add("a", "well")
    counter.add("a", "well", amount=2)
    counter.add('q"\\\n', "badly")
    gauge = Told(Family("thv_now", Kind.GAUGE, "Now."), lambda: [((), 2)])
    histogram = Histogram("thv_took_seconds", "Took.", "kind", bounds=(0.1, 1))
    for seconds in (0.1, 0.5, 7):
        histogram.observe(seconds, "x")
    return Metrics([counter, gauge, histogram])


PLAIN = """\
# HELP thv_things_total Things that\\nhappened.
# TYPE thv_things_total counter
thv_things_total{what="a",how="well"} 3
thv_things_total{what="q\\"\\\\\\n",how="badly"} 1
# HELP thv_now Now.
# TYPE thv_now gauge
thv_now 2
# HELP thv_took_seconds Took.
# TYPE thv_took_seconds histogram
thv_took_seconds_bucket{kind="x",le="0.1"} 1
thv_took_seconds_bucket{kind="x",le="1.0"} 2
thv_took_seconds_bucket{kind="x",le="+Inf"} 3
thv_took_seconds_sum{kind="x"} 7.6
thv_took_seconds_count{kind="x"} 3
"""


def test_each_kind_is_written_in_the_plain_form() -> None:
    kind, text = some().written()
    assert kind == b"text/plain; version=0.0.4; charset=utf-8"
    assert text.decode() == PLAIN


def test_who_asks_for_the_open_form_gets_it() -> None:
    kind, text = some().written("application/openmetrics-text;version=1.0.0,text/plain;q=0.5")
    assert kind.startswith(b"application/openmetrics-text; version=1.0.0")
    lines = text.decode().splitlines()
    assert lines[1] == "# TYPE thv_things counter"
    assert lines[2] == 'thv_things_total{what="a",how="well"} 3'
    assert lines[-1] == "# EOF"


def test_what_has_no_labels_is_told_from_the_start() -> None:
    metrics = Metrics([Counter("thv_a_total", "A."), Histogram("thv_b", "B.", bounds=(1,))])
    assert value(told(metrics), "thv_a_total") == 0
    assert value(told(metrics), "thv_b_count") == 0


def test_a_process_tells_what_it_takes() -> None:
    text = told(Metrics(process_figures()))
    assert value(text, "thv_build_info") == 1
    resident = value(text, "process_resident_memory_bytes")
    assert resident is not None
    assert resident > 1 << 20
    assert "process_cpu_seconds_total" in names(text)


def test_promtool_finds_nothing_to_say(promtool: str) -> None:
    text = told(some()) + told(Metrics(process_figures()))
    done = subprocess.run(
        [promtool, "check", "metrics"], input=text, text=True, capture_output=True, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
