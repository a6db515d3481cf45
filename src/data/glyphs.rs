//! The embedded data set: digits that look handwritten, drawn at run time from stroke skeletons.
//!
//! Each image follows from (seed, index) alone and is drawn with additions, multiplications,
//! divisions and square roots only, which are exact to the bit everywhere: a seed gives the same
//! bytes on every machine.

use std::{ops::Range, thread};

#[cfg(feature = "files")]
use super::known::Origin;
use super::{
    Known,
    known::Held,
    skeletons::{DIGITS, Stroke},
};
use crate::{
    Dataset, DatasetInfo, Result,
    rng::{Purpose, Stream},
};

/// The seed of the data set with this name: it is the same for everyone, so that results can be
/// compared. A run's seed is separate.
pub(super) const GLYPHS: Known = Known {
    name: "glyphs",
    title: "glyphs",
    train: TRAIN,
    test: TEST,
    classes: DIGITS.len(),
    channels: 1,
    size: SIZE,
    mean: &[0.12115],
    std: &[0.25413],
    flip: false,
    licence: "as dm-wgpu",
    source: "drawn by dm-wgpu",
    held: Held::Drawn(named),
    #[cfg(feature = "files")]
    origin: Origin::Drawn(named),
};

/// Height and width in pixels.
const SIZE: usize = 28;
/// Training images: 1000 per class.
const TRAIN: usize = 10_000;
/// Test images: 200 per class.
const TEST: usize = 2_000;
/// Pixels that stay free of ink on each side.
const MARGIN: f32 = 1.0;
/// Straight pieces that a curve between two points is drawn with.
const PIECES: usize = 6;

/// Ten classes of drawn digits: 10 000 training and 2 000 test images of 1×28×28, the same for
/// the same `seed` on every platform. Needs no file and takes a fraction of a second.
///
/// # Errors
/// None in practice; the [`Result`] is that of [`Dataset::new`].
pub fn glyphs(seed: u64) -> Result<Dataset> {
    drawn(seed, TRAIN, TEST)
}

/// What the name stands for.
fn named() -> Result<Dataset> {
    // Tests start the program hundreds of times, most of them with more images than they need.
    #[cfg(feature = "testing")]
    if let Some((train, test)) = sizes_for_tests() {
        return drawn(0, train, test);
    }
    glyphs(0)
}

/// Numbers of training and test images, from a variable like `3000+200`.
#[cfg(feature = "testing")]
fn sizes_for_tests() -> Option<(usize, usize)> {
    let told = std::env::var("DM_WGPU_GLYPHS").ok()?;
    let (train, test) = told.split_once('+')?;
    Some((train.parse().ok()?, test.parse().ok()?))
}

fn drawn(seed: u64, train: usize, test: usize) -> Result<Dataset> {
    let (train, test) = (0..train, TRAIN..TRAIN + test);
    let labels = |of: Range<usize>| of.map(|index| digit(index) as u32).collect();
    let (train_labels, test_labels) = (labels(train.clone()), labels(test.clone()));
    let (train, test) = (draw_all(seed, train), draw_all(seed, test));
    let (mean, std) = moments(&train);
    Dataset::new(
        DatasetInfo {
            name: "glyphs".into(),
            class_names: (0..DIGITS.len()).map(|digit| digit.to_string()).collect(),
            channels: 1,
            size: SIZE,
            mean: vec![mean],
            std: vec![std],
        },
        (train, train_labels),
        (test, test_labels),
    )
}

/// Classes take turns, so that any stretch of the data set is balanced.
fn digit(index: usize) -> usize {
    index % DIGITS.len()
}

/// The images of these indices, shared among the machine's cores.
fn draw_all(seed: u64, indices: Range<usize>) -> Vec<u8> {
    let mut pixels = vec![0; indices.len() * SIZE * SIZE];
    let draw_run = move |first: usize, run: &mut [u8]| {
        for (k, image) in run.chunks_exact_mut(SIZE * SIZE).enumerate() {
            draw(seed, first + k, image);
        }
    };
    let workers = thread::available_parallelism().map_or(1, |n| n.get());
    if workers == 1 {
        // This also works on platforms without threads.
        draw_run(indices.start, &mut pixels);
        return pixels;
    }
    let share = indices.len().div_ceil(workers);
    thread::scope(|scope| {
        for (worker, run) in pixels.chunks_mut(share * SIZE * SIZE).enumerate() {
            scope.spawn(move || draw_run(indices.start + worker * share, run));
        }
    });
    pixels
}

