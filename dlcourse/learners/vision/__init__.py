"""Learners for images."""
