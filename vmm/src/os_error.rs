//! The system's reasons, as C's `strerror` has them.

use std::io;

/// Why the system said no, without the number that Rust puts behind it: "No such
/// file or directory (os error 2)".
#[must_use]
pub fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_have_no_number() {
        assert_eq!(reason(&io::Error::from_raw_os_error(2)), "No such file or directory");
        assert_eq!(reason(&io::Error::other("made up")), "made up");
    }
}
