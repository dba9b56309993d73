"""Errors whose cause lies outside the program, with messages for its user."""

STOPPED = 75  # exit status of a run that a signal stopped: all is saved, start it again


class UserError(Exception):
    """A mistake that the user can correct: a flag, a missing data set, a full disk.

    The message is one or two lines that name the cause and the remedy. `training.main` prints it
    without a traceback and exits with `exit_status`.
    """

    exit_status = 1


class UsageError(UserError):
    """The command line was wrong: a name that nothing has, a number that does not fit, options
    that do not go together. What a file holds is a plain `UserError`."""

    exit_status = 2


class Stopped(UserError):
    """A signal came before there was anything to save."""

    exit_status = STOPPED


class Unreadable(UserError):
    """One example of a set cannot be read, `why`; others may be."""

    def __init__(self, name: str, number: int, why: str) -> None:
        super().__init__(
            f"Example {number} of '{name}' cannot be read: {why}\n"
            "Mend it, or leave such examples out with --skip-damaged."
        )


def reason(error: Exception) -> str:
    """The first line of an error's message, or its type."""
    return (str(error).splitlines() or [type(error).__name__])[0]
