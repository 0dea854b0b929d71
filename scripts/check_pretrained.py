"""Published weights in our networks: equal outputs of torchvision's and timm's networks and ours; by hand.

    python -m venv /tmp/references
    /tmp/references/bin/pip install torch==2.13.0 numpy safetensors pillow pyyaml huggingface_hub
    /tmp/references/bin/pip install --no-deps torchvision timm
    /tmp/references/bin/python scripts/check_pretrained.py [--only NAME ...] [--json FILE]

In an environment of its own: the project needs neither library. Each reference gets seeded weights and batch-norm
statistics, is written as a state dict (torchvision: `torch.save`, timm: safetensors), read by `nas.load_pretrained`
and compared at 224 px. A minute. Exit code 1 where an output differs by more than 1e-4.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import safetensors.torch
import torch
from torch import Tensor, nn

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from nas.net import Network  # noqa: E402 - the project is not installed beside the references
from nas.pretrained import load_pretrained  # noqa: E402
from search_spaces.catalogue import NETWORKS  # noqa: E402

SIZE_PX = 224
IMAGES = 4
BOUND = 1e-4
OPERATORS: Any = cast("Any", torch.library).Library("torchvision", "DEF")  # they live as long as this does
PAIRS = (  # ours, library, theirs
    ("mobilenet_v2_1.0", "torchvision", "mobilenet_v2"),
    ("mobilenet_v3_large_1.0", "torchvision", "mobilenet_v3_large"),
    ("mobilenet_v3_small_1.0", "torchvision", "mobilenet_v3_small"),
    ("efficientnet_b0", "torchvision", "efficientnet_b0"),
    ("shufflenet_v2_0.5x", "torchvision", "shufflenet_v2_x0_5"),
    ("shufflenet_v2_1.0x", "torchvision", "shufflenet_v2_x1_0"),
    ("mnasnet_b1_1.0", "torchvision", "mnasnet1_0"),
    ("squeezenet_1.0", "torchvision", "squeezenet1_0"),
    ("squeezenet_1.1", "torchvision", "squeezenet1_1"),
    ("resnet18", "torchvision", "resnet18"),
    ("resnet50", "torchvision", "resnet50"),
    ("resnext50_32x4d", "torchvision", "resnext50_32x4d"),
    ("densenet121", "torchvision", "densenet121"),
    ("alexnet", "torchvision", "alexnet"),
    ("vgg16", "torchvision", "vgg16"),
    ("mobilenet_v1_1.0", "timm", "mobilenetv1_100"),
    ("mobilenet_v2_1.0", "timm", "mobilenetv2_100"),
    ("mobilenet_v3_large_1.0", "timm", "mobilenetv3_large_100"),
    ("mobilenet_v3_small_1.0", "timm", "mobilenetv3_small_100"),
    ("efficientnet_b0", "timm", "efficientnet_b0"),
    ("efficientnet_lite0", "timm", "efficientnet_lite0"),
    ("mnasnet_a1", "timm", "semnasnet_100"),
    ("mnasnet_b1_1.0", "timm", "mnasnet_100"),
    ("pp_lcnet_1.0", "timm", "lcnet_100"),
    ("ghostnet_1.0", "timm", "ghostnet_100"),
    ("mobilenet_v4_conv_small", "timm", "mobilenetv4_conv_small"),
    ("resnet18", "timm", "resnet18"),
    ("resnet50", "timm", "resnet50"),
    ("densenet121", "timm", "densenet121"),
)


def import_libraries() -> dict[str, Any]:
    """The references by name; torchvision's compiled operators, missing beside a CPU build of torch, get names only."""
    for operator in ("nms", "qnms"):
        OPERATORS.define(f"{operator}(Tensor boxes, Tensor scores, float threshold) -> Tensor")
    return {name: importlib.import_module(name) for name in ("torchvision", "timm")}


def reference(library: str, name: str, libraries: dict[str, Any]) -> nn.Module:
    """A reference with seeded weights, scales, shifts and statistics."""
    torch.manual_seed(0)
    make = libraries["timm"].create_model if library == "timm" else libraries["torchvision"].models.get_model
    model: nn.Module = make(name)
    with torch.no_grad():
        for module in model.modules():
            match module:
                case nn.BatchNorm2d():
                    module.momentum = None  # the statistics of all batches seen
                    module.weight.uniform_(0.5, 1.5)
                    module.bias.normal_(0, 0.2)
                case nn.Linear():  # logits of about 1, so that the bound means something
                    module.weight.normal_(0, module.in_features**-0.5)
                    module.bias.normal_()
        model.train()(images(seed=1))
    return model.eval()


def images(*, seed: int) -> Tensor:
    """Normal noise (n, 3, px, px)."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(IMAGES, 3, SIZE_PX, SIZE_PX, generator=generator)


def saved(model: nn.Module, library: str, folder: Path) -> Path:
    """Its state dict as a file, in the format that the library publishes."""
    if library == "torchvision":
        torch.save(model.state_dict(), folder / "weights.pth")
        return folder / "weights.pth"
    safetensors.torch.save_model(model, str(folder / "weights.safetensors"))
    return folder / "weights.safetensors"


def compare(only: list[str]) -> Iterator[dict[str, Any]]:
    """One row a pair."""
    libraries = import_libraries()
    for ours, library, theirs in PAIRS:
        if only and ours not in only:
            continue
        model, network = reference(library, theirs, libraries), Network(NETWORKS[ours]()).eval()
        with tempfile.TemporaryDirectory() as folder:
            load_pretrained(network, saved(model, library, Path(folder)))
        x = images(seed=2)
        with torch.inference_mode():
            expected, found = model(x), network(x)
        yield {
            "network": ours,
            "reference": f"{library} {libraries[library].__version__} {theirs}",
            "deviation_of_logits": float(expected.std()),
            "max_difference": float((expected - found.reshape(expected.shape)).abs().max()),
        }


def main() -> None:
    """Check all pairs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", default=[], choices=sorted({ours for ours, _, _ in PAIRS}))
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for row in compare(arguments.only):
        rows.append(row)
        print(
            f"{row['network']:24} {row['reference']:48} logits {row['deviation_of_logits']:.2g}, "
            f"largest difference {row['max_difference']:.1g}",
            flush=True,
        )
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=2) + "\n")
    sys.exit(0 if rows and all(row["max_difference"] <= BOUND for row in rows) else 1)


if __name__ == "__main__":
    main()
