from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nas._config.compose import compose
from nas._config.folders import CONFIGS, groups
from nas.accuracy import Evaluate, Filter
from nas.arch import Arch, Kind, cost
from nas.config import load
from nas.errors import InputError
from nas.settings import CallableSettings, Settings, SupernetSettings
from nas.space import Choose, largest, smallest
from nas.training import Sandwich
from search_spaces.mobilenet_v3 import mobilenet_v3_large, mobilenet_v3_small

TARGET = "target=intel_cpu"
NEEDED = {
    "data=folder": ["data.root=somewhere"],
    "data=npz": ["data.path=somewhere"],
    "data=parquet": ["data.root=somewhere"],
    "data=huggingface": ["data.path=somewhere"],
    "accuracy=callable": ["accuracy.evaluator=depth"],
}  # keys that an option leaves to the user
OPTIONS = [f"{group}={name}" for group, names in groups(CONFIGS).items() for name in names]


def one(*overrides: str) -> Settings:
    (settings,) = load(compose([TARGET, *overrides]))
    return settings


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.usefixtures("plugin")
def test_every_option_composes_and_fits_its_dataclass(option: str) -> None:
    settings = one(option, *NEEDED.get(option, []))
    assert settings.make_space(image_channels=3, classes=7).build(largest).ops()


@pytest.mark.parametrize("option", OPTIONS)
def test_every_option_says_when_to_use_it(option: str) -> None:
    group, name = option.split("=")
    assert (CONFIGS / group / f"{name}.yaml").read_text().startswith("# ")


@pytest.mark.parametrize("target", ["target=intel_cpu", "+target=intel_cpu"])
def test_both_spellings_of_a_group(target: str) -> None:
    (config,) = compose([target])
    assert config["target"]["name"] == "intel_cpu"


def test_overrides_are_typed() -> None:
    settings = one("+budget_ms=2", "runs_dir=~/runs", "searcher.trials=7", "space.kernels=[3,5,7]", "device=cpu")
    assert settings.budget_ms == 2.0
    assert settings.runs_dir == Path.home() / "runs"
    assert settings.searcher.trials == 7
    assert settings.device == "cpu"


def test_a_default_of_the_dataclass_can_be_overridden_without_being_in_the_yaml() -> None:
    narrow = one("space.stages=[{widths: [16], depths: [1], stride: 2, kernels: [5]}]")
    arch = narrow.make_space(image_channels=1, classes=2).build(smallest)
    assert {op.kernel for op in arch.ops() if op.kind is Kind.CONV} == {(1, 1), (3, 3), (5, 5)}


def test_sweeps_make_one_run_for_each_combination() -> None:
    runs = load(compose([TARGET, "budget_ms=1,2.5", "seed=range(0,3)"], multirun=True))
    assert [(run.budget_ms, run.seed) for run in runs] == [(b, s) for b in (1, 2.5) for s in (0, 1, 2)]
    assert len({run.name for run in runs}) == 6


def test_the_name_follows_from_what_decides_the_result() -> None:
    assert one().name == one("+device=cpu", "runs_dir=elsewhere").name
    assert one().name != one("seed=1").name
    assert one("name=mine").name == "mine"


