"""Evaluation of predictions: metrics and intervals, calibration, comparison of arms, tables."""
