import dataclasses
import io

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from nas.results import MeasuredMs, ParetoRow, screen, show
from nas.results.terminal import device_lines, pareto_table, thin, verdict_line


def row(latency_ms, *, winner=False):
    return ParetoRow(latency_ms=latency_ms, accuracy=0.8, params=1000, macs=2000, winner=winner)


def test_sections_come_in_the_order_of_importance(report):
    text = "\n".join(screen(report))
    parts = ["PASS", "Pareto front", "Device", "Files", "Notes", "Next"]
    places = [text.index(part) for part in parts]
    assert places == sorted(places)


def test_verdict_line_says_everything_on_one_line(report):
    line = verdict_line(report)
    assert line.startswith("PASS  measured 0.371 ms [0.367, 0.376] p90 0.402 <= budget 0.384")
    assert "predicted 0.379 (+2.2%)" in line
    assert line.endswith("test 89.3% top-1 on 2,000 images of Fashion-MNIST (subset)")
    slow = dataclasses.replace(report, measured_ms=MeasuredMs(median=0.5, low=0.4, high=0.6, p90=0.7, runs=9))
    assert verdict_line(slow).startswith("FAIL  measured 0.500 ms [0.400, 0.600] p90 0.700 > budget 0.384")


def test_only_the_verdict_is_wider_than_100_columns(report):
    assert all(len(line) <= 100 for line in screen(report)[1:])


def test_pareto_table_marks_the_winner(report):
    marked = [line for line in pareto_table(report.pareto) if line.startswith(">")]
    assert len(marked) == 1
    assert "0.390" in marked[0]


@given(st.integers(0, 60), st.integers(0, 59), st.integers(2, 10))
def test_thinned_tables_keep_the_ends_and_the_winner(count, winner, limit):
    rows = [row(float(i + 1), winner=i == winner) for i in range(count)]
    kept = thin(rows, limit)
    assert len(kept) <= max(limit, 3)
    assert [r.latency_ms for r in kept] == sorted(r.latency_ms for r in kept)
    if count:
        assert {rows[0], rows[-1]} <= set(kept)
    assert (winner < count) == any(r.winner for r in kept)


def test_device_line_tells_when_the_host_is_not_the_target(report):
    assert "promises GenuineIntel, this host is AuthenticAMD" in device_lines(report)[1]
    intel = dataclasses.replace(report.host, vendor="GenuineIntel", threads=2)
    (line,) = device_lines(dataclasses.replace(report, host=intel))
    assert "2 threads" in line


def test_text_in_square_brackets_is_not_markup(report):
    console = Console(file=io.StringIO(), width=60, force_terminal=False)
    show(dataclasses.replace(report, notes=("[red]as is[/red]",)), console)
    text = console.file.getvalue()
    assert "[red]as is[/red]" in text
    assert text == "\n".join(screen(dataclasses.replace(report, notes=("[red]as is[/red]",)))) + "\n"


def test_sections_with_nothing_to_say_are_left_out(report):
    text = "\n".join(screen(dataclasses.replace(report, notes=(), next=())))
    assert "Notes" not in text
    assert "Next" not in text


def test_throughput_is_told_of_batches(report):
    intel = dataclasses.replace(report.host, vendor="GenuineIntel", batch=8)
    measured = dataclasses.replace(report.measured_ms, median=4.0)
    _, line = device_lines(dataclasses.replace(report, host=intel, measured_ms=measured))
    assert "2,000 images/s" in line
    assert not any("images/s" in line for line in device_lines(report))
