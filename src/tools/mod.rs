//! Reports and other tools over the store.
