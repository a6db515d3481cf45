//! Checks a JPEG before it is decoded. Decoders silently invent the missing part of a picture, so the codes are counted
//! here. A file that ends too early is refused, and so is a coding that is not supported, by its name.

use jpeg_decoder::ColorTransform;

use super::bits::{Bits, Codes, RESTART, Stop, marker};

/// Markers, each after a byte of 0xff.
const TABLES: u8 = 0xc4;
const START: u8 = 0xd8;
const END: u8 = 0xd9;
const SCAN: u8 = 0xda;
const INTERVAL: u8 = 0xdd;
const JFIF: u8 = 0xe0;
const ADOBE: u8 = 0xee;

#[derive(Default)]
pub(super) struct File<'a> {
    bytes: &'a [u8],
    at: usize,
    frame: Option<Frame>,
    jfif: bool,
    /// What Adobe's marker says about the colours.
    adobe: Option<u8>,
    /// For the differences of means, and for all other coefficients.
    tables: [[Option<Codes>; 4]; 2],
    /// Units between restarts; 0 for none.
    interval: usize,
    scans: usize,
}

struct Frame {
    progressive: bool,
    width: usize,
    height: usize,
    /// In units of all components.
    across: usize,
    down: usize,
    components: Vec<Component>,
}

#[derive(Default)]
struct Component {
    id: u8,
    /// Blocks in a unit.
    across: usize,
    down: usize,
    /// Blocks that it has, in a scan of its own.
    own: (usize, usize),
    /// Of progressive ones, which coefficients of each block are not 0.
    known: Vec<u64>,
}

/// A component's part in a scan.
struct Part {
    component: usize,
    tables: (usize, usize),
}

/// Which coefficients a scan has, and how many bits of them were sent before it.
struct Band {
    first: usize,
    last: usize,
    refines: bool,
}

