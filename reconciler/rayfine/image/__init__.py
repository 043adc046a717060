"""What an image is made of, worked out from the disk alone: no engine, no registry, no build."""