/// Mean and standard deviation of pixels in 0…1, from exact integer sums.
fn moments(pixels: &[u8]) -> (f32, f32) {
    let (sum, squares) = pixels.iter().fold((0u64, 0u64), |(sum, squares), &pixel| {
        let pixel = u64::from(pixel);
        (sum + pixel, squares + pixel * pixel)
    });
    let n = pixels.len() as f64;
    let mean = sum as f64 / n;
    let variance = squares as f64 / n - mean * mean;
    ((mean / 255.0) as f32, (variance.sqrt() / 255.0) as f32)
}

/// Roughly normal with variance 1, never beyond ±3.5: a sum of uniform numbers, since an exact
/// normal number needs a logarithm, which platforms round differently.
fn bell(random: &mut Stream) -> f32 {
    let sum = random.uniform() + random.uniform() + random.uniform() + random.uniform();
    (sum - 2.0) * 1.732_050_8
}

/// A number between two bounds.
fn between(random: &mut Stream, low: f32, high: f32) -> f32 {
    low + (high - low) * random.uniform()
}

type Point = (f32, f32);

/// One image, start to end; `image` is all zero before.
fn draw(seed: u64, index: usize, image: &mut [u8]) {
    let digit = digit(index);
    let random = &mut Stream::new(seed, Purpose::Glyphs, index as u32, digit as u32);
    let hands = DIGITS[digit];
    let strokes = hands[random.below(hands.len() as u32) as usize];
    let posture = Posture::new(random);
    let mut lines: Vec<Vec<Point>> =
        strokes.iter().map(|stroke| curve(&posture.place(stroke, random))).collect();
    let pen = Pen::new(random);
    fit(&mut lines, pen.reach(), random);
    let mut ink = [0.0; SIZE * SIZE];
    for line in &lines {
        pen.write(line, &mut ink);
    }
    scan(&ink, random, image);
}

/// How a writer's whole hand bends and leans a digit.
struct Posture {
    /// Columns of the linear part, in pixels per unit.
    x: Point,
    y: Point,
    /// Quadratic part: what v², uv and u² add to u and to v.
    bend: [Point; 3],
    /// How far single points stray, in units.
    stray: f32,
}

impl Posture {
    fn new(random: &mut Stream) -> Self {
        let height = between(random, 16.0, 21.5);
        let width = height * between(random, 0.5, 0.98);
        let slant = 0.12 + 0.2 * bell(random);
        // Half the angle's tangent gives sine and cosine without trigonometry.
        let t = 0.055 * bell(random);
        let (cos, sin) = ((1.0 - t * t) / (1.0 + t * t), 2.0 * t / (1.0 + t * t));
        let mut pair = |size: f32| (size * bell(random), size * bell(random));
        let bend = [(0.2, 0.0), (0.22, 0.16), (0.0, 0.16)].map(|(a, b)| {
            let (du, dv) = pair(1.0);
            (a * du, b * dv)
        });
        Self {
            x: (cos * width, sin * width),
            y: (-slant * height * cos - sin * height, cos * height - slant * height * sin),
            bend,
            stray: between(random, 0.01, 0.05),
        }
    }

