//! Which of the files that an image refers to are opened.
//!
//! The names come out of images, so they are an attacker's to choose. A name may
//! lead into the folder of the image that the user named, and below, and nowhere
//! else; the kernel itself holds that while it resolves the name
//! (`openat2`, `RESOLVE_BENEATH`). What is outside leaves no trace in the error:
//! it is refused with the same words whether it exists or not.

use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use abi::reply::{Reference, ReferenceRole};
use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use crate::file_name;
use crate::host_file::{HostFile, OpenError};
use crate::output::escape::for_terminal;

/// The rules for one run, and what has been opened by them.
#[derive(Debug)]
pub struct References {
    /// The folders that names may lead into.
    folders: Vec<Folder>,
}

/// A folder that names may lead into.
#[derive(Debug)]
struct Folder {
    path: PathBuf,
    /// The folder itself, once something has been opened in it.
    opened: Option<OwnedFd>,
}

/// Why a file is not opened.
enum Refusal {
    /// Its name leads out of the folder.
    Outside,
    /// It is in the folder and cannot be opened.
    Failed(OpenError),
}

impl References {
    /// The rules for images that the user has named: names may lead into their folders
    /// and below.
    #[must_use]
    pub fn of<'image>(images: impl IntoIterator<Item = &'image HostFile>) -> Self {
        let mut folders: Vec<Folder> = Vec::new();
        for image in images {
            let path = image.path().parent().filter(|folder| !folder.as_os_str().is_empty());
            let path = path.unwrap_or(Path::new("."));
            if !folders.iter().any(|folder| folder.path == path) {
                folders.push(Folder { path: path.to_owned(), opened: None });
            }
        }
        Self { folders }
    }

    /// Opens a file that the image in `from` refers to.
    ///
    /// # Errors
    ///
    /// A message for the user: why it is not opened.
    pub fn open(&mut self, reference: &Reference, from: &HostFile) -> Result<HostFile, String> {
        let named = reference.path.as_bytes();
        let image = from.path().as_os_str().as_bytes();
        let full = file_name::full(image, named).unwrap_or_default();
        let shown = for_terminal(&full);
        if full.is_empty() {
            return Err("an image refers to a file without a name".to_owned());
        }
        if file_name::protocol(named).is_some() {
            return Err(format!(
                "Could not open '{shown}': references with a protocol are not followed"
            ));
        }
        let path = Path::new(OsStr::from_bytes(&full));
        // What is underneath is an image of its own to qemu-img, so that its name is
        // said twice; other files are opened on behalf of the image.
        let as_image = |error: OpenError| match reference.role {
            ReferenceRole::Backing => format!("Could not open '{shown}': {error}"),
            ReferenceRole::Data | ReferenceRole::Extent => error.to_string(),
        };
        let mut file = self.open_beneath(path).map_err(|refusal| match refusal {
            Refusal::Outside => {
                format!("Could not open '{shown}': it is outside the folder of the image")
            }
            Refusal::Failed(error) => as_image(error),
        })?;
        if reference.role == ReferenceRole::Backing && !file.set_above(from) {
            return Err(format!("Backing file '{shown}' creates an infinite loop."));
        }
        Ok(file)
    }

    /// Opens a file if it lies in one of the folders.
    fn open_beneath(&mut self, path: &Path) -> Result<HostFile, Refusal> {
        let opened = self.folders.iter_mut().map(|folder| folder.open_beneath(path));
        let decides = |opened: &Result<HostFile, Refusal>| !matches!(opened, Err(Refusal::Outside));
        opened.into_iter().find(decides).unwrap_or(Err(Refusal::Outside))
    }
}

