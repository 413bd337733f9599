//! Why something failed, on one line.

use std::error::Error;
use std::io;

/// An error with everything that led to it.
#[must_use]
pub fn on_one_line(error: &(dyn Error + 'static)) -> String {
    let mut line = one(error);
    let mut cause = error.source();
    while let Some(error) = cause {
        line.push_str(": ");
        line.push_str(&one(error));
        cause = error.source();
    }
    line
}

/// An error without what led to it.
fn one(error: &(dyn Error + 'static)) -> String {
    error.downcast_ref::<io::Error>().map_or_else(|| error.to_string(), reason)
}

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
    fn causes_follow() {
        let source = io::Error::from_raw_os_error(13);
        let error = crate::guest_image::ImageError::Read { path: "x".into(), source };
        let expected = "cannot read the guest image 'x': Permission denied";
        assert_eq!(on_one_line(&error), expected);
    }

    #[test]
    fn reasons_have_no_number() {
        assert_eq!(reason(&io::Error::from_raw_os_error(2)), "No such file or directory");
        assert_eq!(reason(&io::Error::other("made up")), "made up");
    }
}
