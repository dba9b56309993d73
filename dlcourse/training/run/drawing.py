"""Drawing the figures of a run."""

import functools
import pathlib
import traceback
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax

from dlcourse import figures
from dlcourse.training.clock import Clock
from dlcourse.training.engine import processes
from dlcourse.training.run.curves import draw_curves
from dlcourse.training.run.screen import Silent
from dlcourse.training.run.written import Row


class Drawing:
    """Draws on process 0; where matplotlib is missing, one line says that figures are skipped."""

    def __init__(
        self, place: pathlib.Path, mesh: jax.sharding.Mesh, screen: Silent, clock: Clock
    ) -> None:
        """Draws into the folder `place`."""
        self._place, self._mesh, self._screen, self._clock = place, mesh, screen, clock

    @functools.cached_property
    def possible(self) -> bool:
        """Whether this process draws; a machine that only trains may lack matplotlib."""
        if not processes.is_first():
            return False
        try:
            import matplotlib  # noqa: F401
        except ImportError:
            self._screen.say("Figures are skipped: matplotlib is not installed.")
            return False
        return True

    def curves(self, rows: Sequence[Row]) -> None:
        """The learning curves, from logged rows."""
        with self._clock("drawing"):
            if self.possible:
                self._save("curves", lambda: draw_curves(rows))

    def states(
        self, drawings: Mapping[str, Any], state: Any, members: tuple[int, ...], suffix: str = ""
    ) -> None:
        """Figures of a state, of the first member of a population.

        Args:
            drawings: functions from a state to a figure, by file name.
            state: the learner's state, on the devices.
            members: the axes of the population.
            suffix: ends the file names.
        """
        if not drawings:
            return
        with self._clock("drawing"):
            state = processes.on_host(state, self._mesh)  # all processes take part
            if self.possible:
                first = jax.tree.map(lambda leaf: leaf[(0,) * len(members)], state)
                for name, draw in drawings.items():
                    self._save(f"{name}{suffix}", functools.partial(draw, first))

    def _save(self, name: str, draw: Callable[[], Any]) -> None:
        """Draws and writes one figure. If it fails, a warning names it: the numbers are saved."""
        try:
            figure = draw()
            if figure is not None:
                figures.save(figure, self._place / name)
        except OSError:
            raise  # the disk's
        except Exception as error:  # noqa: BLE001  # of any code that draws, a user's too
            last = traceback.extract_tb(error.__traceback__)[-1]
            place = f"{pathlib.Path(last.filename).name}, line {last.lineno}"
            warnings.warn(
                f"The figure '{name}' could not be drawn: {type(error).__name__} in {place}: "
                f"{error}",
                stacklevel=2,
            )
