"""Networks for sequences: recurrent ones, and those that attend."""
