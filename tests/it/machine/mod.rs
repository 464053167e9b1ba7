//! elder among the things around it: the service manager, an address that hears its heart, disks that
//! stall, files that are written beside its own, and elder's own defects.

mod defects;
mod heartbeat;
mod manager;
mod restore;
