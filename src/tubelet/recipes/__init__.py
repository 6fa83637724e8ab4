"""Recipes: functions that return a complete, frozen training run."""
