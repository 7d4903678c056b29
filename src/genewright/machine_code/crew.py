"""Tasks side by side on threads, none of which goes on when the caller does."""

from _thread import start_new_thread
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Final

CALLER: Final = 0
Task = Callable[[], object]


class Crew:
    """Some tasks, and who has taken which: each is taken once, by the caller or by one of its helpers.

    An interrupt (Ctrl-C) reaches the caller at any line, when a helper may have begun or be about to. So a task is
    taken by an operation that is whole (`dict.setdefault`), and when the caller is interrupted it takes what is left.
    """

    def __init__(self, tasks: Sequence[Task]) -> None:
        self._tasks = tuple(tasks)
        self._takers: dict[int, int] = {}
        self._ended: set[int] = set()
        self._errors: list[BaseException] = []
        self._bell: SimpleQueue[None] = SimpleQueue()

    def run(self) -> None:
        """Run all tasks, some of them here; return or raise when no helper works any more.

        Raises:
            BaseException: The first error of any task; the tasks that nobody has begun by then are left out.
        """
        try:
            try:
                for helper in range(1, len(self._tasks)):
                    start_new_thread(self._help, (helper,))  # whole, as the Python code of `Thread.start` is not
                for number, task in enumerate(self._tasks):
                    if self._takers.setdefault(number, CALLER) == CALLER:
                        task()
            finally:
                self.settle()
        finally:
            self.settle()  # again: an interrupt may have come just before the first
            self._tasks = ()  # they hold the tensor's memory
        if self._errors:
            raise self._errors[0]

    def settle(self) -> None:
        """Let no helper begin a task any more, and wait for those that are at one.

        It may be called at any time and any number of times. An interrupt is raised when the wait is over.
        """
        interrupt: BaseException | None = None
        while True:
            try:
                for number in range(len(self._tasks)):
                    self._takers.setdefault(number, CALLER)
                while self._is_at_work():
                    with suppress(Empty):
                        self._bell.get(timeout=0.05)  # the state says whether to go on; the bell only wakes
                break
            except BaseException as error:
                interrupt = error
        if interrupt is not None:
            raise interrupt

    def _is_at_work(self) -> bool:
        taken = {number for number, taker in tuple(self._takers.items()) if taker != CALLER}
        return not taken <= self._ended

    def _help(self, helper: int) -> None:
        for number, task in enumerate(self._tasks):
            if self._takers.setdefault(number, helper) == helper:
                try:
                    task()
                except BaseException as error:
                    self._errors.append(error)
                finally:
                    self._ended.add(number)
                    self._bell.put(None)
