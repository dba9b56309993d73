"""Learners of the first decks: rules written by hand, and descent of a surface."""
