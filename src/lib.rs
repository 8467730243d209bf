//! The workspace's own package: it owns `examples/`, `tests/` and `benches/` and is never published.
