"""What agents did, who owns it, and how it is taken back."""
