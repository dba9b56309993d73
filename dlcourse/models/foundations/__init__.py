"""Neurons, layers and the multi-layer perceptron."""