    /// A stroke's points as this writer sets them, in pixels around the origin.
    fn place(&self, stroke: Stroke, random: &mut Stream) -> Vec<Point> {
        let mut placed: Vec<Point> = Vec::with_capacity(stroke.len());
        let mut drift = (bell(random), bell(random));
        for (k, &(x, y)) in stroke.iter().enumerate() {
            match placed.last() {
                // A corner is one point, not two that stray apart.
                Some(&corner) if stroke[k - 1] == (x, y) => placed.push(corner),
                _ => {
                    let (u, v) = (x - 0.5, y - 0.5);
                    let [vv, uv, uu] = self.bend;
                    let du = vv.0 * v * v + uv.0 * u * v + uu.0 * u * u;
                    let dv = vv.1 * v * v + uv.1 * u * v + uu.1 * u * u;
                    // A hand strays gradually: half of the last point's error remains.
                    drift.0 = 0.5 * drift.0 + 0.8 * bell(random);
                    drift.1 = 0.5 * drift.1 + 0.8 * bell(random);
                    let u = u + du + self.stray * drift.0;
                    let v = v + dv + self.stray * drift.1;
                    placed.push((self.x.0 * u + self.y.0 * v, self.x.1 * u + self.y.1 * v));
                }
            }
        }
        placed
    }
}

/// A Catmull-Rom spline through the points as short straight pieces; doubled points are corners.
fn curve(points: &[Point]) -> Vec<Point> {
    let mut line: Vec<Point> = points.first().copied().into_iter().collect();
    for (k, pair) in points.windows(2).enumerate() {
        let (from, to) = (pair[0], pair[1]);
        if from == to {
            continue;
        }
        let before = if k == 0 { from } else { points[k - 1] };
        let after = points.get(k + 2).copied().unwrap_or(to);
        for piece in 1..=PIECES {
            let t = piece as f32 / PIECES as f32;
            let along = |before: f32, from: f32, to: f32, after: f32| {
                let a = 3.0 * (from - to) + after - before;
                let b = 2.0 * before - 5.0 * from + 4.0 * to - after;
                from + 0.5 * t * (to - before + t * (b + t * a))
            };
            line.push((
                along(before.0, from.0, to.0, after.0),
                along(before.1, from.1, to.1, after.1),
            ));
        }
    }
    line
}

/// Moves the lines into the picture, randomly off the centre, and shrinks them if necessary.
fn fit(lines: &mut [Vec<Point>], reach: f32, random: &mut Stream) {
    let (mut low, mut high) = ((f32::MAX, f32::MAX), (f32::MIN, f32::MIN));
    for &(x, y) in lines.iter().flatten() {
        low = (low.0.min(x), low.1.min(y));
        high = (high.0.max(x), high.1.max(y));
    }
    let room = SIZE as f32 - 2.0 * (MARGIN + reach);
    let (width, height) = (high.0 - low.0, high.1 - low.1);
    let scale = (room / width.max(height)).min(1.0);
    let mut offset = |size: f32| {
        let slack = 0.5 * (room - size * scale).max(0.0);
        (1.1 * bell(random)).clamp(-slack, slack)
    };
    let centre = 0.5 * SIZE as f32;
    let (dx, dy) = (centre + offset(width), centre + offset(height));
    let (mx, my) = (0.5 * (low.0 + high.0), 0.5 * (low.1 + high.1));
    for point in lines.iter_mut().flatten() {
        *point = ((point.0 - mx) * scale + dx, (point.1 - my) * scale + dy);
    }
}

/// The pen with which the digit is written.
struct Pen {
    /// Half the stroke's width in pixels, at its start and at its end.
    radius: (f32, f32),
    /// Pixels over which ink fades to paper: 1 is a sharp edge, more is blurred.
    soft: f32,
}

impl Pen {
    fn new(random: &mut Stream) -> Self {
        let radius = between(random, 0.85, 1.7);
        let pressure = 1.0 + 0.13 * bell(random);
        Self {
            radius: (radius * pressure, radius * (2.0 - pressure)),
            soft: between(random, 0.9, 1.9),
        }
    }

    /// How far from its line the pen leaves ink.
    fn reach(&self) -> f32 {
        self.radius.0.max(self.radius.1) + 0.5 * self.soft
    }

