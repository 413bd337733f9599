//! Arguments that make no sense, in the words of `getopt_long`.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::Program;

/// Says what is wrong with the arguments of a command, and where to look.
pub fn fail(program: &Program, command: Option<&str>, message: &str) -> ExitCode {
    program.say(message);
    hint(program, command)
}

/// Whether `--output` wants JSON, and not text for people.
///
/// # Errors
///
/// What is wrong with another value, in qemu-img's words.
pub fn wants_json(output: Option<&str>) -> Result<bool, String> {
    match output {
        None | Some("human") => Ok(false),
        Some("json") => Ok(true),
        Some(other) => Err(format!("--output expects 'human' or 'json' not '{other}'")),
    }
}

/// Explains an error of the argument parser, or prints the help that was asked
/// for.
pub fn explain(program: &Program, arguments: &[OsString], error: &clap::Error) -> ExitCode {
    let arguments: Vec<_> =
        arguments.iter().skip(1).map(|argument| argument.to_string_lossy()).collect();
    // Behind an option, qemu-img has not come to the command yet.
    let command = arguments.first().filter(|argument| !argument.starts_with('-'));
    let command = command.map(AsRef::as_ref);
    let last = arguments.last().map_or("", AsRef::as_ref);
    match error.kind() {
        ErrorKind::DisplayHelp => program.print(&error.render().to_string()),
        ErrorKind::InvalidSubcommand => {
            let name = context(error, ContextKind::InvalidSubcommand);
            fail(program, None, &format!("Command not found: {name}"))
        }
        _ => {
            let program_and_command = match command {
                Some(command) => Program { name: format!("{} {command}", program.name) },
                None => Program { name: program.name.clone() },
            };
            program_and_command.say(&complaint(error, last));
            hint(program, command)
        }
    }
}

/// What is wrong, in the words of `getopt_long`. `last` is the last argument: an
/// option that misses its value stands there.
fn complaint(error: &clap::Error, last: &str) -> String {
    let option = context(error, ContextKind::InvalidArg);
    // The parser adds what the option takes: "--format <FMT>".
    let name = option.split(' ').next().unwrap_or_default();
    let value = context(error, ContextKind::InvalidValue);
    match error.kind() {
        ErrorKind::UnknownArgument if name.starts_with("--") => {
            format!("unrecognized option '{name}'")
        }
        ErrorKind::UnknownArgument => {
            format!("invalid option -- '{}'", name.trim_start_matches('-'))
        }
        ErrorKind::TooManyValues => format!("option '{name}' doesn't allow an argument"),
        ErrorKind::InvalidValue if value.is_empty() => match last.strip_prefix("--") {
            Some(_) => format!("option '{name}' requires an argument"),
            None => {
                let letter = last.chars().last().unwrap_or_default();
                format!("option requires an argument -- '{letter}'")
            }
        },
        ErrorKind::InvalidValue => {
            let allowed = context(error, ContextKind::ValidValue);
            format!("option '{name}' expects one of {allowed}, not '{value}'")
        }
        // What getopt has no words for, in those of the parser, on one line.
        _ => {
            let message = error.render().to_string();
            let line = message.lines().next().unwrap_or_default();
            line.trim_start_matches("error: ").to_owned()
        }
    }
}

/// What the parser knows about an error, as text.
fn context(error: &clap::Error, kind: ContextKind) -> String {
    match error.get(kind) {
        Some(ContextValue::String(text)) => text.clone(),
        Some(ContextValue::Strings(texts)) => texts.join(", "),
        _ => String::new(),
    }
}

/// Says where to look.
fn hint(program: &Program, command: Option<&str>) -> ExitCode {
    let command = command.map(|command| format!("{command} ")).unwrap_or_default();
    program.say_plainly(&format!("Try '{} {command}--help' for more info", program.name));
    ExitCode::FAILURE
}
