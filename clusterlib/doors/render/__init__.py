"""Results as people read them. Nothing is decided here."""
