"""Journal: everything comes back, the last change first, whatever fails or interrupts the way back."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genewright.journal import Journal


class Broken(Exception):  # noqa: N818  # nobody's error
    """What an entry raises."""


class Failing:
    """Five numbers that change one after the other; entries of the journal fail as often as they are told."""

    def __init__(self, failures: dict[int, list[type[BaseException]]]) -> None:
        self.values = [0] * 5
        self.tried: list[int] = []
        self.journal = Journal()
        self._failures = {at: list(errors) for at, errors in failures.items()}

    def change(self) -> None:
        for at in range(5):
            self.journal.add(self._back(at, self.values[at]))
            self.values[at] += at + 1

    def _back(self, at: int, old: int) -> Callable[[], None]:
        def restore() -> None:
            self.tried.append(at)
            if self._failures.get(at):
                raise self._failures[at].pop(0)
            self.values[at] = old

        return restore


def test_the_last_change_comes_back_first() -> None:
    work = Failing({})
    work.change()
    work.change()
    work.journal.restore()
    assert work.values == [0] * 5
    assert work.tried == [4, 3, 2, 1, 0] * 2


@pytest.mark.parametrize("at", range(5))
@pytest.mark.parametrize("error", [Broken, KeyboardInterrupt, SystemExit, MemoryError])
def test_an_entry_that_fails_once_is_run_again(at: int, error: type[BaseException]) -> None:
    work = Failing({at: [error]})
    work.change()
    with pytest.raises(error):
        work.journal.restore()
    assert work.values == [0] * 5
    work.journal.restore()  # a second time there is nothing left
    assert len(work.tried) == 6


@pytest.mark.parametrize("at", range(5))
def test_an_entry_that_fails_twice_costs_its_own_change_alone(at: int) -> None:
    work = Failing({at: [Broken, Broken]})
    work.change()
    with pytest.raises(Broken):
        work.journal.restore()
    assert work.values == [at + 1 if place == at else 0 for place in range(5)]
    work.journal.restore()
    assert work.tried.count(at) == 2


@pytest.mark.parametrize("at", range(5))
def test_interrupts_are_outlasted(at: int) -> None:
    """However often somebody presses Ctrl-C, the way back is gone to its end."""
    work = Failing({at: [KeyboardInterrupt] * 7, (at + 2) % 5: [KeyboardInterrupt]})
    work.change()
    with pytest.raises(KeyboardInterrupt):
        work.journal.restore()
    assert work.values == [0] * 5


def test_the_first_thing_that_was_raised_is_raised_at_the_end() -> None:
    work = Failing({3: [Broken], 1: [KeyboardInterrupt]})
    work.change()
    with pytest.raises(Broken):
        work.journal.restore()
    assert work.values == [0] * 5


@given(
    st.dictionaries(
        st.integers(0, 4), st.lists(st.sampled_from([Broken, KeyboardInterrupt]), min_size=1, max_size=4), max_size=5
    )
)
def test_whatever_fails_all_else_is_back(failures: dict[int, list[type[BaseException]]]) -> None:
    work = Failing(failures)
    work.change()
    lost = {
        at
        for at, errors in failures.items()
        if sum(error is Broken for error in errors) >= 2  # the second time is the last
    }
    try:
        work.journal.restore()
    except (Broken, KeyboardInterrupt):
        assert failures
    else:
        assert not failures
    assert {at for at, value in enumerate(work.values) if value} == lost


CONTAINERS: dict[str, tuple[Callable[[], Any], Callable[[Any], None]]] = {
    "dict": (lambda: {"a": 1, "b": 2}, lambda d: d.update(a=3, c=4)),
    "dict, in order": (lambda: {"a": 1, "b": 2}, lambda d: d.update(a=d.pop("a"))),
    "dict, emptied": (lambda: {"a": 1}, lambda d: d.clear()),
    "ordered dict": (lambda: OrderedDict(a=1, b=2), lambda d: d.move_to_end("a")),
    "list": (lambda: [1, 2, 3], lambda held: held.insert(1, 9)),
    "list, emptied": (lambda: [1, 2, 3], lambda held: held.clear()),
    "set": (lambda: {1, 2}, lambda held: (held.discard(2), held.add(3))),
}


@pytest.mark.parametrize("name", CONTAINERS)
def test_containers_come_back_as_the_same_objects(name: str) -> None:
    make, change = CONTAINERS[name]
    container, before = make(), make()
    journal = Journal()
    journal.keep(container)
    change(container)
    journal.keep(container)  # only the first time counts
    change(container)
    assert container != before or list(container) != list(before)
    journal.restore()
    assert container == before
    assert list(container) == list(before)
    assert type(container) is type(before)


def test_nested_containers_each_come_back() -> None:
    inner, middle = [1, 2], {"x": 1}
    outer: dict[str, Any] = {"inner": inner, "middle": middle}
    middle["list"] = inner  # type: ignore[assignment]
    journal = Journal()
    for container in (outer, middle, inner):
        journal.keep(container)
    inner.append(3)
    middle.clear()
    outer["inner"] = [7]
    outer["new"] = outer
    journal.restore()
    assert outer.keys() == {"inner", "middle"}
    assert outer["inner"] is inner is middle["list"]
    assert outer["middle"] is middle
    assert inner == [1, 2]


def test_a_container_whose_own_methods_fail_comes_back() -> None:
    class Locked(dict[str, int]):
        def __setitem__(self, key: str, value: int) -> None:
            raise Broken

        def clear(self) -> None:
            raise Broken

        def update(self, *args: Any, **kwargs: Any) -> None:
            raise Broken

    class LockedList(list[int]):
        def __setitem__(self, *args: Any) -> None:
            raise Broken

    locked, entries = Locked(), LockedList([1])
    dict.update(locked, a=1)
    journal = Journal()
    journal.keep(locked)
    journal.keep(entries)
    dict.update(locked, a=2, b=3)
    entries.append(2)
    journal.restore()
    assert locked == {"a": 1}
    assert entries == [1]


def test_values_come_back_after_containers_whatever_the_order_of_changes() -> None:
    """Values are bound to memory; so layers come back first, then the bytes that they held."""
    seen: list[str] = []
    held: list[int] = []
    journal = Journal()
    journal.add(lambda: seen.append(f"values, of {len(held)}"))
    journal.keep(held)
    held.append(1)
    journal.add(lambda: seen.append(f"more values, of {len(held)}"))
    journal.restore()
    assert seen == ["more values, of 0", "values, of 0"]


def test_an_owner_is_noted_once() -> None:
    class Owner:
        value = 1

    owner, journal = Owner(), Journal()

    def back(old: int) -> Callable[[], None]:
        return lambda: setattr(owner, "value", old)

    journal.keep_by(owner, back(owner.value))
    owner.value = 2
    journal.keep_by(owner, back(owner.value))
    owner.value = 3
    journal.restore()
    assert owner.value == 1


def test_objects_that_have_gone_do_not_lend_their_place_to_others() -> None:
    """A container is told by its identity, so the journal has to hold it."""
    journal = Journal()
    for number in range(100):
        journal.keep([number])  # would be freed, and its address taken by the next
    kept = [1, 2]
    journal.keep(kept)
    kept.clear()
    journal.restore()
    assert kept == [1, 2]