    /// Adds a line to what is already on the paper: 0 is clean, 1 is full ink.
    fn write(&self, line: &[Point], ink: &mut [f32; SIZE * SIZE]) {
        let reach = self.reach();
        // Pixel centres lie at halves.
        let span = |a: f32, b: f32| {
            let first = (a.min(b) - reach - 0.5).max(0.0) as usize;
            let last = (a.max(b) + reach + 0.5).max(0.0) as usize;
            first..last.min(SIZE)
        };
        let count = line.len().max(2) - 1;
        for (k, pair) in line.windows(2).enumerate() {
            let (from, to) = (pair[0], pair[1]);
            let (dx, dy) = (to.0 - from.0, to.1 - from.1);
            let per_length = 1.0 / (dx * dx + dy * dy).max(1e-6);
            let progress = (k as f32 + 0.5) / count as f32;
            let radius = self.radius.0 + (self.radius.1 - self.radius.0) * progress;
            for row in span(from.1, to.1) {
                for column in span(from.0, to.0) {
                    let (x, y) = (column as f32 + 0.5 - from.0, row as f32 + 0.5 - from.1);
                    let t = ((x * dx + y * dy) * per_length).clamp(0.0, 1.0);
                    let (x, y) = (x - t * dx, y - t * dy);
                    let depth = (radius - (x * x + y * y).sqrt()) / self.soft + 0.5;
                    let pixel = &mut ink[row * SIZE + column];
                    *pixel = pixel.max(depth.clamp(0.0, 1.0));
                }
            }
        }
    }
}

