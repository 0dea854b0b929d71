from pathlib import Path

import pytest

from nas.arch import digest
from search_spaces import catalogue
from search_spaces.catalogue import ALIASES, FAMILIES, MEMBERS, NETWORKS


def test_no_two_families_share_a_name():
    assert len(MEMBERS) == sum(map(len, FAMILIES))


def test_aliases_are_shorter_names_of_members():
    assert not set(ALIASES) & set(MEMBERS)
    assert all(NETWORKS[alias] is MEMBERS[name] for alias, name in ALIASES.items())
    assert all(len(alias) < len(name) for alias, name in ALIASES.items())


def test_every_family_with_members_is_in_the_catalogue():
    folder = Path(catalogue.__file__).parent
    families = {path.stem for path in folder.glob("*.py") if "\nMEMBERS" in path.read_text(encoding="utf-8")}
    assert families - {"catalogue"} == {name for name in families if hasattr(catalogue, name)}


@pytest.mark.parametrize("name", ["mobilenet_v2_1.0", "mnasnet_a1", "ghostnet_0.5"])
def test_members_are_values(name):
    assert digest(MEMBERS[name]()) == digest(MEMBERS[name]())
