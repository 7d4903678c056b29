"""The state of objects is noted and put back, by the same containers."""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Any

from genewright.instance_state import InstanceState


class Box:
    def __init__(self, **held: Any) -> None:
        self.__dict__.update(held)


def _never(state: InstanceState, value: Any) -> bool:
    return False


def test_attributes_and_all_kinds_of_containers_come_back_as_the_same_objects() -> None:
    inner = Box(count=0)
    owner = Box(
        number=1, items=[1, [2]], table={"a": {"b": 1}}, seen={1}, last=deque([1, 2], maxlen=2), pair=([0], inner),
        ordered=OrderedDict(a=1, b=2), mine=True,
    )  # fmt: skip
    held = dict(vars(owner))
    state = InstanceState(_never, ("mine",)).keep([owner])
    owner.number, owner.new, owner.mine = 2, 3, False
    owner.items[1].append(5)
    owner.items.append(6)
    owner.table["a"]["b"] = 2
    owner.table["c"] = 1
    owner.seen.add(2)
    owner.last.append(3)
    owner.pair[0].append(1)
    owner.ordered.move_to_end("a")
    del owner.ordered["b"]
    inner.count += 1
    owner.table = {}
    state.put_back()
    assert vars(owner).keys() == held.keys()
    assert all(getattr(owner, name) is value for name, value in held.items() if name != "mine")
    assert owner.mine is False
    assert (owner.items, owner.table, owner.seen, list(owner.last)) == ([1, [2]], {"a": {"b": 1}}, {1}, [1, 2])
    assert owner.last.maxlen == 2
    assert (owner.pair[0], inner.count, list(owner.ordered)) == ([0], 0, ["a", "b"])


def test_what_is_special_is_not_looked_into() -> None:
    owner = Box(inside=Box(count=0))
    state = InstanceState(lambda state, value: isinstance(value, Box)).keep([owner])
    owner.inside.count = 1
    state.put_back()
    assert owner.inside.count == 1


def test_objects_that_hold_each_other_end() -> None:
    one, other = Box(), Box()
    one.other, other.one = other, one
    state = InstanceState(_never).keep([one])
    other.n = 1
    state.put_back()
    assert vars(other) == {"one": one}
