"""Tests of what people read: it is current, and its examples work."""
