"""Chromium, Firefox and WebKit behind one small interface, for the flows of tests/e2e/engines."""
