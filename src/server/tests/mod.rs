//! The server over real sockets, with an engine, a sync and a store made by hand.

mod access;
mod bounds;
mod calls;
mod config;
mod departed;
mod events;
mod harness;
mod health;
mod pauses;
