"""The manifest side of every kind: the authoring model and its canonical spec."""
