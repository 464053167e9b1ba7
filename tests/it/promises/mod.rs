//! One module per promise that users may rely on; each test fails without the code that keeps it.

mod p01_one_record;
mod p02_recorded_first;
mod p03_at_most_once;
mod p04_nothing_silent;
mod p05_no_invented_fire;
mod p05_renames;
mod p06_catch_up;
mod p07_overlap;
mod p08_kill;
mod p09_death;
mod p10_files;
mod p11_time;
mod p12_store_gone;
mod p14_shutdown;
mod p15_bounds;
mod p16_secrets;