def test_a_sweep_cannot_share_one_name() -> None:
    with pytest.raises(InputError, match="name=mine would be shared by 2 runs"):
        load(compose([TARGET, "name=mine", "seed=0,1"], multirun=True))


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ([], "You must specify 'target'.*intel_cpu"),
        (["target=intel_cup"], r"unknown target 'intel_cup' \(did you mean 'intel_cpu'\?\)"),
        ([TARGET, "buget_ms=1"], r"unknown key 'buget_ms' \(did you mean 'budget_ms'\?\)"),
        ([TARGET, "spcae=mobilenet_v3_28px"], r"unknown key 'spcae' \(did you mean 'space'\?\)"),
        ([TARGET, "searcher.trails=5"], r"unknown key 'searcher.trails' \(did you mean 'trials'\?\)"),
        ([TARGET, "searcher.sampler=tep"], "did you mean 'tpe'"),
        ([TARGET, "searcher.trials=0"], "searcher.trials = 0"),
        ([TARGET, "space.kernel=[3]"], r"unknown key 'space.kernel' \(did you mean 'kernels'\?\)"),
        ([TARGET, "space.kernels=[4]"], "must be odd"),
        ([TARGET, "space.kind=resnet"], "unknown space.kind 'resnet'; known: mobilenet_v3"),
        ([TARGET, "space.classes=10"], "unknown key 'space.classes'"),
        ([TARGET, "~space"], "space = None: expected a group of keys"),
        ([TARGET, "data=folder"], "data.root is not set; give data.root=<value>"),
        ([TARGET, "data=folder", "data.root=x", "data.size_px=0"], "data.size_px = 0"),
        ([TARGET, "accuracy=supernett"], r"unknown accuracy 'supernett' \(did you mean 'supernet'\?\)"),
        ([TARGET, "accuracy.kind=supernett"], r"unknown accuracy.kind 'supernett' \(did you mean 'supernet'\?\)"),
        ([TARGET, "accuracy.strategy=sandwhich"], r"accuracy.strategy = 'sandwhich'.*did you mean 'sandwich'"),
        ([TARGET, "accuracy.largest_of=0"], "accuracy.largest_of=0 must be at least 1"),
        ([TARGET, "accuracy.strategy=sandwich", "accuracy.random_paths=-1"], "accuracy.random_paths=-1"),
        ([TARGET, "finetune.lr=-1"], "^finetune.lr=-1 must be above 0"),
        ([TARGET, "finetune.augment.mixup=-1"], "^finetune.augment.mixup = -1: must be at least 0"),
        ([TARGET, "accuracy.recipe.augment.erase=2"], "^accuracy.recipe.augment.erase = 2: must lie between"),
        ([TARGET, "accuracy.recalibration_images=0"], "accuracy.recalibration_images = 0: must be at least 1"),
        ([TARGET, "accuracy.filter=naswott"], r"unknown accuracy.filter 'naswott' \(did you mean 'naswot'\?\)"),
        (
            [TARGET, "accuracy.filter=zico", "accuracy.filter_share=0"],
            "accuracy.filter_share = 0: the share that passes",
        ),
        ([TARGET, "accuracy.filter=zico", "accuracy.filter_share=1.5"], "must be above 0 and at most 1"),
        ([TARGET, "accuracy=zero_cost", "accuracy.score=synflw"], r"unknown accuracy.score 'synflw' \(did you mean 's"),
        ([TARGET, "accuracy=zero_cost", "accuracy.images=1"], "accuracy.images = 1: must be at least 8"),
        ([TARGET, "accuracy=zero_cost", "accuracy.filter=macs"], "leave it out with zero_cost"),
        ([TARGET, "accuracy.blend_share=2"], "accuracy.blend_share=2 must lie between 0 and 1"),
        ([TARGET, "accuracy=zero_cost", "+accuracy.blend=macs"], "unknown key 'accuracy.blend'"),
        ([TARGET, "accuracy.blend=naswott"], r"unknown accuracy.blend 'naswott' \(did you mean 'naswot'\?\)"),
        ([TARGET, "accuracy=short_training", "accuracy.kept_share=2"], "accuracy.kept_share = 2"),
        ([TARGET, "accuracy=short_training", "accuracy.first=0"], "accuracy.first = 0"),
        (
            [TARGET, "accuracy=short_training", "accuracy.recipe={steps: 5}", "accuracy.recipe.epochs=null"],
            "after epochs",
        ),
        (
            [TARGET, "accuracy=short_training", "accuracy.start=supernet", "accuracy.supernet=null"],
            "needs accuracy.sup",
        ),
        ([TARGET, "accuracy=callable"], "accuracy.evaluator is not set; give accuracy.evaluator=<value>"),
        ([TARGET, "accuracy=callable", "accuracy.evaluator=mine"], "unknown accuracy.evaluator 'mine'; known: none"),
        ([TARGET, "train.start=nowhere"], "train.start = 'nowhere': expected one of inherited, scratch"),
        ([TARGET, "catalogue=1"], "unknown key 'catalogue'"),
        ([TARGET, "budget_ms=0"], "budget_ms = 0: must be above 0"),
        ([TARGET, "budget_ms=-1"], "budget_ms = -1: must be above 0"),
        ([TARGET, "budget_ms=nan"], "budget_ms = nan: expected a finite number"),
        ([TARGET, "budget_ms=inf"], "budget_ms = inf: expected a finite number"),
        ([TARGET, "budget_ms=fast"], "budget_ms = 'fast': expected a number"),
        ([TARGET, "budget_ms=true"], "budget_ms = True: expected a number"),
        ([TARGET, "seed=-1"], "seed = -1"),
        ([TARGET, "device=gpu"], "device = 'gpu': expected one of auto, cpu, cuda"),
        ([TARGET, "budget_ms"], "'budget_ms' is not an override; write key=value"),
        ([TARGET, "budget_ms=[1"], "quote values with special characters"),
        ([TARGET, "budget_ms=1,2"], "several values; add -m"),
        ([TARGET, "name=${nowhere}"], "nowhere"),
        ([TARGET, "hydra.run.dir=x"], "runs_dir"),
        ([TARGET, "~sed"], "sed"),
        ([TARGET, "finetune._target_=os.system"], "unknown key 'finetune._target_'"),
    ],
)
def test_bad_input_is_one_clear_line(overrides: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        load(compose(overrides))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("sweep", ["seed=interval(0,1)", "seed=glob(*)"])
def test_sweeps_without_listed_values_are_refused(sweep: str) -> None:
    with pytest.raises(InputError, match="a sweep lists its values"):
        compose([TARGET, sweep], multirun=True)


class TestUserFolder:
    def test_adds_options(self, tmp_path: Path) -> None:
        (tmp_path / "target").mkdir()
        text = (CONFIGS / "target" / "intel_cpu.yaml").read_text()
        (tmp_path / "target" / "mine.yaml").write_text(text.replace("name: intel_cpu", "name: mine"))
        (settings,) = load(compose(["+target=mine"], config_dir=tmp_path))
        assert settings.target.name == "mine"

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("a: &a [1, 2]\nb: [*a, *a]\n", "anchors and aliases"),
            ("a: [1\n", "not valid YAML"),
            ("# " + "x" * 200_000, "at most 100000"),
        ],
    )
    def test_files_must_be_small_and_plain(self, tmp_path: Path, text: str, message: str) -> None:
        (tmp_path / "target").mkdir()
        (tmp_path / "target" / "mine.yaml").write_text(text)
        with pytest.raises(InputError, match=message):
            compose(["target=mine"], config_dir=tmp_path)

    def test_cannot_hide_ours(self, tmp_path: Path) -> None:
        (tmp_path / "target").mkdir()
        (tmp_path / "target" / "intel_cpu.yaml").write_text("name: other\n")
        with pytest.raises(InputError, match="ships with underbudget"):
            compose([TARGET], config_dir=tmp_path)

    def test_must_exist(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="no such folder"):
            compose([TARGET], config_dir=tmp_path / "none")


