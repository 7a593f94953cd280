// What every page does: theme.
