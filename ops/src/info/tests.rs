use alloc::vec;

use abi::info::{Content, Format, Image, Window};
use abi::source::Source;
use abi::text::Text;

use super::*;
use crate::testing::World;

fn source() -> Source {
    let extension = Text::default();
    Source { slot: 0, format: None, extension, window: None, snapshot: None }
}

fn request() -> Request {
    Request { image: source(), follow: false, max_depth: 8, contents: false }
}

fn windowed(request: &Request, window: Option<Window>) -> Request {
    Request { image: Source { window, ..request.image.clone() }, ..request.clone() }
}

fn images(world: &World) -> Vec<Image> {
    let image = |reply| match reply {
        Reply::Info(InfoReply::Image(image)) => Some(*image),
        _ => None,
    };
    world.replies().into_iter().filter_map(image).collect()
}

#[test]
fn bytes_are_a_raw_image() {
    let world = World::with_image(vec![7; 1000]);
    run(&request(), &world).unwrap();
    let [image] = &images(&world)[..] else { panic!("{:?}", world.replies()) };
    assert_eq!((image.format, image.virtual_size, image.dirty), (Format::Raw, 1024, Some(false)));
}

#[test]
fn a_window_of_a_raw_image_is_one_too() {
    let world = World::with_image(vec![7; 4096]);
    let window = Some(Window { offset: 512, size: Some(1024) });
    run(
        &Request { image: Source { window, format: Some(Format::Raw), ..source() }, ..request() },
        &world,
    )
    .unwrap();
    assert_eq!(images(&world)[0].virtual_size, 1024);
}

fn contents(request: &Request, disk: Vec<u8>) -> Vec<Content> {
    let world = World::with_image(disk);
    run(request, &world).unwrap();
    let content = |reply| match reply {
        Reply::Info(InfoReply::Part(Part::Content(content))) => Some(content),
        _ => None,
    };
    world.replies().into_iter().filter_map(content).collect()
}

#[test]
fn contents_are_told_if_they_are_wanted() {
    let mut disk = vec![0; 2048];
    disk[440..447].copy_from_slice(&[4, 3, 2, 1, 0, 0, 0x80]);
    disk[450..459].copy_from_slice(&[0x83, 0, 0, 0, 1, 0, 0, 0, 3]);
    disk[510..512].copy_from_slice(&[0x55, 0xaa]);
    let wanted = Request { contents: true, ..request() };
    let mbr = [Content::Mbr { disk: 0x0102_0304, partitions: 1 }];
    assert_eq!(contents(&wanted, disk.clone()), mbr);
    assert_eq!(contents(&request(), disk.clone()), []);
    // Of a window, what it shows.
    let whole = [vec![0; 512], disk].concat();
    assert_eq!(contents(&wanted, whole.clone()), []);
    let window = Some(Window { offset: 512, size: None });
    assert_eq!(contents(&windowed(&wanted, window), whole.clone()), mbr);
    let window = Some(Window { offset: 512, size: Some(1536) });
    assert_eq!(contents(&windowed(&wanted, window), whole), []);
}

#[test]
fn a_slot_without_a_file_is_an_error() {
    let world = World::with_image(vec![]);
    let error =
        run(&Request { image: Source { slot: 5, ..source() }, ..request() }, &world).unwrap_err();
    assert_eq!(error, Error::empty_slot(5));
}
