"""What went wrong outside the program, said to a person."""


class UserError(Exception):
    """A mistake that its reader can mend: a flag, a missing data set, a full disk.

    The message is one or two lines that name the thing and the way out. `training.main`
    prints it without a traceback and exits with `exit_status`.
    """

    exit_status = 1


class UsageError(UserError):
    """The command line was wrong."""

    exit_status = 2
