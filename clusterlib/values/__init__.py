"""The kinds of values that profiles and operations are made of."""
