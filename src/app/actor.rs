//! Who makes a request, for the audit trail.

/// A person or program, and the face it came through: `cli:alice`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor(String);

impl Actor {
    /// `name` at a face of the program, such as `cli` or `api`.
    #[must_use]
    pub fn new(face: &str, name: &str) -> Self {
        Self(format!("{face}:{name}"))
    }

    /// As it is written to the audit trail.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
