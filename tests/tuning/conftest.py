"""What the tests of searches share."""

import pytest

from dlcourse import figures
from dlcourse.training.run import drawing as run_drawing
from dlcourse.tuning import results


@pytest.fixture
def drawing():
    """Asked for by tests that look at the figures on the disk."""


@pytest.fixture(autouse=True)
def _no_drawing(request, monkeypatch):
    """Curves of each run and figures of each study take longer to draw than a run to train."""
    monkeypatch.setattr(run_drawing, "draw_curves", lambda rows: None)
    if "drawing" not in request.fixturenames:
        monkeypatch.setattr(results, "draw_parallel", lambda trials, space, metric: None)
        monkeypatch.setattr(figures, "save", lambda figure, path: None)
