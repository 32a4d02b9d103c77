//! A hostile writer of database rows, against the policy at the key.
