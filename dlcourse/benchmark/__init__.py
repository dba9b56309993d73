"""JIT benchmarks: compiled programs, timed against each other in one process.

python -m dlcourse.benchmark EXPERIMENT          the training program of an experiment
python -m dlcourse.benchmark.scale EXPERIMENT    devices, checkpoints, logging, streaming, start
python -m dlcourse.benchmark.pytorch             an epoch of the ISLR network, against PyTorch
python -m dlcourse.benchmark.convolution         a convolutional step, against Flax and PyTorch
python -m dlcourse.benchmark.sequence            steps of sequence models, against PyTorch
python -m dlcourse.benchmark.acting              moves a second, against Gymnasium and PyTorch
python -m dlcourse.benchmark.generation          tokens a second, with and without a cache
"""

from dlcourse.benchmark.program import Session as Session
from dlcourse.benchmark.program import matmul_peak as matmul_peak
from dlcourse.benchmark.program import measure as measure
from dlcourse.benchmark.program import time_lost as time_lost
