//! Pictures of every kind that people have.

use super::*;

#[test]
fn every_format_and_depth_becomes_planes() {
    let picture = RgbImage::from_raw(2, 2, (0..12).map(|v| v * 20).collect()).unwrap();
    let planes: Vec<u8> = [0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11].map(|v| v * 20).into();
    for format in [ImageFormat::Png, ImageFormat::WebP, ImageFormat::Bmp] {
        assert_eq!(RGB.fitted(&encoded(picture.clone(), format)).unwrap(), planes, "{format:?}");
    }
    let deep = ImageBuffer::<Rgb<u16>, _>::from_raw(2, 2, (0..12).map(|v| v * 20 * 257).collect());
    assert_eq!(RGB.fitted(&png(deep.unwrap())).unwrap(), planes);
    let deep = ImageBuffer::<Luma<u16>, _>::from_raw(2, 2, vec![0, 257, 25_700, 65_535]).unwrap();
    assert_eq!(GREY.fitted(&png(deep)).unwrap(), [0, 1, 100, 255]);
}

#[test]
fn transparent_pixels_are_on_white() {
    let picture = ImageBuffer::<Rgba<u8>, _>::from_raw(
        2,
        2,
        vec![9, 9, 9, 0, 100, 0, 200, 255, 0, 0, 0, 128, 200, 100, 0, 51],
    );
    let planes = [255, 100, 127, 244, 255, 0, 127, 224, 255, 200, 127, 204];
    assert_eq!(RGB.fitted(&png(picture.unwrap())).unwrap(), planes);
    let picture =
        ImageBuffer::<LumaA<u8>, _>::from_raw(2, 2, vec![9, 0, 100, 255, 0, 128, 200, 51]);
    assert_eq!(GREY.fitted(&png(picture.unwrap())).unwrap(), [255, 100, 127, 244]);
}

#[test]
fn grey_pictures_fit_among_coloured_ones_but_not_the_other_way_round() {
    let grey = GrayImage::from_raw(2, 2, vec![0, 90, 180, 255]).unwrap();
    assert_eq!(RGB.fitted(&png(grey.clone())).unwrap(), [0, 90, 180, 255].repeat(3));
    assert_eq!(GREY.fitted(&png(grey)).unwrap(), [0, 90, 180, 255]);
    assert_eq!(GREY.fitted(&png(RgbImage::new(2, 2))), Err(Refused::Coloured));
    let jpeg = encoded(GrayImage::from_pixel(2, 2, [77].into()), ImageFormat::Jpeg);
    assert_eq!(RGB.fitted(&jpeg).unwrap(), [77; 12]);
    assert_eq!(GREY.fitted(&jpeg).unwrap(), [77; 4]);
}

/// 16×16 in ink: cyan 0, magenta 255, yellow 255, key 0, of which printers make red.
#[test]
fn cmyk_jpegs_are_read() {
    let form = Form { size: 16, ..RGB };
    let planes = form.fitted(include_bytes!("../cmyk.jpg")).unwrap();
    let (red, rest) = planes.split_at(256);
    assert!(red.iter().all(|&value| value > 225) && rest.iter().all(|&value| value < 60));
}

#[test]
fn exif_orientation_turns_the_picture() {
    let mut jpeg = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut jpeg, 100);
    // To be turned by 90 degrees clockwise.
    let exif = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
    image::ImageEncoder::set_exif_metadata(&mut encoder, exif.to_vec()).unwrap();
    let lower = |y| if y < 8 { 0 } else { 255 };
    let pixels: Vec<u8> = (0..256).map(|at| lower(at / 16)).collect();
    encoder.encode(&pixels, 16, 16, ExtendedColorType::L8).unwrap();
    let turned = Form { channels: 1, size: 16, resize: false }.fitted(&jpeg).unwrap();
    for row in turned.chunks(16) {
        assert!(row[..8].iter().all(|&v| v > 200) && row[8..].iter().all(|&v| v < 55), "{row:?}");
    }
}