impl Folder {
    /// Opens a file if it lies in the folder.
    fn open_beneath(&mut self, path: &Path) -> Result<HostFile, Refusal> {
        let failed = |errno: Errno| {
            let path = path.to_owned();
            Refusal::Failed(OpenError::System { path, source: errno.into() })
        };
        let relative = self.relative(path).ok_or(Refusal::Outside)?;
        let folder = match &self.opened {
            Some(folder) => folder,
            None => {
                let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
                let folder = rustix::fs::open(&self.path, flags, Mode::empty());
                self.opened.insert(folder.map_err(failed)?)
            }
        };
        // Opening a pipe must not wait for somebody to write to it.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        let opened = loop {
            match rustix::fs::openat2(folder, &relative, flags, Mode::empty(), resolve) {
                // Somebody renamed something meanwhile.
                Err(Errno::AGAIN) => {}
                opened => break opened,
            }
        };
        match opened {
            Ok(file) => HostFile::from_file(File::from(file), path).map_err(Refusal::Failed),
            // EXDEV is how the kernel says that the name leads out.
            Err(Errno::XDEV) => Err(Refusal::Outside),
            Err(errno) => Err(failed(errno)),
        }
    }

    /// A path as seen from the folder, if it seems to lie there. The kernel has
    /// the last word on that.
    fn relative(&self, path: &Path) -> Option<PathBuf> {
        let absolute = std::path::absolute(path).ok()?;
        let folder = std::path::absolute(&self.path).ok()?;
        if let Ok(relative) = absolute.strip_prefix(&folder) {
            return Some(relative.to_owned());
        }
        // An absolute name may spell the folder as it really is.
        let real = std::fs::canonicalize(&self.path).ok()?;
        absolute.strip_prefix(real).ok().map(Path::to_owned)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use abi::text::Text;

    use super::*;

    /// A folder `images` with a few files in it, and a secret beside it.
    struct Place(PathBuf);

    impl Place {
        fn new(name: &str) -> Self {
            let root = std::env::temp_dir().join(format!("exuvia-{}-{name}", std::process::id()));
            let _ = fs::remove_dir_all(&root);
            fs::create_dir_all(root.join("images/below")).unwrap();
            for file in ["images/top", "images/base", "images/below/deep", "secret"] {
                fs::write(root.join(file), file).unwrap();
            }
            symlink("base", root.join("images/link-inside")).unwrap();
            symlink("../secret", root.join("images/link-outside")).unwrap();
            symlink("../missing", root.join("images/link-nowhere")).unwrap();
            Self(root)
        }

        fn open(&self, name: &str) -> Result<HostFile, String> {
            let image = HostFile::open(&self.0.join("images/top")).unwrap();
            let reference = Reference {
                from: 1,
                role: ReferenceRole::Backing,
                path: Text::truncated(name.as_bytes()),
            };
            References::of([&image]).open(&reference, &image)
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn names_that_stay_in_the_folder_are_opened() {
        let place = Place::new("inside");
        let absolute = place.0.join("images/base").to_str().unwrap().to_owned();
        for name in ["base", "./base", "below/deep", "below/../base", "link-inside", &absolute] {
            let file = place.open(name).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert!(file.length() > 0);
        }
    }

    #[test]
    fn names_that_lead_out_are_refused_in_the_same_words_whatever_exists() {
        let place = Place::new("outside");
        let absolute = place.0.join("secret").to_str().unwrap().to_owned();
        let missing = place.0.join("missing").to_str().unwrap().to_owned();
        for name in [
            "../secret",
            "../missing",
            "below/../../secret",
            "link-outside",
            "link-nowhere",
            "/etc/passwd",
            &absolute,
            &missing,
        ] {
            let error = place.open(name).unwrap_err();
            assert!(error.ends_with("': it is outside the folder of the image"), "{name}: {error}");
        }
    }

    #[test]
    fn protocols_are_refused() {
        let place = Place::new("protocol");
        for name in ["nbd://127.0.0.1", "json:{\"driver\": \"file\"}", "file:base", "fat:rw:."] {
            let error = place.open(name).unwrap_err();
            assert!(error.contains("references with a protocol are not followed"), "{error}");
        }
    }

    #[test]
    fn a_file_that_is_missing_inside_is_said_to_be() {
        let place = Place::new("missing");
        let error = place.open("nothing").unwrap_err();
        assert!(error.ends_with("nothing': No such file or directory"), "{error}");
    }

    #[test]
    fn a_circle_is_found_whatever_the_names() {
        let place = Place::new("circle");
        for name in ["top", "./below/../top"] {
            let error = place.open(name).unwrap_err();
            assert!(error.ends_with("creates an infinite loop."), "{error}");
        }
    }
}
