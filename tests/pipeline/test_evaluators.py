"""The whole job with other evaluators than the supernet, and what a run writes down of its data."""

from __future__ import annotations

import json

import pytest

from nas.results import load
from tests.pipeline.conftest import SETTINGS, Home

KEPT = [text for text in SETTINGS if not text.startswith("accuracy.")]


class Other(Home):
    """The tiny job without the settings of the supernet."""

    def argv(self, *more: str) -> list[str]:
        places = (f"runs_dir={self.path / 'runs'}", f"tables_dir={self.path / 'tables'}", f"data.root={self.images}")
        return [*KEPT, *places, *more]


@pytest.fixture
def other(tmp_path, images) -> Other:
    return Other(path=tmp_path / "home", images=images)


def test_a_zero_cost_score_ranks_and_the_winner_is_trained_then(other, steady) -> None:
    asked = ("accuracy=zero_cost", "accuracy.score=synflow", "accuracy.images=16")
    outcome = other.do("search", *asked)
    assert outcome.code == 0, outcome.err
    report = load(other.run.report)
    assert report.search.evaluator == "zero_cost synflow"
    assert report.search.inherited_accuracy is None
    assert report.pareto == report.evaluated == ()
    assert any("are no accuracies and only rank" in note for note in report.notes)
    assert "no accuracy is predicted by zero_cost synflow" in outcome.out
    assert {"train", "finetune"} <= set(report.seconds)
    assert "supernet" not in report.seconds
    before = other.files()
    assert other.do("search", *asked).code == 0
    again = other.files()
    weights = other.run.weights.relative_to(other.path)
    assert before[weights] == again[weights]
    assert [path for path in again if path.name == "start.safetensors"]


def test_short_trainings_behind_a_filter(other, steady) -> None:
    asked = ("accuracy=short_training", "accuracy.recipe.epochs=1", "accuracy.recipe.batch=32")
    outcome = other.do("search", *asked, "accuracy.recalibration_images=64", "accuracy.filter=macs")
    assert outcome.code == 0, outcome.err
    report = load(other.run.report)
    assert report.search.evaluator == "short_training, after zero_cost macs"
    assert report.search.trials == 3
    assert report.search.inherited_accuracy is not None
    assert report.search.standard_error == pytest.approx(
        (report.search.inherited_accuracy * (1 - report.search.inherited_accuracy) / 12) ** 0.5
    )
    assert any("candidates were scored; the others zero_cost macs declined" in note for note in report.notes)
    assert (other.run.path / "filter" / "macs.json").exists()


def test_a_supernet_blended_with_a_zero_cost_score(copied) -> None:
    outcome = copied.do("search", "accuracy.blend=naswot", "name=blended")
    assert outcome.code == 0, outcome.err
    report = load(copied.path / "runs" / "blended" / "report.json")
    assert report.search.evaluator == "supernet and zero_cost naswot"
    assert "(supernet and zero_cost naswot), trained " in outcome.out
    assert len(list((copied.path / "runs" / ".cache").glob("supernet-*"))) == 1  # the plain run's


def test_an_accuracy_without_a_supernet_trains_none(other, steady) -> None:
    outcome = other.do("train", "accuracy=zero_cost")
    assert outcome.code == 2
    assert outcome.err.startswith("error: this accuracy has no supernet")


def test_predicted_accuracy_stands_beside_the_trained_one(done) -> None:
    home, outcome = done
    report = load(home.run.report)
    share = report.search.inherited_accuracy
    assert report.search.standard_error == pytest.approx((share * (1 - share) / 12) ** 0.5)
    assert f"predicted {share:.1%} ± " in outcome.out
    assert f"(supernet), trained {report.validation_accuracy:.1%}" in outcome.out
    assert "(supernet)" in home.run.html.read_text()


def test_scores_are_kept_beside_their_supernet(done) -> None:
    home, _ = done
    (scores,) = (home.path / "runs" / ".cache").rglob("scores-*.json")
    assert len(json.loads(scores.read_text())["scores"]) == 3
    assert list(scores.parent.glob("supernet*.safetensors"))


def test_the_run_says_what_its_data_are(done) -> None:
    home, _ = done
    data = json.loads(home.run.data.read_text())
    assert (data["size_px"], data["channels"], data["classes"]) == (16, 1, ["across", "down", "rings"])
    assert sum(data["images"].values()) == 120
    assert home.run.split.exists()
    assert (load(home.run.report).data.size_px, load(home.run.report).data.channels) == (16, 1)


def test_a_run_does_not_go_on_with_other_images(copied, untrained) -> None:
    known = json.loads(copied.run.data.read_text())
    copied.run.data.write_text(json.dumps({**known, "digest": "0" * 12}))
    untrained()
    outcome = copied.do("search")
    assert outcome.code == 2
    assert "began with other images or labels" in outcome.err


@pytest.mark.parametrize("spoil", ["edited", "cut"])
def test_damaged_scores(copied, untrained, spoil) -> None:
    (scores,) = (copied.path / "runs" / ".cache").rglob("scores-*.json")
    text = scores.read_text()
    scores.write_text(text[:-30] if spoil == "cut" else text.replace('"checksum": "', '"checksum": "0'))
    copied.run.journal.unlink()
    copied.run.report.unlink()
    untrained()
    outcome = copied.do("search")
    (line,) = outcome.err.splitlines()
    assert outcome.code == 2
    assert str(scores) in line
