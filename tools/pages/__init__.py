"""What pages of docs/ repeat of the package."""
