//! A hostile writer of database rows, against the policy at the key.

mod owner;
mod set_up;
mod signing;
