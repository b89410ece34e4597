"""What a kind of node is: how it starts, is reached, is checked, is asked to stop."""
