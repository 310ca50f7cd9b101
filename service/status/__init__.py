"""The state of a running installation on one screen: `scanbind status`."""
