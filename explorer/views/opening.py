"""Open cases: from memory, or by reading beside the kernel's loop, one at a time."""

import asyncio
import threading
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue

from explorer.views.picture import Picture
from explorer.views.reading import Plan, Step, is_complete, read

_SHOW_SECONDS = 1.0  # a kernel that is busy for longer must not hold up the masks


@dataclass(eq=False)
class Job:
    """The reading of a case.

    Attributes
    ----------
    plan
        What is read.
    ahead
        Whether nobody waits for it yet.
    cancelled
        Whether nobody does any more.
    shown
        Whether its image is shown.
    found
        What has come of it, or why nothing can, and was not taken yet.
    """

    plan: Plan
    ahead: bool
    cancelled: threading.Event = field(default_factory=threading.Event)
    shown: threading.Event = field(default_factory=threading.Event)
    found: SimpleQueue[Step | Exception] = field(default_factory=SimpleQueue)


class Shelf:
    """Keeps the pictures that were wanted last, within a budget of bytes."""

    def __init__(self, budget_bytes: int) -> None:
        self.budget_bytes = budget_bytes
        self._pictures: OrderedDict[str, Picture] = OrderedDict()

    def __contains__(self, case: str) -> bool:
        return case in self._pictures

    def get(self, case: str) -> Picture | None:
        """Return a picture and remember that it was wanted."""
        if case in self._pictures:
            self._pictures.move_to_end(case)
        return self._pictures.get(case)

    def peek(self, case: str) -> Picture | None:
        """Return a picture that nobody wants yet."""
        return self._pictures.get(case)

    def put(self, case: str, picture: Picture, open_case: str) -> None:
        """Keep a picture; those not wanted for longest go until the budget holds, never the open one."""
        self._pictures[case] = picture
        if open_case in self._pictures:
            self._pictures.move_to_end(open_case)
        self._trim(0, open_case)

    def make_room(self, coming_bytes: int, open_case: str = "") -> None:
        """Let go what would break the budget once so many bytes have come, but not the open case."""
        self._trim(coming_bytes, open_case)

    @property
    def nbytes(self) -> int:
        """Memory that the pictures hold."""
        return sum(picture.nbytes for picture in self._pictures.values())

    def _trim(self, coming_bytes: int, open_case: str) -> None:
        for case in list(self._pictures):
            if self.nbytes + coming_bytes <= self.budget_bytes:
                return
            if case != open_case:
                del self._pictures[case]