PLUGIN = """
from dataclasses import dataclass
from search_spaces.mobilenet_v3 import mobilenet_v3_small

@dataclass(frozen=True, kw_only=True)
class Small:
    name: str
    image_channels: int
    classes: int
    widths: tuple[float, ...]

    def build(self, choose):
        return mobilenet_v3_small(width=choose("width", self.widths), size_px=32, classes=self.classes)

def function():
    pass

def depth(arch):
    return len(arch.layers)

@dataclass(frozen=True, kw_only=True)
class Weighted:
    weight: float
    seed: int

    def __call__(self, arch):
        return self.weight * len(arch.layers) + self.seed
"""


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another package, installed, with a space of its own and a broken one."""
    (tmp_path / "some_plugin.py").write_text(PLUGIN)
    info = tmp_path / "some_plugin-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: some-plugin\nVersion: 1.0\n")
    points = "[underbudget.spaces]\nsmall = some_plugin:Small\nbroken = some_plugin:function\n"
    points += "[underbudget.evaluators]\ndepth = some_plugin:depth\nweighted = some_plugin:Weighted\n"
    (info / "entry_points.txt").write_text(points)
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.usefixtures("plugin")
class TestInstalledSpaces:
    @staticmethod
    def load(folder: Path, text: str) -> Settings:
        (folder / "space").mkdir(exist_ok=True)
        (folder / "space" / "mine.yaml").write_text(text)
        (settings,) = load(compose([TARGET, "space=mine"], config_dir=folder))
        return settings

    def test_are_found_by_name_and_checked_like_ours(self, tmp_path: Path) -> None:
        settings = self.load(tmp_path, "{kind: small, name: mine, widths: [0.5, 1]}")
        arch = settings.make_space(image_channels=3, classes=4).build(smallest)
        assert arch.widths["classes"] == 4
        with pytest.raises(InputError, match=r"unknown key 'space.width' \(did you mean 'widths'\?\)"):
            self.load(tmp_path, "{kind: small, name: mine, width: [0.5, 1]}")

    def test_must_be_dataclasses(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="must be a dataclass"):
            self.load(tmp_path, "{kind: broken}")


@pytest.mark.usefixtures("plugin")
class TestInstalledEvaluators:
    @staticmethod
    def make(*overrides: str) -> Evaluate:
        settings = one("accuracy=callable", *overrides).accuracy
        assert isinstance(settings, CallableSettings)
        return settings.make(dataset=one().load_data(), device="cpu", seed=3)

    def test_a_function(self) -> None:
        arch = one().make_space(image_channels=1, classes=2).build(smallest)
        assert self.make("accuracy.evaluator=depth")(arch) == len(arch.layers)

    def test_a_dataclass_is_given_its_options_and_what_it_asks_for(self) -> None:
        arch = one().make_space(image_channels=1, classes=2).build(smallest)
        evaluate = self.make("accuracy.evaluator=weighted", "accuracy.options={weight: 2}")
        assert evaluate(arch) == 2 * len(arch.layers) + 3

    @pytest.mark.parametrize(
        ("overrides", "message"),
        [
            (["accuracy.evaluator=dept"], r"unknown accuracy.evaluator 'dept' \(did you mean 'depth'\?\)"),
            (["accuracy.evaluator=depth", "accuracy.options={weight: 2}"], "unknown key 'accuracy.options.weight'"),
            (["accuracy.evaluator=weighted", "accuracy.options={wait: 2}"], "unknown key 'accuracy.options.wait'"),
        ],
    )
    def test_bad_input(self, overrides: list[str], message: str) -> None:
        with pytest.raises(InputError, match=message):
            self.make(*overrides)


def test_strategies_and_filters_are_words() -> None:
    settings = one("accuracy.strategy=sandwich", "accuracy.random_paths=3", "accuracy.filter=synflow")
    assert isinstance(settings.accuracy, SupernetSettings)
    assert settings.accuracy.make_strategy() == Sandwich(random_paths=3)
    assert settings.cheap_filter == Filter(proxy="synflow", share=0.5)
    assert isinstance(one("accuracy=supernet_gpu").accuracy.make_strategy(), Sandwich)


def test_the_smoke_preset_shrinks_every_kind_of_accuracy() -> None:
    assert one("preset=smoke").accuracy.recipe.epochs == 1
    short = one("preset=smoke", "accuracy=short_training").accuracy
    assert (short.recipe.epochs, short.supernet.recipe.epochs) == (1, 1)
    assert one("preset=smoke", "accuracy=zero_cost").searcher.trials == 5
    assert one("preset=smoke", "accuracy.recipe.epochs=3").accuracy.recipe.epochs == 3


class TestData:
    def test_embedded(self) -> None:
        data = one().load_data()
        assert len(data.classes) == 10

    def test_a_folder_is_resized_to_the_space(self, tmp_path: Path) -> None:
        rng = np.random.default_rng(0)
        for name in ("cat", "dog"):
            (tmp_path / name).mkdir()
            for i in range(10):
                Image.fromarray(rng.integers(0, 255, (8, 8, 3), np.uint8)).save(tmp_path / name / f"{i}.png")
        data = one("data=folder", f"data.root={tmp_path}").load_data()
        assert data.classes == ("cat", "dog")
        assert data.train.shape == (28, 28, 3)
        assert one("data=folder", f"data.root={tmp_path}", "data.size_px=12").load_data().train.shape[0] == 12


def blocks_by_size(arch: Arch) -> dict[int, list[tuple[int, float]]]:
    """Inverted residuals by the size of their output, px: (channels out, expansion)."""
    found = defaultdict(list)
    stem, *convolutions = [op for op in arch.ops() if op.kind is Kind.CONV]
    source = stem.out_channels
    for op, project in pairwise(convolutions):
        if op.depthwise:
            found[project.out_px].append((project.out_channels, op.in_channels / source))
            source = project.out_channels
    return found


def at_224_px(choose: Choose) -> Choose:
    return lambda name, options: 224 if name == "size_px" else choose(name, options)


@pytest.mark.parametrize("member", [mobilenet_v3_small(width=0.5), mobilenet_v3_large()], ids=["small x0.5", "large"])
def test_the_224px_space_encloses_mobilenet_v3(member: Arch) -> None:
    space = one("space=mobilenet_v3_224px").make_space(image_channels=3, classes=1000)
    low, high = (space.build(at_224_px(choose)) for choose in (smallest, largest))
    assert cost(low).params <= cost(member).params <= cost(high).params
    assert cost(low).macs <= cost(member).macs <= cost(high).macs
    floor, ceiling = blocks_by_size(low), blocks_by_size(high)
    for size_px, blocks in blocks_by_size(member).items():
        assert len(floor[size_px]) <= len(blocks) <= len(ceiling[size_px])
        for what in (0, 1):  # channels, expansion
            assert min(block[what] for block in floor[size_px]) <= min(block[what] for block in blocks)
            assert max(block[what] for block in blocks) <= max(block[what] for block in ceiling[size_px])
