"""Convolutional networks and their layers."""