class Reader:
    """Does one piece of work after the other in a thread; of those that wait, only the newest."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: Callable[[], None] | None = None
        self._busy = False

    def start(self, work: Callable[[], None]) -> None:
        """Do this next, instead of what waits."""
        with self._lock:
            self._waiting = work
            if self._busy:
                return
            self._busy = True
        threading.Thread(target=self._run, name="explorer-viewer", daemon=True).start()

    def _run(self) -> None:
        while True:
            with self._lock:
                work, self._waiting = self._waiting, None
                if work is None:
                    self._busy = False
                    return
            work()
            del work  # it holds a picture


class Opener:
    """Opens one case at a time, and reads the next ahead.

    All but the reading is done in the thread of the kernel's loop, where `show` and `fail` are
    called, for the open case only. Without a loop everything is done at once.

    Parameters
    ----------
    memory_bytes
        For cases that were open before or are read ahead; the open one may need more.
    show
        Called with each step of the open case.
    fail
        Called with the error when the open case cannot be read.
    ready
        Called with a case once all of it was read ahead.
    loop
        Returns the kernel's loop.

    Attributes
    ----------
    shelf
        What is kept.
    """

    def __init__(
        self,
        memory_bytes: int,
        show: Callable[[Step], None],
        fail: Callable[[Exception], None],
        ready: Callable[[str], None],
        loop: Callable[[], asyncio.AbstractEventLoop | None],
    ) -> None:
        self.shelf = Shelf(memory_bytes)
        self._show = show
        self._failed = fail
        self._ready = ready
        self._loop = loop
        self._reader = Reader()
        self._job: Job | None = None
        self._open_case = ""

    def open(self, plan: Plan) -> None:
        """Show a case: what is kept of it at once, the rest as it is read."""
        case = plan.case.id
        self._open_case = case
        before = self._job
        wanted = (case, plan.mask_sets)
        if before is not None and (before.plan.case.id, before.plan.mask_sets) == wanted:
            before.ahead = False
            job = before
        else:
            self.cancel()
            job = self._job = Job(plan, ahead=False)
        kept = self.shelf.get(case)
        if kept is None:
            self.shelf.make_room(plan.expected_bytes)
        else:
            self._show(Step("image", kept))
            if any(name in kept.overlays for name in plan.mask_sets):
                self._show(Step("masks", kept))
            if is_complete(kept, plan):
                self._job = None
                self._show(Step("complete", kept))
                return
        if job is not before:
            self._start(job, kept)

    def read_ahead(self, plan: Plan) -> None:
        """Read a case that may be opened next, if it fits beside the open one."""
        kept = self.shelf.get(plan.case.id)
        if kept is not None and is_complete(kept, plan):
            self._ready(plan.case.id)
            return
        if self._loop() is None:
            return
        shown = self.shelf.get(self._open_case)
        held = 0 if shown is None else shown.nbytes
        if held + plan.expected_bytes <= self.shelf.budget_bytes:
            self.cancel()
            self.shelf.make_room(plan.expected_bytes, self._open_case)
            self._job = Job(plan, ahead=True)
            self._start(self._job, kept)

    def finish(self) -> None:
        """Wait until all of the open case is read, or cannot be, and show it."""
        job = self._job
        while job is not None and job is self._job and not job.ahead:
            self._hand_over(job, job.found.get())

    def close(self) -> None:
        """Show no case any more."""
        self.cancel()
        self._open_case = ""

    def cancel(self) -> None:
        """End what is being read, at the next file."""
        if self._job is not None:
            self._job.cancelled.set()
            self._job = None

    def _start(self, job: Job, kept: Picture | None) -> None:
        loop = self._loop()
        if loop is None:
            try:
                for step in read(job.plan, kept, job.cancelled.is_set):
                    self._take(job, step)
            except Exception as error:  # noqa: BLE001 - whatever a file does, the view lives on
                self._fail(job, error)
            return

        def take() -> None:
            with suppress(Empty):  # it was waited for
                self._hand_over(job, job.found.get_nowait())

        def tell(found: Step | Exception) -> None:
            job.found.put(found)
            try:
                loop.call_soon_threadsafe(take)
            except RuntimeError:  # the kernel is being closed
                job.cancelled.set()

        def work() -> None:
            try:
                if job.cancelled.is_set():
                    return
                for step in read(job.plan, kept, job.cancelled.is_set):
                    tell(step)
                    if step.kind == "image":
                        # Until it is seen, masks would only take turns with what shows it.
                        job.shown.wait(_SHOW_SECONDS)
                    if job.cancelled.is_set():
                        return
            except Exception as error:  # noqa: BLE001 - whatever a file does, the view lives on
                tell(error)

        self._reader.start(work)

    def _hand_over(self, job: Job, found: Step | Exception) -> None:
        if isinstance(found, Exception):
            self._fail(job, found)
        else:
            self._take(job, found)

    def _take(self, job: Job, step: Step) -> None:
        try:
            self._take_in(job, step)
        finally:
            job.shown.set()

    def _take_in(self, job: Job, step: Step) -> None:
        self.shelf.put(job.plan.case.id, step.picture, self._open_case)
        if job.plan.case.id not in self.shelf:  # it was read ahead and is larger than expected
            job.cancelled.set()
        if job.cancelled.is_set():
            return
        if step.kind == "complete" and job is self._job:
            self._job = None
        if not job.ahead:
            self._show(step)
        elif step.kind == "complete":
            self._ready(job.plan.case.id)

    def _fail(self, job: Job, error: Exception) -> None:
        if job.cancelled.is_set():
            return
        if job is self._job:
            self._job = None
        if not job.ahead:
            self._failed(error)
