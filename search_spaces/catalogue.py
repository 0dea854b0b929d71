"""All hand-designed networks by name: the members of every family, under the names of the literature's tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import chain
from types import MappingProxyType

from nas.arch import Arch
from search_spaces import (
    alexnet,
    condensenet,
    densenet,
    efficientnet,
    fbnet,
    ghostnet,
    googlenet,
    igcv,
    inception_v3,
    inception_v4,
    lcnet,
    lenet,
    mnasnet,
    mobilenet_v1,
    mobilenet_v2,
    mobilenet_v3_designs,
    mobilenet_v4,
    nin,
    resnet,
    shufflenet_v1,
    shufflenet_v2,
    squeezenet,
    tiny_darknet,
    vgg,
    xception,
)

FAMILIES: tuple[Mapping[str, Callable[..., Arch]], ...] = (
    mobilenet_v1.MEMBERS,
    mobilenet_v2.MEMBERS,
    mobilenet_v3_designs.MEMBERS,
    mobilenet_v4.MEMBERS,
    mnasnet.MEMBERS,
    efficientnet.MEMBERS,
    fbnet.MEMBERS,
    ghostnet.MEMBERS,
    igcv.MEMBERS,
    shufflenet_v1.MEMBERS,
    shufflenet_v2.MEMBERS,
    lcnet.MEMBERS,
    squeezenet.MEMBERS,
    condensenet.MEMBERS,
    tiny_darknet.MEMBERS,
    lenet.MEMBERS,
    alexnet.MEMBERS,
    vgg.MEMBERS,
    nin.MEMBERS,
    resnet.MEMBERS,
    xception.MEMBERS,
    densenet.MEMBERS,
    googlenet.MEMBERS,
    inception_v3.MEMBERS,
    inception_v4.MEMBERS,
)
ALIASES: Mapping[str, str] = MappingProxyType(  # short name -> member; not in `MEMBERS`, so that each is listed once
    {
        "mobilenet_v1": "mobilenet_v1_1.0",
        "mobilenet_v2": "mobilenet_v2_1.0",
        "mobilenet_v3_large": "mobilenet_v3_large_1.0",
        "mobilenet_v3_small": "mobilenet_v3_small_1.0",
        "mobilenet_v3_large_minimal": "mobilenet_v3_large_minimal_1.0",
        "mobilenet_v4": "mobilenet_v4_conv_small",
        "mnasnet_b1": "mnasnet_b1_1.0",
        "ghostnet": "ghostnet_1.0",
        "igcv3_d": "igcv3_d_1.0",
        "shufflenet_v1": "shufflenet_v1_1.0x_g3",
        "shufflenet_v2": "shufflenet_v2_1.0x",
        "pp_lcnet": "pp_lcnet_1.0",
        "squeezenet": "squeezenet_1.1",
    }
)
MEMBERS: Mapping[str, Callable[..., Arch]] = MappingProxyType(
    dict(chain.from_iterable(family.items() for family in FAMILIES))
)
NETWORKS: Mapping[str, Callable[..., Arch]] = MappingProxyType(
    {**MEMBERS, **{alias: MEMBERS[name] for alias, name in ALIASES.items()}}
)