impl<'a> File<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, ..Self::default() }
    }

    /// What its components stand for, by libjpeg's rules for what files leave open; `None` for one component, or for a
    /// number of components that no colours have.
    pub fn colours(&self) -> Option<ColorTransform> {
        let components = &self.frame.as_ref()?.components;
        let ids: Vec<_> = components.iter().map(|component| component.id).collect();
        match (ids.len(), self.adobe) {
            (3, _) if self.jfif => Some(ColorTransform::YCbCr),
            (3, Some(0)) => Some(ColorTransform::RGB),
            (3, None) if ids == *b"RGB" => Some(ColorTransform::RGB),
            (3, _) => Some(ColorTransform::YCbCr),
            (4, None | Some(0)) => Some(ColorTransform::CMYK),
            (4, _) => Some(ColorTransform::YCCK),
            _ => None,
        }
    }

    /// Reads the first segments only: width, height and the number of components.
    pub fn extent(&mut self) -> Result<(usize, usize, usize), Stop> {
        while self.frame.is_none() {
            let (found, behind) = marker(self.bytes, self.at).ok_or(Stop::Short)?;
            self.at = behind;
            match found {
                START | 0x01 | RESTART..=0xd7 => {}
                END | SCAN => return Err(Stop::Unclear),
                _ => self.read_segment(found)?,
            }
        }
        let frame = self.frame.as_ref().ok_or(Stop::Unclear)?;
        Ok((frame.width, frame.height, frame.components.len()))
    }

    /// Reads everything up to the end of the picture. Of a progressive picture, whole scans may be missing: libjpeg
    /// accepts that silently, too.
    pub fn walk(&mut self) -> Result<(), Stop> {
        loop {
            let (found, behind) = marker(self.bytes, self.at).ok_or(Stop::Short)?;
            self.at = behind;
            match found {
                START | 0x01 | RESTART..=0xd7 => {}
                END if self.scans > 0 => return Ok(()),
                END => return Err(Stop::Unclear),
                _ => self.read_segment(found)?,
            }
        }
    }

    fn read_segment(&mut self, marker: u8) -> Result<(), Stop> {
        let segment = self.segment()?;
        match marker {
            TABLES => self.read_tables(segment)?,
            INTERVAL => self.interval = short(segment, 0)?,
            JFIF => self.jfif |= segment.starts_with(b"JFIF\0"),
            ADOBE if segment.starts_with(b"Adobe") => self.adobe = segment.get(11).copied(),
            // Tables of arithmetic coding, whose frame says so itself, and room for extensions.
            0xc8 | 0xcc => {}
            0xc0..=0xcf => self.read_frame(marker, segment)?,
            SCAN => self.read_scan(segment)?,
            _ => {}
        }
        Ok(())
    }

    /// What follows a marker, without its length.
    fn segment(&mut self) -> Result<&'a [u8], Stop> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let Some(length) = rest.first_chunk().map(|length| u16::from_be_bytes(*length)) else {
            return Err(Stop::Short);
        };
        let segment = rest.get(..length.into()).ok_or(Stop::Short)?;
        self.at += segment.len();
        segment.get(2..).ok_or(Stop::Unclear)
    }

    fn read_tables(&mut self, mut segment: &[u8]) -> Result<(), Stop> {
        while let Some((&kind, rest)) = segment.split_first() {
            let (counts, rest) = rest.split_first_chunk::<16>().ok_or(Stop::Unclear)?;
            let symbols = counts.iter().map(|&count| usize::from(count)).sum();
            let (symbols, rest) = rest.split_at_checked(symbols).ok_or(Stop::Unclear)?;
            let tables = self.tables.get_mut(usize::from(kind >> 4)).ok_or(Stop::Unclear)?;
            let table = tables.get_mut(usize::from(kind & 15)).ok_or(Stop::Unclear)?;
            *table = Some(Codes::new(counts, symbols));
            segment = rest;
        }
        Ok(())
    }

    fn read_frame(&mut self, marker: u8, segment: &[u8]) -> Result<(), Stop> {
        const ANEW: &str = "save it again as PNG, or as an ordinary JPEG of 8 bits";
        const TRANSCODE: &str = "convert it, without loss, with `jpegtran -copy all -optimize`";
        match (marker, byte(segment, 0)?) {
            (0xc5..=0xc7 | 0xcd..=0xcf, _) => {
                return Err(Stop::Unread("in several sizes (hierarchical)", ANEW));
            }
            (0xc3 | 0xcb, _) => return Err(Stop::Unread("without loss (lossless)", ANEW)),
            (_, precision) if precision != 8 => {
                return Err(Stop::Unread("of more than 8 bits a value", ANEW));
            }
            (0xc9 | 0xca, _) => return Err(Stop::Unread("in arithmetic coding", TRANSCODE)),
            _ => {}
        }
        let (height, width) = (short(segment, 1)?, short(segment, 3)?);
        let mut components = Vec::new();
        for component in segment.get(6..).unwrap_or_default().chunks_exact(3) {
            let (across, down) = (usize::from(component[1] >> 4), usize::from(component[1] & 15));
            components.push(Component { id: component[0], across, down, ..Component::default() });
        }
        let most = |side: fn(&Component) -> usize| components.iter().map(side).max().unwrap_or(0);
        let (across, down) = (most(|c| c.across), most(|c| c.down));
        let none = components.iter().any(|c| c.across == 0 || c.down == 0);
        if none || components.is_empty() || width == 0 || height == 0 || self.frame.is_some() {
            return Err(Stop::Unclear);
        }
        let blocks =
            |pixels: usize, of: usize, most: usize| (pixels * of).div_ceil(most).div_ceil(8);
        for c in &mut components {
            c.own = (blocks(width, c.across, across), blocks(height, c.down, down));
        }
        self.frame = Some(Frame {
            progressive: marker == 0xc2,
            width,
            height,
            across: width.div_ceil(8 * across),
            down: height.div_ceil(8 * down),
            components,
        });
        Ok(())
    }

    fn read_scan(&mut self, segment: &[u8]) -> Result<(), Stop> {
        let Self { bytes, at, frame, tables, interval, .. } = self;
        let frame = frame.as_mut().ok_or(Stop::Unclear)?;
        let count = usize::from(byte(segment, 0)?);
        let mut parts = Vec::new();
        for part in segment.get(1..1 + 2 * count).ok_or(Stop::Unclear)?.chunks_exact(2) {
            let component = frame.components.iter().position(|c| c.id == part[0]);
            let component = component.ok_or(Stop::Unclear)?;
            let tables = (usize::from(part[1] >> 4), usize::from(part[1] & 15));
            parts.push(Part { component, tables });
        }
        let band = match frame.progressive {
            false => Band { first: 0, last: 63, refines: false },
            true => Band {
                first: byte(segment, 1 + 2 * count)?.into(),
                last: byte(segment, 2 + 2 * count)?.into(),
                refines: byte(segment, 3 + 2 * count)? >> 4 > 0,
            },
        };
        if band.last > 63 || band.first > band.last || parts.is_empty() {
            return Err(Stop::Unclear);
        }
        let mut bits = Bits::new(bytes, *at);
        scan(&mut bits, frame, tables, &parts, &band, *interval)?;
        *at = bits.at;
        self.scans += 1;
        Ok(())
    }
}

