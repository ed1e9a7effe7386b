"""Tests of Build Server."""
