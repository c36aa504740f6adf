"""Judgement: histories in, findings out. Pure functions with a model of their own of what is right."""
