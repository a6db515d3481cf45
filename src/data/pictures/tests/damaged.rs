//! Pictures that are damaged or promise too much.

use super::*;

#[test]
fn truncated_pictures_are_refused() {
    let noise = RgbImage::from_fn(64, 64, |x, y| [(x * y * 37 % 251) as u8, 3, y as u8].into());
    let form = Form { channels: 3, size: 64, resize: false };
    for format in [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::WebP, ImageFormat::Bmp] {
        let bytes = encoded(noise.clone(), format);
        assert!(form.fitted(&bytes).is_ok());
        for end in [0, 10, bytes.len() / 3, bytes.len() / 2, bytes.len() - 20] {
            let refused = form.fitted(&bytes[..end]);
            let told = matches!(&refused, Err(Refused::Unreadable(why)) if why.contains("picture"));
            assert!(told, "{format:?} {end}: {:?}", refused.map(drop));
        }
    }
    assert!(form.fitted(b"GIF89a and more").is_err());
    // More after the end is another matter.
    let longer = [&encoded(noise, ImageFormat::Jpeg)[..], &[0xff, 0xda, 1, 2]].concat();
    assert!(form.fitted(&longer).is_ok());
}

/// As above, but with lengths and checksums made right for what is left.
#[test]
fn truncated_pictures_with_valid_lengths_and_checksums_are_refused() {
    let noise = RgbImage::from_fn(64, 64, |x, y| [(x * y * 37 % 251) as u8, 3, y as u8].into());
    let form = Form { channels: 3, size: 64, resize: false };
    let told = |bytes: &[u8], what: &str| {
        let refused = form.fitted(bytes);
        let told = matches!(&refused, Err(Refused::Unreadable(why)) if why.contains("picture"));
        assert!(told, "{what}: {:?}", refused.map(drop));
    };
    // One chunk of data, of some length.
    let whole = png(noise.clone());
    let at = whole.windows(4).position(|name| name == b"IDAT").unwrap();
    let length = u32::from_be_bytes(whole[at - 4..at].try_into().unwrap()) as usize;
    for part in [0, length / 3, length - 20] {
        let data = &whole[at..at + 4 + part];
        let mut crc = flate2::Crc::new();
        crc.update(data);
        let end = b"\0\0\0\0IEND\xae\x42\x60\x82";
        let length = (part as u32).to_be_bytes();
        let cut = [&whole[..at - 4], &length, data, &crc.sum().to_be_bytes(), end].concat();
        told(&cut, &format!("PNG with {part} bytes"));
    }
    let whole = encoded(noise.clone(), ImageFormat::WebP);
    for part in [20, whole.len() / 3, whole.len() - 40] {
        let mut cut = whole[..20 + part / 2 * 2].to_vec();
        let (file, chunk) = (cut.len() as u32 - 8, cut.len() as u32 - 20);
        cut[4..8].copy_from_slice(&file.to_le_bytes());
        cut[16..20].copy_from_slice(&chunk.to_le_bytes());
        told(&cut, &format!("WebP with {part} bytes"));
    }
    let whole = encoded(noise, ImageFormat::Bmp);
    for part in [60, whole.len() / 3, whole.len() - 3] {
        let mut cut = whole[..part].to_vec();
        cut[2..6].copy_from_slice(&(part as u32).to_le_bytes());
        told(&cut, &format!("BMP with {part} bytes"));
    }
}

/// Decoders make room for what the first bytes promise.
#[test]
fn headers_that_promise_huge_pictures_are_refused() {
    let mut promising = png(GrayImage::new(3, 3));
    // Width and height, behind the signature and the head of the first chunk, and its checksum.
    for (side, promised) in [(3u32, false), (3000, true), (60_000, true)] {
        for at in [16, 20] {
            promising[at..at + 4].copy_from_slice(&side.to_be_bytes());
        }
        let mut crc = flate2::Crc::new();
        crc.update(&promising[12..29]);
        promising[29..33].copy_from_slice(&crc.sum().to_be_bytes());
        match read(&promising) {
            Ok(_) => assert!(!promised),
            Err(reason) => {
                assert!(promised && reason.contains("too large, or damaged"), "{reason}")
            }
        }
    }
    // What cameras add, behind the picture.
    for (length, whole) in [(4u32, true), (u32::MAX, false)] {
        let picture = encoded(RgbImage::new(3, 3), ImageFormat::WebP);
        let head =
            [b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\x08\0\0\0\x02\0\0\x02\0\0", &picture[12..]].concat();
        let mut bytes = [&head[..], b"EXIF", &length.to_le_bytes(), b"II*\0"].concat();
        let size = bytes.len() as u32 - 8;
        bytes[4..8].copy_from_slice(&size.to_le_bytes());
        assert_eq!(read(&bytes).map(drop).is_ok(), whole, "{:?}", read(&bytes).map(drop));
    }
    // An even surface, which packs as tight as it gets.
    for format in [ImageFormat::Png, ImageFormat::WebP, ImageFormat::Jpeg] {
        let bytes = encoded(RgbImage::new(2000, 2000), format);
        assert_eq!(read(&bytes).unwrap().width(), 2000, "{format:?}");
    }
}
