"""Packages that only some data sets need; they are imported when such a set is opened."""

import importlib
from typing import Any

from dlcourse.errors import UserError

# The name under which `pip` finds a module, where it is not the module's own.
PACKAGES = {
    "array_record": "array-record",
    "PIL": "pillow",
    "sklearn": "scikit-learn",
    "tensorflow_datasets": "tensorflow-datasets",
}


def require(module: str, purpose: str) -> Any:
    """The imported module, such as `sklearn.datasets`.

    Args:
        module: its full name.
        purpose: the subject of the error message, for example "the table 'wine'".

    Raises:
        UserError: it, or a module that it imports, is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        missing = (error.name or module).partition(".")[0]
        package = PACKAGES.get(missing, missing)
        raise UserError(
            f"The package '{package}' is not installed; {purpose} needs it.\n"
            f"  pip install {package}"
        ) from error
