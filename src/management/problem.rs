//! Why a management request is refused.

use serde::{Deserialize, Serialize};

/// A refusal, ready for the wire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// HTTP status.
    pub status: u16,
    /// The stable code.
    pub code: String,
    /// One sentence.
    pub message: String,
    /// What is wrong with which field.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
}

/// What is wrong with one field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldError {
    /// Its place in the body: `scopes[1]`, `limits.burst`; empty for the body itself.
    pub field: String,
    /// What it has to be.
    pub message: String,
}

impl FieldError {
    /// For a field.
    #[must_use]
    pub fn new(field: &str, message: impl Into<String>) -> Self {
        Self { field: field.to_owned(), message: message.into() }
    }
}

impl Problem {
    /// A refusal without fields.
    #[must_use]
    pub fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self { status, code: code.to_owned(), message: message.into(), errors: Vec::new() }
    }

    /// Unknown or foreign: one answer for both.
    #[must_use]
    pub fn not_found() -> Self {
        Self::new(404, "NOT_FOUND", "There is nothing here.")
    }

    /// The role does not reach.
    #[must_use]
    pub fn forbidden(needs: &str) -> Self {
        Self::new(403, "PERMISSION_DENIED", format!("This needs the role {needs}."))
    }

    /// Fields are wrong.
    #[must_use]
    pub fn invalid(errors: Vec<FieldError>) -> Self {
        let message = "Some fields are not as they have to be.";
        Self { errors, ..Self::new(422, "VALIDATION_FAILED", message) }
    }

    /// One field is wrong.
    #[must_use]
    pub fn field(field: &str, message: impl Into<String>) -> Self {
        Self::invalid(vec![FieldError::new(field, message)])
    }
}
