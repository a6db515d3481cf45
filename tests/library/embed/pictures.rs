//! The images where they are: as a texture, as a buffer.

use dm_wgpu::{Condensation, Gpu, Init, Picture, wgpu};

use super::{picture_twin::picture, settings};
use crate::{
    common::{self, gpu},
    noise,
};

/// Width, height, and the four bytes of each texel.
fn texels(gpu: &Gpu, picture: &Picture) -> (usize, usize, Vec<[u8; 4]>) {
    let texture = picture.texture();
    let (width, height) = (texture.width(), texture.height());
    let pitch = (4 * width).next_multiple_of(wgpu::COPY_BYTES_PER_ROW_ALIGNMENT);
    let buffer = gpu.device().create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size: u64::from(pitch * height),
        usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    });
    let mut encoder = gpu.device().create_command_encoder(&Default::default());
    picture.encode(&mut encoder);
    let layout = wgpu::TexelCopyBufferLayout { bytes_per_row: Some(pitch), ..Default::default() };
    encoder.copy_texture_to_buffer(
        texture.as_image_copy(),
        wgpu::TexelCopyBufferInfo { buffer: &buffer, layout },
        texture.size(),
    );
    gpu.queue().submit([encoder.finish()]);
    buffer.map_async(wgpu::MapMode::Read, .., |result| result.unwrap());
    let wait = wgpu::PollType::Wait { submission_index: None, timeout: None };
    gpu.device().poll(wait).unwrap();
    let bytes = buffer.get_mapped_range(..).unwrap().to_vec();
    let rows = bytes.chunks(pitch as usize).flat_map(|row| row[..4 * width as usize].chunks(4));
    let texels = rows.map(|texel| texel.try_into().unwrap()).collect();
    (width as usize, height as usize, texels)
}

#[test]
fn the_picture_shows_every_image() {
    let limits = wgpu::Limits { max_texture_dimension_2d: 64, ..wgpu::Limits::default() };
    let small = common::device_of(limits);
    // On the small one, classes go on to the right: three rows of 16, nine of 6.
    for (gpu, classes, channels, size, init) in [
        (gpu(), 5, 1, 10, Init::Real),
        (&small, 5, 3, 16, Init::Real),
        (&small, 19, 1, 6, Init::Noise),
    ] {
        let dataset = noise(channels, size, &vec![1; classes]);
        let ipc = if init == Init::Real { 1 } else { 3 };
        let settings = settings(&dataset).ipc(ipc).depth(1).init(init);
        let mut run = Condensation::new(gpu, dataset.clone(), settings).unwrap();
        run.step().unwrap();
        let shown = run.picture().unwrap();
        let (width, height, texels) = texels(gpu, &shown);
        assert!(gpu.info() != small.info() || width.max(height) <= 64);
        let set = run.images_blocking().unwrap();
        let wide = |values: &[f32]| values.iter().map(|&v| f64::from(v)).collect::<Vec<_>>();
        let expected = picture(
            &wide(&set.images),
            (channels, size),
            (&wide(dataset.mean()), &wide(dataset.std())),
            (width, height),
            |image| {
                let (x, y) = shown.corner(image);
                (x as usize, y as usize)
            },
        );
        let visible = expected.iter().filter(|texel| texel[3] == 1.0).count();
        assert_eq!(visible, classes * ipc * size * size, "images overlap");
        for (found, expected) in texels.iter().flatten().zip(expected.iter().flatten()) {
            // Adapters may round halves either way.
            let apart = (f64::from(*found) - expected * 255.0).abs();
            assert!(apart <= 0.501, "{found} for {}", expected * 255.0);
        }
    }
}

#[test]
fn the_images_can_be_had_as_a_buffer() {
    let dataset = noise(1, 8, &[1; 3]);
    let settings = settings(&dataset).ipc(1).depth(1);
    let mut run = Condensation::new(gpu(), dataset, settings).unwrap();
    let bytes = run.images_buffer().size() as usize;
    assert_eq!(bytes, 4 * run.images_blocking().unwrap().images.len());
}

#[test]
fn a_picture_larger_than_a_texture_is_refused() {
    let limits = wgpu::Limits { max_texture_dimension_2d: 64, ..wgpu::Limits::default() };
    let dataset = noise(1, 70, &[1; 2]);
    let settings = settings(&dataset).ipc(1).depth(1);
    let run = Condensation::new(&common::device_of(limits), dataset, settings).unwrap();
    let error = run.picture().unwrap_err().to_string();
    assert!(error.contains("64 texels a side"), "{error}");
}
