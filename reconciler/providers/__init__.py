"""What reads and writes live systems, one provider per kind."""
