//! Flags that name an image: the same for every command.

use std::ffi::OsString;

use crate::image_name::{ImageName, NameError};

/// Flags that say what an image is and how to open it.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct ImageArgs {
    /// Take the image for one of this format, instead of probing.
    #[arg(short = 'f', long, value_name = "FMT", allow_hyphen_values = true)]
    pub format: Option<String>,

    /// FILENAME is a list of options: driver=FMT,file.filename=NAME.
    #[arg(long)]
    pub image_opts: bool,

    /// Open the image even if another process is writing to it.
    #[arg(short = 'U', long)]
    pub force_share: bool,

    /// Define an object, as in `secret,id=sec0,file=key.txt`.
    #[arg(long, value_name = "OBJDEF", allow_hyphen_values = true)]
    pub object: Vec<String>,
}

impl ImageArgs {
    /// What is wrong with the flags, if anything.
    #[must_use]
    pub fn complaint(&self) -> Option<String> {
        if self.image_opts && self.format.is_some() {
            return Some("--image-opts and --format are mutually exclusive".to_owned());
        }
        self.object.iter().find_map(|object| object_complaint(object))
    }

    /// The image that the user named.
    ///
    /// # Errors
    ///
    /// If the name is no image's.
    pub fn name(&self, name: &OsString) -> Result<ImageName, NameError> {
        if self.image_opts {
            return ImageName::from_options(name);
        }
        let mut image = ImageName::from_file_name(name)?;
        image.driver.clone_from(&self.format);
        Ok(image)
    }
}

/// What is wrong with the definition of an object. Secrets are the only objects
/// there are; commands that need no key accept them and leave them alone.
fn object_complaint(object: &str) -> Option<String> {
    let mut parts = object.split(',');
    let kind = parts.next().unwrap_or_default();
    let kind = kind.strip_prefix("qom-type=").unwrap_or(kind);
    if kind != "secret" {
        return Some(format!("Parameter 'qom-type' does not accept value '{kind}'"));
    }
    let properties = parts.map(|part| part.split_once('=').unwrap_or((part, "on")));
    let known =
        |(key, _): &(&str, &str)| !["id", "data", "file", "format", "keyid", "iv"].contains(key);
    if let Some((key, _)) = properties.clone().find(known) {
        return Some(format!("Parameter '{key}' is unexpected"));
    }
    let property = |name| properties.clone().find(|(key, _)| *key == name).map(|(_, value)| value);
    if property("id").is_none() {
        return Some("Parameter 'id' is missing".to_owned());
    }
    match property("format") {
        None | Some("raw" | "base64") => {}
        Some(format) => {
            return Some(format!("Parameter 'format' does not accept value '{format}'"));
        }
    }
    match (property("data"), property("file")) {
        (Some(_), Some(_)) => Some("'file' and 'data' are mutually exclusive".to_owned()),
        (None, None) => Some("Either 'file' or 'data' must be provided".to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_secrets() {
        for (object, expected) in [
            ("secret,id=a,data=x", None),
            ("secret,id=a,file=key.txt,format=base64", None),
            ("qom-type=secret,id=a,data=x", None),
            ("foo,id=a", Some("Parameter 'qom-type' does not accept value 'foo'")),
            ("secret,data=x", Some("Parameter 'id' is missing")),
            ("secret,id=a", Some("Either 'file' or 'data' must be provided")),
            ("secret,id=a,data=x,file=y", Some("'file' and 'data' are mutually exclusive")),
            ("secret,id=a,data=x,format=y", Some("Parameter 'format' does not accept value 'y'")),
            ("secret,id=a,data=x,zz=1", Some("Parameter 'zz' is unexpected")),
        ] {
            assert_eq!(object_complaint(object).as_deref(), expected, "{object}");
        }
    }
}
