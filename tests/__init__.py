"""The tests mirror the folders of `dlcourse`."""

import pathlib

ROOT = pathlib.Path(__file__).parents[1]
FIXTURES = ROOT / "tests" / "fixtures"
