"""The pages: each is a function that returns a documented dataclass."""
