//! How far a command has come, as qemu-img prints it, or as JSON.

use std::io::{self, Write};

/// Prints how far a command has come.
#[derive(Debug)]
pub struct Progress {
    style: Style,
    is_output_taken: bool,
    /// How much more there has to be to be worth a line, in per cent.
    step: f64,
    /// What was printed last, in per cent.
    last: f64,
}

/// How progress is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Not at all.
    Silent,
    /// As qemu-img does: a line that is printed over again.
    Line,
    /// As lines of JSON.
    Json,
}

impl Progress {
    /// Begins, with nothing done.
    #[must_use]
    pub fn begin(style: Style, step: f64) -> Self {
        Self::begin_beside(false, style, step)
    }

    /// The same, on standard error if standard output has something else to take.
    #[must_use]
    pub fn begin_beside(is_output_taken: bool, style: Style, step: f64) -> Self {
        let mut progress = Self { style, is_output_taken, step, last: 0.0 };
        progress.print(0.0, 0, 0);
        progress
    }

    /// So much is done of all there is to do, in bytes.
    pub fn set(&mut self, done: u64, total: u64) {
        let part = 100.0 * to_float(done) / to_float(total.max(1));
        let part = part.min(100.0);
        if part > self.last + self.step || part >= 100.0 {
            self.print(part, done, total);
        }
    }

    /// All is done, or nothing more comes.
    pub fn end(mut self, success: bool) {
        if success {
            self.print(100.0, 0, 0);
        }
        if self.style == Style::Line {
            self.write(format_args!("\n"));
        }
    }

    fn print(&mut self, part: f64, done: u64, total: u64) {
        self.last = part;
        match self.style {
            Style::Silent => {}
            Style::Line => self.write(format_args!("    ({part:3.2}/100%)\r")),
            Style::Json => self.write(format_args!(
                "{{\"progress\": {part:.2}, \"done\": {done}, \"total\": {total}}}\n"
            )),
        }
    }

    /// Prints at once. If nobody listens, there is nobody to tell.
    fn write(&self, text: std::fmt::Arguments<'_>) {
        let _ = if self.is_output_taken {
            io::stderr().lock().write_fmt(text)
        } else {
            let mut output = io::stdout().lock();
            output.write_fmt(text).and_then(|()| output.flush())
        };
    }
}

/// For a percentage, it does not matter what is lost of a large number.
#[expect(clippy::cast_precision_loss, reason = "is a percentage")]
fn to_float(bytes: u64) -> f64 {
    bytes as f64
}
