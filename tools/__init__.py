"""Programs for developers; nothing of this is in the distribution's wheel."""
