"""Where the chunks of snapshots lie: one file a kind behind one interface."""
