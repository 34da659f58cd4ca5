"""Runs: from a config file to typed values, data, model and stages; the folder that a run leaves behind."""
