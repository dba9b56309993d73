"""Runs that are killed at random moments, and checkpoints with a wrong byte, counted.

python -m tests.kills --help
"""
