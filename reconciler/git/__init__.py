"""What Git knows of the manifests. Repositories are only ever read."""
