//! What will happen: next fires.
