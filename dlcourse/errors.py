"""Errors whose cause lies outside the program, with messages for its user."""

STOPPED = 75  # exit status of a run that a signal stopped: all is saved, start it again


class UserError(Exception):
    """A mistake that the user can correct: a flag, a missing data set, a full disk.

    The message is one or two lines that name the cause and the remedy. `training.main` prints it
    without a traceback and exits with `exit_status`.
    """

    exit_status = 1


class UsageError(UserError):
    """The command line was wrong."""

    exit_status = 2
