"""Everything a deep-learning course teaches, as one JAX codebase."""

__version__ = "0.1.0"
