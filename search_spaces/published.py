"""What the literature reports of the hand-designed networks: ImageNet top-1 accuracy, per cent, and who says so.

Figures of other people's training runs, at the resolution that it was reported for; they are copied, not reproduced.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

# Name -> (top-1 per cent, pixels of the image, source).
PUBLISHED: Mapping[str, tuple[float, int, str]] = MappingProxyType(
    {
        "mobilenet_v1_1.0": (70.6, 224, "megvii ShuffleNet-Series README (29.4 err)"),
        "mobilenet_v2_1.0": (72.0, 224, "MobileNetV3 paper table 3"),
        "mobilenet_v3_large_1.0": (75.2, 224, "MobileNetV3 paper table 3"),
        "mobilenet_v3_large_0.75": (73.3, 224, "MobileNetV3 paper table 3"),
        "mobilenet_v3_small_1.0": (67.4, 224, "MobileNetV3 paper table 3"),
        "mobilenet_v3_small_0.75": (65.4, 224, "MobileNetV3 paper table 3"),
        "shufflenet_v1_0.5x_g3": (57.3, 224, "megvii README"),
        "shufflenet_v1_1.0x_g3": (67.8, 224, "megvii README"),
        "shufflenet_v1_1.5x_g3": (71.6, 224, "megvii README"),
        "shufflenet_v1_2.0x_g3": (74.1, 224, "megvii README"),
        "shufflenet_v1_0.5x_g8": (58.8, 224, "megvii README"),
        "shufflenet_v1_1.0x_g8": (68.0, 224, "megvii README"),
        "shufflenet_v1_1.5x_g8": (71.0, 224, "megvii README"),
        "shufflenet_v1_2.0x_g8": (72.9, 224, "megvii README"),
        "shufflenet_v2_0.5x": (61.1, 224, "megvii README"),
        "shufflenet_v2_1.0x": (69.4, 224, "megvii README"),
        "shufflenet_v2_1.5x": (72.6, 224, "megvii README"),
        "shufflenet_v2_2.0x": (75.0, 224, "megvii README"),
        "squeezenet_1.0": (59.6, 224, "PaddleClas model_list"),
        "squeezenet_1.1": (60.1, 224, "PaddleClas model_list"),
        "mnasnet_a1": (75.2, 224, "tensorflow/tpu mnasnet README (text says 312M)"),
        "mnasnet_small": (66.0, 224, "tensorflow/tpu mnasnet README"),
        "efficientnet_b0": (76.3, 224, "EfficientNet paper acc (tpu README)"),
        "efficientnet_b1": (78.8, 240, "PaddleClas FLOPs @240"),
        "efficientnet_b2": (79.8, 260, "PaddleClas @260"),
        "efficientnet_b3": (81.1, 300, "PaddleClas @300"),
        "efficientnet_b4": (82.6, 380, "PaddleClas @380"),
        "efficientnet_b5": (83.3, 456, "PaddleClas @456"),
        "efficientnet_b6": (84.0, 528, "PaddleClas @528"),
        "efficientnet_b7": (84.3, 600, "PaddleClas @600"),
        "efficientnet_lite0": (75.1, 224, "tensorflow/tpu efficientnet/lite README"),
        "pp_lcnet_0.35": (58.09, 224, "PaddleClas"),
        "pp_lcnet_0.5": (63.14, 224, "PaddleClas"),
        "pp_lcnet_0.75": (68.18, 224, "PaddleClas"),
        "pp_lcnet_1.0": (71.32, 224, "PaddleClas"),
        "pp_lcnet_1.5": (73.71, 224, "PaddleClas"),
        "ghostnet_0.5": (66.88, 224, "PaddleClas"),
        "ghostnet_1.0": (73.98, 224, "ghostnet_pytorch/readme.md"),
        "ghostnet_1.3": (75.79, 224, "PaddleClas"),
        "condensenet74_C4G4": (73.8, 224, "CondenseNet README"),
        "condensenet74_C8G8": (71.0, 224, "CondenseNet README"),
        "igcv3_d_1.0": (72.2, 224, "homles11/IGCV3 README"),
        "resnext50_32x4d": (77.75, 224, "PaddleClas"),
        "densenet121": (75.66, 224, "PaddleClas"),
        "fbnet_c": (75.2, 224, "facebookresearch/mobile-vision README"),
        "mixnet_s": (76.28, 224, "PaddleClas"),
        "mixnet_m": (77.67, 224, "PaddleClas"),
        "mixnet_l": (78.6, 224, "PaddleClas"),
        "rexnet_1.0": (77.46, 224, "PaddleClas"),
    }
)
