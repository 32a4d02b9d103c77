//! Strangers' words and bodies.
