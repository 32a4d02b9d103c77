//! Tracing, and every metric name.
