"""Numbers about functions, gradients, weights, masks and curves; draws nothing."""
