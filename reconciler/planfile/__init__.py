"""A saved plan: its format, its writer, its reader, and whether it still holds."""
