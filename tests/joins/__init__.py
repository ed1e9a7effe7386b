"""Contended joins, counted: steps that wait for many others which end at the same moment."""
