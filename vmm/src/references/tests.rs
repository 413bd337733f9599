use std::fs;
use std::os::unix::fs::symlink;

use abi::text::Text;

use super::*;

/// A folder `images` with a few files in it, and secrets beside it.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let root = std::env::temp_dir().join(format!("exuvia-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        fs::create_dir_all(root.join("images/below")).unwrap();
        fs::create_dir_all(root.join("others")).unwrap();
        for file in ["images/top", "images/base", "images/below/deep", "others/other", "secret"] {
            fs::write(root.join(file), file).unwrap();
        }
        let place = Self(root);
        place.link("images", "link");
        for (target, link) in [
            ("base", "inside"),
            ("inside", "inside-twice"),
            ("below", "folder"),
            ("..", "up"),
            ("../secret", "outside"),
            ("outside", "outside-twice"),
            ("../missing", "nowhere"),
            ("self", "self"),
            ("../images/base", "out-and-in"),
        ] {
            place.link(target, &format!("images/{link}"));
        }
        for (target, link) in [
            ("images/base", "absolute-inside"),
            ("images/below/../base", "absolute-twisted"),
            ("secret", "absolute-outside"),
            ("missing", "absolute-nowhere"),
            ("link/base", "through-outside"),
        ] {
            place.link(&place.name(target), &format!("images/{link}"));
        }
        place
    }

    fn link(&self, target: &str, link: &str) {
        symlink(target, self.0.join(link)).unwrap();
    }

    /// An absolute name.
    fn name(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    fn open(&self, name: &str) -> Result<HostFile, String> {
        self.open_with(&Policy::default(), "images/top", name)
    }

    fn open_with(&self, policy: &Policy, image: &str, name: &str) -> Result<HostFile, String> {
        let image = HostFile::open(&self.0.join(image)).unwrap();
        let opened = References::new(policy.clone()).open(&reference(name), &image);
        opened.map_err(|error| error.to_string())
    }
}

