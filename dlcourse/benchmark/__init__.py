"""JIT benchmarks: what XLA compiles, timed; ratios side by side in one run."""

from dlcourse.benchmark.command import Target as Target
from dlcourse.benchmark.command import command as command
from dlcourse.benchmark.command import split_arguments as split_arguments
from dlcourse.benchmark.program import Session as Session
from dlcourse.benchmark.program import matmul_peak as matmul_peak
from dlcourse.benchmark.program import measure as measure
from dlcourse.benchmark.program import time_lost as time_lost
