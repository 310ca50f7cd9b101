"""A small shop as an integrator would write it. Speaks to scanbind over the public contract alone."""