fn reference(name: &str) -> Reference {
    let path = Text::truncated(name.as_bytes());
    Reference { from: 1, role: ReferenceRole::Backing, path }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn names_that_stay_in_the_folder_are_opened() {
    let place = Place::new("inside");
    for name in [
        "base",
        "./base",
        ".//base",
        "below/deep",
        "below/../base",
        "below/./../below/deep",
        "folder/deep",
        "folder/../base",
        "../images/base",
        "up/images/base",
        "inside",
        "inside-twice",
        "out-and-in",
        "absolute-inside",
        "absolute-twisted",
        &place.name("images/base"),
        &place.name("images/../images/base"),
    ] {
        let file = place.open(name);
        assert!(file.unwrap_or_else(|error| panic!("{name}: {error}")).length() > 0);
    }
}

#[test]
fn a_folder_may_be_spelled_through_a_link() {
    let place = Place::new("spelled");
    let policy = Policy::default();
    for name in [
        "base".to_owned(),
        "absolute-inside".to_owned(),
        "../images/base".to_owned(),
        place.name("images/base"),
        place.name("link/base"),
    ] {
        let file = place.open_with(&policy, "link/top", &name);
        assert!(file.is_ok(), "{name}: {file:?}");
    }
}

#[test]
fn names_that_lead_out_are_refused_in_the_same_words_whatever_exists() {
    let place = Place::new("outside");
    for name in [
        "..",
        "../..",
        "../secret",
        "../missing",
        "below/../../secret",
        "up/secret",
        "up/missing",
        "outside",
        "outside-twice",
        "nowhere",
        "absolute-outside",
        "absolute-nowhere",
        "through-outside",
        "../link/base",
        "/",
        "/etc/passwd",
        "/proc/self/fd/0",
        "/dev/null",
        &place.name("secret"),
        &place.name("missing"),
        &place.name("others/other"),
        // What is beside the folder is not looked at, even if the name leads back.
        &place.name("others/../images/base"),
        "../others/../images/base",
    ] {
        let error = place.open(name).unwrap_err();
        assert!(error.ends_with("': it is outside the folder of the image"), "{name}: {error}");
    }
}

#[test]
fn folders_that_are_allowed_are_followed_into() {
    let place = Place::new("allowed");
    let others = Policy::Allow(vec![place.0.join("others")]);
    for name in ["../others/other", "up/others/other", &place.name("others/other"), "base"] {
        assert!(place.open_with(&others, "images/top", name).is_ok(), "{name}");
    }
    for name in ["../secret", "../others/../secret", "outside", &place.name("missing")] {
        let error = place.open_with(&others, "images/top", name).unwrap_err();
        assert!(error.ends_with("': it is outside the folder of the image"), "{name}: {error}");
    }
    let all = Policy::Allow(vec![place.0.clone()]);
    for name in ["../secret", "outside", "absolute-outside", "through-outside"] {
        assert!(place.open_with(&all, "images/top", name).is_ok(), "{name}");
    }
    let error = place.open_with(&all, "images/top", "../missing").unwrap_err();
    assert!(error.ends_with("No such file or directory"), "{error}");
}

#[test]
fn an_image_does_not_lead_into_the_folder_of_another() {
    let place = Place::new("other");
    let mut references = References::new(Policy::default());
    let [first, second] =
        ["images/top", "others/other"].map(|name| HostFile::open(&place.0.join(name)).unwrap());
    assert!(references.open(&reference("base"), &first).is_ok());
    assert!(references.open(&reference("../images/base"), &second).is_err());
    // It is the image that the user named that counts, also below its folder.
    let deep = references.open(&reference("below/deep"), &first).unwrap();
    assert!(references.open(&reference("../base"), &deep).is_ok());
}

#[test]
fn nothing_is_followed_if_the_user_does_not_want_it() {
    let place = Place::new("denied");
    for name in ["base", "../secret", "nothing", "nbd:x"] {
        let error = place.open_with(&Policy::Deny, "images/top", name).unwrap_err();
        assert!(error.ends_with("': references are not followed"), "{name}: {error}");
    }
}

#[test]
fn the_variable_has_folders_or_a_word() {
    let folders = |names: &[&str]| Policy::Allow(names.iter().map(PathBuf::from).collect());
    for (text, expected) in [
        ("deny", Policy::Deny),
        ("", Policy::default()),
        ("/a", folders(&["/a"])),
        ("/a:b:", folders(&["/a", "b"])),
        ("./deny", folders(&["./deny"])),
    ] {
        assert_eq!(Policy::from_text(OsStr::new(text)), expected, "{text}");
    }
}

#[test]
fn protocols_are_refused() {
    let place = Place::new("protocol");
    for name in [
        "nbd://127.0.0.1",
        "json:{\"driver\": \"file\"}",
        "file:base",
        "fat:rw:.",
        "ssh://host/x",
        "http://localhost/x",
        "nbd:unix:socket",
        "rbd:pool/image",
        ":",
        "fd:0",
    ] {
        let error = place.open(name).unwrap_err();
        assert!(error.contains("references with a protocol are not followed"), "{error}");
    }
}

#[test]
fn the_system_says_why_a_file_inside_is_not_opened() {
    let place = Place::new("missing");
    rustix::fs::mkfifoat(rustix::fs::CWD, place.0.join("images/pipe"), 0o600.into()).unwrap();
    for (name, expected) in [
        ("nothing", "nothing': No such file or directory"),
        ("base/x", "base/x': Not a directory"),
        ("base/..", "base/..': Not a directory"),
        ("missing/../base", "missing/../base': No such file or directory"),
        ("self", "self': Too many levels of symbolic links"),
        ("below", "below' to be a regular file"),
        (".", "/.' to be a regular file"),
        ("pipe", "pipe' to be a regular file"),
    ] {
        let error = place.open(name).unwrap_err();
        assert!(error.ends_with(expected), "{name}: {error}");
    }
}

#[test]
fn links_have_a_limit() {
    let place = Place::new("links");
    place.link("base", "images/1");
    for number in 2..=41 {
        place.link(&format!("{}", number - 1), &format!("images/{number}"));
    }
    assert!(place.open("40").is_ok());
    let error = place.open("41").unwrap_err();
    assert!(error.ends_with("Too many levels of symbolic links"), "{error}");
}

#[test]
fn a_circle_is_found_whatever_the_names() {
    let place = Place::new("circle");
    for name in ["top", "./below/../top", "../images/top"] {
        let error = place.open(name).unwrap_err();
        assert!(error.ends_with("creates an infinite loop."), "{error}");
    }
}
