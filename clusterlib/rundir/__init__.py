"""The folders of a project's runs, and the lock of each cluster."""
