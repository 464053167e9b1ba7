//! elder among the things around it: the service manager, an address that hears its heart, disks that
//! stall, files that are written beside its own, other users, and elder's own defects.

mod busy;
mod defects;
mod heartbeat;
mod manager;
mod restore;
mod stall;
mod users;
