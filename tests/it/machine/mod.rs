//! elder among the things around it: the service manager, an address that hears its heart, disks that
//! stall or break, stores that are damaged or old, files that are written beside its own, other users,
//! and elder's own defects.

mod busy;
mod damage;
mod defects;
mod disk;
mod groups;
mod heartbeat;
mod manager;
mod older;
mod restore;
mod scarce;
mod soak;
mod spawn;
mod stall;
mod traced;
mod users;
