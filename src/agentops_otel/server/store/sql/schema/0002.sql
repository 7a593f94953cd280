-- What a program that has the key calls its project, in its spans and in its journal: an id made of the key, which
-- says nothing of it. NULL until a key of an earlier version is used again.
ALTER TABLE api_key ADD COLUMN known_as TEXT;
