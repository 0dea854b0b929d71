import copy
import dataclasses
import json

import pytest

from nas.errors import InputError
from nas.results import MeasuredMs, from_dict, load, save

ASKED = {  # by the issue: what a script may rely on
    "verdict",
    "budget_ms",
    "measured_ms",
    "predicted_ms",
    "test_accuracy",
    "validation_accuracy",
    "params",
    "macs",
    "target",
    "host",
    "files",
    "seconds",
}


def test_round_trip_through_the_file(report, tmp_path):
    path = save(report, tmp_path / "report.json")
    assert load(path) == report


def test_holds_what_scripts_rely_on(report):
    data = report.to_dict()
    assert set(data) >= ASKED
    assert set(data["measured_ms"]) == {"median", "low", "high", "p90", "runs"}


def test_verdict_and_error_follow_from_the_measurement(report):
    slow = MeasuredMs(median=0.5, low=0.49, high=0.51, p90=0.6, runs=100)
    assert report.verdict == "PASS"
    assert dataclasses.replace(report, measured_ms=slow).verdict == "FAIL"
    assert dataclasses.replace(report, measured_ms=slow, predicted_ms=0.45).prediction_error_pct == pytest.approx(-10)


def edit(data, path, value):
    *folders, last = path
    for key in folders:
        data = data[key]
    data[last] = value


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        (("schema",), 99, "schema 99"),
        (("verdict",), "FAIL", "verdict"),
        (("budget_ms",), "fast", "report.budget_ms"),
        (("budget_ms",), True, "report.budget_ms"),
        (("params",), 1.5, "a whole number"),
        (("measured_ms", "median"), 0, "must be positive"),
        (("measured_ms", "medain"), 1.0, "did you mean 'median'"),
        (("pareto", 0), 7, r"pareto\[0\]"),
        (("pareto", 0, "note"), None, r"pareto\[0\].note"),
        (("layers",), {}, "expected a list"),
        (("seconds", "search"), [], "seconds.search"),
        (("table", "mean_error_pct"), "low", "mean_error_pct"),
    ],
)
def test_edited_reports_are_refused(report, path, value, says):
    data = json.loads(json.dumps(report.to_dict()))
    edit(data, path, value)
    with pytest.raises(InputError, match=says):
        from_dict(data)


@pytest.mark.parametrize("key", ["budget_ms", "measured_ms", "pareto"])
def test_missing_keys_are_named(report, key):
    data = copy.deepcopy(report.to_dict())
    del data[key]
    with pytest.raises(InputError, match=key):
        from_dict(data)


@pytest.mark.parametrize("value", [None, [], "report", 3])
def test_what_is_not_an_object_is_refused(value):
    with pytest.raises(InputError, match="schema"):
        from_dict(value)


def test_truncated_file_is_refused(report, tmp_path):
    path = save(report, tmp_path / "report.json")
    path.write_text(path.read_text()[:200])
    with pytest.raises(InputError, match="not valid JSON"):
        load(path)
