"""A plan or its outcomes -> characters: text, JSON."""
