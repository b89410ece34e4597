"""The figures that were promised, each measured beside its bare minimum in the same run: `python -m bench`."""