/// All blocks of a scan.
fn scan(
    bits: &mut Bits<'_>,
    frame: &mut Frame,
    tables: &[[Option<Codes>; 4]; 2],
    parts: &[Part],
    band: &Band,
    interval: usize,
) -> Result<(), Stop> {
    let alone = parts.len() == 1;
    let (across, down) = match parts {
        [part] => frame.components[part.component].own,
        _ => (frame.across, frame.down),
    };
    let mut run = 0;
    for unit in 0..across * down {
        if interval > 0 && unit > 0 && unit.is_multiple_of(interval) {
            bits.restart((unit / interval - 1) % 8)?;
            run = 0;
        }
        for part in parts {
            let component = &mut frame.components[part.component];
            let stride = frame.across * component.across;
            let (blocks_across, blocks_down) =
                if alone { (1, 1) } else { (component.across, component.down) };
            for block in 0..blocks_across * blocks_down {
                let x = unit % across * blocks_across + block % blocks_across;
                let y = unit / across * blocks_down + block / blocks_across;
                let codes = |kind: usize, number: usize| {
                    tables[kind].get(number).and_then(Option::as_ref).ok_or(Stop::Unclear)
                };
                if !frame.progressive {
                    let (dc, ac) = (codes(0, part.tables.0)?, codes(1, part.tables.1)?);
                    whole_block(bits, dc, ac)?;
                } else if band.first == 0 {
                    match band.refines {
                        true => bits.skip(1)?,
                        false => {
                            let length = bits.symbol(codes(0, part.tables.0)?)?;
                            bits.skip(length.into())?;
                        }
                    }
                } else {
                    if component.known.is_empty() {
                        component.known = vec![0; stride * frame.down * component.down];
                    }
                    let known = component.known.get_mut(y * stride + x).ok_or(Stop::Unclear)?;
                    band_of_block(bits, codes(1, part.tables.1)?, band, known, &mut run)?;
                }
            }
        }
    }
    Ok(())
}

/// A block of a file that is not progressive.
fn whole_block(bits: &mut Bits<'_>, dc: &Codes, ac: &Codes) -> Result<(), Stop> {
    let length = bits.symbol(dc)?;
    bits.skip(length.into())?;
    let mut at = 1;
    while at < 64 {
        let symbol = bits.symbol(ac)?;
        match (symbol >> 4, symbol & 15) {
            (15, 0) => at += 16,
            (_, 0) => break,
            (zeros, length) => {
                at += usize::from(zeros) + 1;
                bits.skip(length.into())?;
            }
        }
    }
    Ok(())
}

/// Some coefficients of a block. `run` is how many blocks have no more in this band.
fn band_of_block(
    bits: &mut Bits<'_>,
    codes: &Codes,
    band: &Band,
    known: &mut u64,
    run: &mut usize,
) -> Result<(), Stop> {
    let mut at = band.first;
    while *run == 0 && at <= band.last {
        let symbol = bits.symbol(codes)?;
        let (mut zeros, length) = (symbol >> 4, symbol & 15);
        if length == 0 && zeros < 15 {
            *run = (1 << zeros) + bits.take(zeros.into())?;
            break;
        }
        bits.skip(length.into())?;
        // Coefficients that are known already are not counted; each may be corrected by one bit.
        while at <= band.last {
            let is_known = band.refines && *known >> at & 1 == 1;
            if is_known {
                bits.skip(1)?;
            } else if zeros == 0 {
                break;
            } else {
                zeros -= 1;
            }
            at += 1;
        }
        if length > 0 && at <= band.last {
            *known |= 1 << at;
        }
        at += 1;
    }
    if *run > 0 {
        *run -= 1;
        if band.refines && at <= band.last {
            let rest = *known >> at << at & u64::MAX >> (63 - band.last);
            bits.skip_many(rest.count_ones())?;
        }
    }
    Ok(())
}

fn byte(segment: &[u8], at: usize) -> Result<u8, Stop> {
    segment.get(at).copied().ok_or(Stop::Unclear)
}

fn short(segment: &[u8], at: usize) -> Result<usize, Stop> {
    Ok(usize::from(byte(segment, at)?) << 8 | usize::from(byte(segment, at + 1)?))
}
