"""Learners of generative models."""
