// The page of one session: the panel of a span, unfolding, following, keys.
