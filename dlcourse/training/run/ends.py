"""How a run may end before its last step."""

from dlcourse.errors import UserError


class Interrupted(Exception):
    """A signal stopped the run; its state is saved, so that it can be resumed."""


class Diverged(UserError):
    """No training loss was finite any more, from `step` on."""

    def __init__(self, message: str, step: int) -> None:
        super().__init__(message)
        self.step = step


class Ended(Exception):
    """A hook ended the run."""