/// Turns ink into bytes as a scanner would: darker and paler pens, uneven ink, a little noise.
fn scan(ink: &[f32], random: &mut Stream, image: &mut [u8]) {
    let level = between(random, 0.72, 1.0) * 255.0;
    let grain = between(random, 0.0, 0.25);
    // Most papers are clean.
    let dirt = random.uniform();
    let noise = 14.0 * dirt * dirt * dirt;
    for (pixels, ink) in image.chunks_mut(4).zip(ink.chunks(4)) {
        for ((pixel, &ink), byte) in pixels.iter_mut().zip(ink).zip(random.next_u32().to_le_bytes())
        {
            let chance = f32::from(byte) * (1.0 / 255.0);
            let value = level * ink * (1.0 - grain * chance) + noise * (2.0 * chance - 1.0);
            *pixel = (value + 0.5) as u8;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::LazyLock;

    static SET: LazyLock<Dataset> = LazyLock::new(|| glyphs(0).unwrap());

    /// Writes what a person should look at: `cargo test contact_sheet -- --ignored`.
    #[test]
    #[ignore = "writes a picture to look at"]
    fn contact_sheet() {
        const ACROSS: usize = 28;
        const DOWN: usize = 20;
        const ZOOM: usize = 2;
        let (width, height) = (ACROSS * SIZE * ZOOM, DOWN * SIZE * ZOOM);
        let mut sheet = vec![0; width * height];
        for (at, pixel) in sheet.iter_mut().enumerate() {
            let (x, y) = (at % width / ZOOM, at / width / ZOOM);
            // Each class has two rows.
            let (row, column) = (y / SIZE, x / SIZE);
            let index = SET.train().of_class(row / 2)[row % 2 * ACROSS + column];
            *pixel = SET.train().image(index as usize)[y % SIZE * SIZE + x % SIZE];
        }
        let path = std::env::temp_dir().join("dm-wgpu-glyphs.png");
        image::save_buffer(&path, &sheet, width as u32, height as u32, image::ColorType::L8)
            .unwrap();
        println!("written to {}", path.display());
    }

    /// Share of the first `tested` test images whose nearest of `known` has their label.
    fn nearest_neighbour(known: &[u32], tested: usize) -> f64 {
        let right = (0..tested).filter(|&t| {
            let image = SET.test().image(t);
            let mut best = (u32::MAX, 0);
            for &k in known {
                let mut distance = 0;
                for (a, b) in image.chunks(56).zip(SET.train().image(k as usize).chunks(56)) {
                    distance +=
                        a.iter().zip(b).map(|(a, b)| u32::from(a.abs_diff(*b)).pow(2)).sum::<u32>();
                    if distance >= best.0 {
                        break;
                    }
                }
                if distance < best.0 {
                    best = (distance, SET.train().labels()[k as usize]);
                }
            }
            best.1 == SET.test().labels()[t]
        });
        right.count() as f64 / tested as f64
    }

    #[test]
    fn every_image_has_ink_inside_a_clean_margin() {
        for split in [SET.train(), SET.test()] {
            for index in 0..split.len() {
                let image = split.image(index);
                let inked = image.iter().filter(|&&pixel| pixel > 96).count();
                assert!((12..400).contains(&inked), "image {index}: {inked} pixels of ink");
                let edge = |at: usize| {
                    let (x, y) = (at % SIZE, at / SIZE);
                    x.min(y).min(SIZE - 1 - x).min(SIZE - 1 - y) == 0
                };
                let at_edge = (0..image.len()).filter(|&at| edge(at)).map(|at| image[at]).max();
                // 14 is the largest noise.
                assert!(at_edge <= Some(14), "image {index} touches the edge: {at_edge:?}");
            }
        }
    }

    #[test]
    fn classes_are_balanced() {
        assert_eq!((SET.train().len(), SET.test().len()), (TRAIN, TEST));
        for class in 0..10 {
            assert_eq!(SET.train().of_class(class).len(), 1000);
            assert_eq!(SET.test().of_class(class).len(), 200);
        }
    }

    #[test]
    fn no_two_images_are_alike() {
        let images: std::collections::HashSet<&[u8]> = (0..TRAIN)
            .map(|k| SET.train().image(k))
            .chain((0..TEST).map(|k| SET.test().image(k)))
            .collect();
        assert_eq!(images.len(), TRAIN + TEST);
    }

    #[test]
    fn images_depend_on_seed_and_index_alone() {
        let mut image = [0; SIZE * SIZE];
        draw(0, 4321, &mut image);
        assert_eq!(image, SET.train().image(4321));
        let mut test = [0; SIZE * SIZE];
        draw(0, TRAIN + 5, &mut test);
        assert_eq!(test, SET.test().image(5));
        let mut other = [0; SIZE * SIZE];
        draw(1, 4321, &mut other);
        assert_ne!(image, other);
    }

    /// The promise that a seed means the same bytes on every platform and in every release.
    #[test]
    fn the_bytes_of_seed_0_are_pinned() {
        use sha2::{Digest, Sha256};
        let digest = |pixels: &[u8]| {
            Sha256::digest(pixels)[..8]
                .iter()
                .fold(String::new(), |s, byte| format!("{s}{byte:02x}"))
        };
        assert_eq!(digest(SET.train().pixels()), "57a31fbb179ea64f");
        assert_eq!(digest(SET.test().pixels()), "bd2f7369d4abeb7b");
    }

    #[test]
    fn mean_and_std_are_those_of_the_training_pixels() {
        let n = SET.train().pixels().len() as f64;
        let values = || SET.train().pixels().iter().map(|&pixel| f64::from(pixel) / 255.0);
        let mean = values().sum::<f64>() / n;
        let std = (values().map(|x| (x - mean).powi(2)).sum::<f64>() / n).sqrt();
        assert!((f64::from(SET.mean()[0]) - mean).abs() < 1e-6, "{mean}");
        assert!((f64::from(SET.std()[0]) - std).abs() < 1e-6, "{std}");
        assert!((0.08..0.2).contains(&mean) && (0.2..0.35).contains(&std), "{mean} {std}");
    }

    #[test]
    fn accuracy_of_nearest_neighbours_rises_with_more_images() {
        let mut random = Stream::new(0, Purpose::RealBatch, 0, 0);
        let draws = 20;
        let few = (0..draws).map(|_| {
            let known: Vec<u32> = (0..10)
                .map(|class| SET.train().of_class(class)[random.below(1000) as usize])
                .collect();
            nearest_neighbour(&known, 500)
        });
        let few = few.sum::<f64>() / f64::from(draws);
        let all: Vec<u32> = (0..TRAIN as u32).collect();
        let all = nearest_neighbour(&all, 400);
        println!("nearest neighbour: {few:.3} from one a class, {all:.3} from all");
        assert!((0.25..0.55).contains(&few), "{few}");
        assert!(all > 0.93, "{all}");
    }
}