/// Of 2×2 pixels, each of four bytes: blue, green, red, alpha, from the lowest row up.
fn bmp(header: u32, compression: u32, alpha: u32, pixels: [[u8; 4]; 4]) -> Vec<u8> {
    let mut bytes =
        [&b"BM"[..], &[0; 8], &(14 + header).to_le_bytes(), &header.to_le_bytes()].concat();
    bytes.extend([2u32, 2, 32 << 16 | 1, compression].iter().flat_map(|n| n.to_le_bytes()));
    bytes.extend([0; 20]);
    bytes.extend([0xff_0000u32, 0xff00, 0xff, alpha].iter().flat_map(|n| n.to_le_bytes()));
    bytes.resize(14 + header as usize, 0);
    bytes.extend(pixels.as_flattened());
    bytes
}

#[test]
fn bmps_with_an_alpha_channel_are_on_white() {
    let alpha = 0xff00_0000;
    let hidden = [[9, 8, 7, 0], [10, 20, 30, 255], [1, 2, 3, 0], [60, 50, 40, 255]];
    let seen = [255, 40, 255, 30, 255, 50, 255, 20, 255, 60, 255, 10];
    let as_it_is = [3, 40, 7, 30, 2, 50, 8, 20, 1, 60, 9, 10];
    for header in [108, 124] {
        for compression in [0, 3] {
            // Behind these headers, masks are expected only in them.
            let planes = RGB.fitted(&bmp(header, compression, alpha, hidden)).unwrap();
            assert_eq!(planes, seen, "{header} {compression}");
        }
        assert_eq!(RGB.fitted(&bmp(header, 0, 0, hidden)).unwrap(), as_it_is, "{header}");
        // A channel that was never written hides nothing.
        let plain = hidden.map(|[b, g, r, _]| [b, g, r, 0]);
        assert_eq!(RGB.fitted(&bmp(header, 0, alpha, plain)).unwrap(), as_it_is, "{header}");
        for end in 0..14 + header as usize + 15 {
            let whole = bmp(header, 0, alpha, hidden);
            assert!(RGB.fitted(&whole[..end]).is_err(), "{end}");
        }
    }
}

#[test]
fn pictures_are_known_by_their_file_extensions() {
    for name in ["a.JPG", "a.jpeg", "a.jpe", "a.Jfif", "a.png", "a.webp", "a.bmp", "a.dib"] {
        assert!(is_picture(name), "{name}");
    }
    for name in ["jpg", "a.gif", "a.tiff", "a.jpg.txt", "a.jp2", ".jfi"] {
        assert!(!is_picture(name), "{name}");
    }
    assert!(endings().starts_with(".png, .jpg, .jpeg, .jpe, .jfif"));
}

#[test]
fn pictures_of_another_size_are_cropped_to_a_square_and_resampled() {
    let form = Form { channels: 1, size: 4, resize: true };
    // Wide: 12×8, whose middle is grey between white; high: its like.
    for turned in [false, true] {
        let across = |x: u32, y: u32| if turned { y } else { x };
        let (width, height) = if turned { (8, 12) } else { (12, 8) };
        let picture = GrayImage::from_fn(width, height, |x, y| {
            [if (2..10).contains(&across(x, y)) { 100 } else { 255 }].into()
        });
        assert_eq!(form.fitted(&png(picture.clone())).unwrap(), [100; 16]);
        let strict = Form { resize: false, ..form };
        assert_eq!(strict.fitted(&png(picture)), Err(Refused::Size(width, height)));
    }
    // A finer pattern than the result can show becomes its mean, in every channel.
    let checks =
        |x: u32, y: u32| if (x + y).is_multiple_of(2) { [200, 0, 40] } else { [100, 60, 20] };
    let picture = RgbImage::from_fn(64, 64, |x, y| checks(x, y).into());
    let planes = Form { channels: 3, ..form }.fitted(&png(picture)).unwrap();
    for (plane, mean) in planes.chunks(16).zip([150, 30, 30]) {
        assert!(plane.iter().all(|value| value.abs_diff(mean) <= 2), "{plane:?}");
    }
}
