"""A run of tests: which tests get which clusters, and what becomes of each test. Imported only when a run needs clusters."""
