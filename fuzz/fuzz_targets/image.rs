//! Any bytes at all as an image: followed in pieces of any size with the same end, and whole only with the right digest.
#![no_main]

use libfuzzer_sys::fuzz_target;
use plug::update::image::{AppImage, IMAGE_HEAD, Walk, Whole};
use sha2::{Digest, Sha256};

fuzz_target!(|input: (u8, &[u8])| {
    let (piece, bytes) = input;
    let head = AppImage::parse(bytes);
    assert_eq!(head, AppImage::parse(&bytes[..bytes.len().min(IMAGE_HEAD)]));
    // A digest is what nobody finds by chance: the one that belongs there.
    let mut with = bytes.to_vec();
    let digest = Sha256::digest(bytes);
    with.extend_from_slice(&digest);
    for image in [bytes, &with] {
        let one = follow(image, image.len().max(1));
        assert_eq!(one, follow(image, usize::from(piece).max(1)));
        if let Some(Whole { length, sha256 }) = one {
            let (before, digest) = image[..length as usize].split_at(length as usize - 32);
            assert_eq!(Sha256::digest(before)[..], *digest);
            assert_eq!(Sha256::digest(&image[..length as usize])[..], sha256);
            assert_eq!(length % 16, 0);
        }
    }
});

fn follow(image: &[u8], piece: usize) -> Option<Whole> {
    let mut walk = Walk::new(1 << 20);
    let mut taken = 0;
    for piece in image.chunks(piece) {
        let now = walk.feed(piece).ok()?;
        taken += now;
        if now < piece.len() {
            break;
        }
    }
    let whole = walk.whole()?;
    assert_eq!(whole.length as usize, taken);
    Some(whole)
}
