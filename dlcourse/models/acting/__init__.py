"""Policies and value functions."""
