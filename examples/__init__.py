"""Examples: workflow files, and a small world in which agents really do what they say."""
