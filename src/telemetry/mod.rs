//! Events to log lines and metrics.
