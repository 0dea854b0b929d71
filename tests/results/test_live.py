import io

from rich.console import Console

from nas.results import progress_reporter


def plain_lines(calls):
    """Lines that calls (seconds, stage, done, total, note) print on a console that is no terminal."""
    now = [0.0]
    console = Console(file=io.StringIO(), width=200, force_terminal=False)
    with progress_reporter(console, clock=lambda: now[0]) as progress:
        for seconds, *call in calls:
            now[0] = seconds
            progress(*call)
    return console.file.getvalue().splitlines()


def test_start_end_and_a_line_every_ten_seconds():
    lines = plain_lines([(float(i), "search", i, 35, "") for i in range(36)])
    assert lines == [
        "search 0/35",
        "search 10/35, about 0:25 left",
        "search 20/35, about 0:15 left",
        "search 30/35, about 0:05 left",
        "search 35/35, took 0:35",
    ]


def test_a_resumed_stage_is_estimated_from_what_this_process_did():
    lines = plain_lines([(0.0, "train", 90, 100, ""), (20.0, "train", 95, 100, "loss 0.41")])
    assert lines[-1] == "train 95/100, about 0:20 left, loss 0.41"


def test_a_stage_that_is_gone_through_again_is_estimated_anew():
    lines = plain_lines(
        [
            (0.0, "train", 0, 10, ""),
            (10.0, "train", 10, 10, ""),
            (99.0, "train", 0, 10, ""),
            (109.0, "train", 5, 10, ""),
        ]
    )
    assert lines[-1] == "train 5/10, about 0:10 left"


def test_the_end_is_told_once_and_stages_are_apart():
    calls = [(0.0, "a", 0, 1, ""), (1.0, "a", 1, 1, ""), (1.0, "a", 1, 1, ""), (2.0, "b", 0, 1, "[x]")]
    assert plain_lines(calls) == ["a 0/1", "a 1/1, took 0:01", "b 0/1, [x]"]


def test_a_terminal_gets_live_bars():
    console = Console(file=io.StringIO(), width=120, force_terminal=True)
    with progress_reporter(console) as progress:
        progress("search", 3, 10, "best 84.0%")
        progress("trim", 1, 2, "")
    text = console.file.getvalue()
    assert "3/10" in text
    assert "best 84.0%" in text
    assert "trim" in text
