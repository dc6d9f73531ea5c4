"""Places that we keep things in: resources, chunks of snapshots, mirrors of sources, read models."""
