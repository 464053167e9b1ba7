//! HTTP: API, metrics, health.
