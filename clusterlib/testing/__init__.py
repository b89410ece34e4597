"""A run of tests: which tests get which clusters, and what is recorded of each test.

Its modules are imported only if a run needs clusters, except for `declared` and `place`."""
