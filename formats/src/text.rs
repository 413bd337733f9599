//! Text in fields of fixed length.

/// The text up to the first NUL, or all of it.
#[must_use]
pub fn until_nul(field: &[u8]) -> &[u8] {
    field.split(|byte| *byte == 0).next().unwrap_or_default()
}
